"""`spec.recipe`: what to train without code.

Models, and `resolve`, which writes out what a recipe leaves to its preset;
`kubefit_trainer.recipe` carries them out.
"""

from typing import Self

from pydantic import model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.recipe.augmentation import Augmentation, Fill, Flip, RandAugment, ResizedCrop
from kubefit.api.recipe.data import (
    SOURCES,
    Cache,
    ClassWeights,
    Data,
    Images,
    LabelKind,
    NpyFiles,
    OnUnreadable,
    Tfds,
    TFRecordFiles,
)
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
    "SOURCES",
    "Activation",
    "Augmentation",
    "Backbone",
    "Block",
    "Cache",
    "ClassWeights",
    "Data",
    "EarlyStopping",
    "Fill",
    "Flip",
    "Images",
    "LabelKind",
    "Loss",
    "ModelSpec",
    "NpyFiles",
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
    "TFRecordFiles",
    "Tfds",
    "Training",
    "Watched",
    "resolve",
]


_NUMBERS = (Loss.MEAN_SQUARED_ERROR, Loss.MEAN_ABSOLUTE_ERROR, Loss.HUBER)
_OUTPUT = "data.labels multiLabel needs model.output auto or sigmoid, and regression auto"
_LOSS = (
    "training.loss does not fit data.labels: auto fits all, mean_squared_error, mean_absolute_error"
    " and huber regression, binary_crossentropy a sigmoid output, sparse_categorical_crossentropy"
    " a softmax over the classes of singleLabel"
)
_SMOOTHING = "augmentation.labelSmoothing needs classes, which data.labels regression has not"
_ACCURACY = (
    "training.earlyStopping.metric accuracy needs classes, which data.labels regression has not;"
    " take loss"
)
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
            rule(
                "self.data.labels == 'singleLabel' || self.model.output == 'auto' ||"
                " (self.data.labels == 'multiLabel' && self.model.output == 'sigmoid')",
                _OUTPUT,
            ),
            rule(
                "self.training.loss == 'auto' || ((self.training.loss in ["
                + ", ".join(f"'{loss}'" for loss in _NUMBERS)
                + "]) == (self.data.labels == 'regression') && (self.data.labels != 'multiLabel' ||"
                " self.training.loss == 'binary_crossentropy'))",
                _LOSS,
            ),
            rule(
                "self.data.labels != 'regression' || self.augmentation.labelSmoothing == 0.0",
                _SMOOTHING,
            ),
            rule(
                "self.data.labels != 'regression' || ((!has(self.training.earlyStopping) ||"
                " self.training.earlyStopping.metric != 'accuracy') &&"
                " (!has(self.training.phases) || self.training.phases.all(phase,"
                " !has(phase.earlyStopping) || phase.earlyStopping.metric != 'accuracy')))",
                _ACCURACY,
            ),
        ]
    },
):
    """Training on images described in data, no code."""

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

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        labels, loss = self.data.labels, self.training.loss
        regression, multi = labels is LabelKind.REGRESSION, labels is LabelKind.MULTI_LABEL
        fitting = {Output.AUTO, Output.SIGMOID} if multi else {Output.AUTO}
        if (regression or multi) and self.model.output not in fitting:
            raise ValueError(_OUTPUT)
        if loss is not Loss.AUTO and (
            (loss in _NUMBERS) != regression or (multi and loss is not Loss.BINARY_CROSSENTROPY)
        ):
            raise ValueError(_LOSS)
        if regression and self.augmentation.label_smoothing:
            raise ValueError(_SMOOTHING)
        phases = self.training.phases or []
        stops = [self.training.early_stopping, *(phase.early_stopping for phase in phases)]
        if regression and any(stop and stop.metric is Watched.ACCURACY for stop in stops):
            raise ValueError(_ACCURACY)
        return self
