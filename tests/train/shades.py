"""A small training with everything that has a state, for tests that interrupt it."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

EPOCHS = 24
CLASSES = {"dark": 60, "light": 180, "middle": 120}


def write_images(folder: Path) -> None:
    random = np.random.default_rng(7)
    for name, level in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for i in range(40):
            pixels = random.normal(level, 30, (8, 8)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


def recipe() -> dict[str, Any]:
    """Everything that has a state: dropout, moving statistics, averages, a plateau."""
    return {
        "data": {
            "train": {"folder": "train"},
            "validationSplit": 0.2,
            "imageSize": [8, 8],
            "channels": 1,
        },
        "augmentation": {"flip": "both", "rotation": 20},
        "model": {
            "blocks": [{"conv": 4}, {"batchNorm": True}, {"dropout": 0.2}, {"globalPool": True}]
        },
        "training": {
            "epochs": EPOCHS,
            "globalBatchSize": 8,
            "learningRate": 0.02,
            "emaEpochs": 1,
            "schedule": {"kind": "plateau", "every": 2, "factor": 0.5},
        },
    }
