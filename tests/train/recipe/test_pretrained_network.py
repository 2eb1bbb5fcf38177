"""What pretrained weights are worth, on real ones."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.train

SCENARIOS = Path(__file__).with_name("scenarios_pretrained.py")


def test_fine_tuning_beats_training_from_scratch_in_the_same_epochs(
    worker_group, vgg16_convolutions: Path
) -> None:
    (results,) = worker_group(
        SCENARIOS, workers=1, env={"VGG16_CONVOLUTIONS": str(vgg16_convolutions)}
    )
    tuned, scratch = results["fine_tuned"], results["from_scratch"]
    assert tuned["epochs"] == scratch["epochs"]
    assert tuned["accuracy"] > scratch["accuracy"] + 0.3
    assert tuned["accuracy"] > 0.5
    assert tuned["loss"] < scratch["loss"]
