"""What the jobs of these tests are trained on."""

from pathlib import Path

import pytest
from shades import write_images


@pytest.fixture(scope="module")
def volume(tmp_path_factory) -> Path:
    """A volume with the pictures of the small training."""
    made = tmp_path_factory.mktemp("volume")
    write_images(made / "train")
    return made
