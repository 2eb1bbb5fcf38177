"""`spec.recipe`: what to train without code.

Models, and `resolve`, which writes out what a recipe leaves to its preset;
`kubefit_trainer.recipe` carries them out.
"""

from typing import Self

from pydantic import model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.recipe.augmentation import Augmentation, Fill, Flip, RandAugment, ResizedCrop
from kubefit.api.recipe.data import ClassWeights, Data, Images, OnUnreadable
from kubefit.api.recipe.model import (
    BLOCK_KINDS,
    Activation,
    Backbone,
    Block,
    ModelSpec,
    Output,
    Preprocessing,
    PretrainedBackbone,
)
from kubefit.api.recipe.presets import Preset, resolve
from kubefit.api.recipe.training import (
    AUTO,
    EarlyStopping,
    Loss,
    Optimizer,
    Phase,
    Precision,
    Schedule,
    ScheduleKind,
    Training,
    Watched,
)

__all__ = [
    "AUTO",
    "BLOCK_KINDS",
    "Activation",
    "Augmentation",
    "Backbone",
    "Block",
    "ClassWeights",
    "Data",
    "EarlyStopping",
    "Fill",
    "Flip",
    "Images",
    "Loss",
    "ModelSpec",
    "OnUnreadable",
    "Optimizer",
    "Output",
    "Phase",
    "Precision",
    "Preprocessing",
    "Preset",
    "PretrainedBackbone",
    "RandAugment",
    "Recipe",
    "ResizedCrop",
    "Schedule",
    "ScheduleKind",
    "Training",
    "Watched",
    "resolve",
]


_COLOUR = "augmentation.saturation, hue and grayscale need data.channels 3"


class Recipe(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                "self.data.channels == 3 || (self.augmentation.saturation == 0.0 &&"
                " self.augmentation.hue == 0.0 && self.augmentation.grayscale == 0.0)",
                _COLOUR,
            ),
        ]
    },
):
    """Image classification described in data, no code."""

    preset: Preset | SkipJsonSchema[None] = None
    """Defaults for a kind of training: `fineTune`, `fromScratch` or `smallData`."""
    data: Data
    model: ModelSpec
    augmentation: Augmentation = Augmentation()
    training: Training

    @model_validator(mode="after")
    def _augmentation_fits(self) -> Self:
        changes = self.augmentation
        if self.data.channels != 3 and (changes.saturation or changes.hue or changes.grayscale):
            raise ValueError(_COLOUR)
        return self
