"""`spec.recipe`: what to train without code.

Models only; `kubefit_trainer.recipe` carries them out.
"""

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
    PretrainedBackbone,
)
from kubefit.api.recipe.training import Loss, Optimizer, Training

__all__ = [
    "BLOCK_KINDS",
    "Activation",
    "Augmentation",
    "Backbone",
    "Block",
    "Data",
    "Flip",
    "Images",
    "Loss",
    "ModelSpec",
    "Optimizer",
    "Output",
    "PretrainedBackbone",
    "Recipe",
    "Training",
]


class Recipe(Model):
    """Image classification described in data, no code."""

    data: Data
    model: ModelSpec
    augmentation: Augmentation = Augmentation()
    training: Training
