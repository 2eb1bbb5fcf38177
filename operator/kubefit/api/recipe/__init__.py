"""`spec.recipe`: what to train without code.

Models, and `resolve`, which writes out what a recipe leaves to its preset;
`kubefit_trainer.recipe` carries them out.
"""

from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model
from kubefit.api.recipe.augmentation import Augmentation, Flip
from kubefit.api.recipe.data import Data, Images
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
    "Data",
    "EarlyStopping",
    "Flip",
    "Images",
    "Loss",
    "ModelSpec",
    "Optimizer",
    "Output",
    "Phase",
    "Precision",
    "Preprocessing",
    "Preset",
    "PretrainedBackbone",
    "Recipe",
    "Schedule",
    "ScheduleKind",
    "Training",
    "Watched",
    "resolve",
]


class Recipe(Model):
    """Image classification described in data, no code."""

    preset: Preset | SkipJsonSchema[None] = None
    """Defaults for a kind of training: `fineTune`, `fromScratch` or `smallData`."""
    data: Data
    model: ModelSpec
    augmentation: Augmentation = Augmentation()
    training: Training
