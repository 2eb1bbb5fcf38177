"""Pictures of one shade a class, and a small training on them that has every kind of state."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

EPOCHS = 24
LEVELS = {"dark": 60, "light": 180, "middle": 120}
"""Classes that are hard to tell apart: training goes on learning."""


def write_images(
    folder: Path,
    levels: Mapping[str, int] = MappingProxyType(LEVELS),
    *,
    each: int = 40,
    spread: float = 30.0,
    seed: int = 7,
) -> None:
    """Writes so many grey pictures of 8 x 8 pixels a class, around its level from 0 to 255."""
    random = np.random.default_rng(seed)
    for name, level in levels.items():
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = random.normal(level, spread, (8, 8)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")


STATEFUL = ({"conv": 4}, {"batchNorm": True}, {"dropout": 0.2}, {"globalPool": True})
"""Layers with moving statistics and random numbers, which depend on how a batch is cut."""


def recipe(blocks: Sequence[dict[str, Any]] = STATEFUL) -> dict[str, Any]:
    """Averages of the weights, a plateau, and what the layers have: state of every kind."""
    return {
        "data": {
            "train": {"folder": "train"},
            "validationSplit": 0.2,
            "imageSize": [8, 8],
            "channels": 1,
        },
        "augmentation": {"flip": "both", "rotation": 20},
        "model": {"blocks": list(blocks)},
        "training": {
            "epochs": EPOCHS,
            "globalBatchSize": 8,
            "learningRate": 0.02,
            "emaEpochs": 1,
            "schedule": {"kind": "plateau", "every": 2, "factor": 0.5},
        },
    }
