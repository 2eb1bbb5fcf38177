"""`spec.recipe.preset`: what a recipe leaves open, filled in. Pure; explicit fields always win."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from kubefit.api.base import Model
from kubefit.api.recipe.augmentation import Augmentation, Flip
from kubefit.api.recipe.training import (
    EarlyStopping,
    Optimizer,
    Phase,
    Precision,
    Schedule,
    ScheduleKind,
    Training,
)

if TYPE_CHECKING:
    from kubefit.api.recipe import Recipe

SomeModel = TypeVar("SomeModel", bound=Model)


class Preset(StrEnum):
    """Defaults for a kind of training."""

    FINE_TUNE = "fineTune"
    """A pretrained backbone on some thousand images: the head, then everything, gently."""
    FROM_SCRATCH = "fromScratch"
    """No pretrained weights: strong augmentation, long cosine, averaged weights."""
    SMALL_DATA = "smallData"
    """A pretrained backbone on some hundred images: the head, then only the last blocks."""


_COSINE = Schedule(kind=ScheduleKind.COSINE, warmup_epochs=0.5, floor=0.01)

_PLAIN: dict[str, object] = {
    "optimizer": Optimizer.ADAM,
    "learning_rate": 0.001,
    "layer_decay": 1.0,
    "schedule": Schedule(),
    "precision": Precision.FLOAT32,
}
_TRAINING: dict[Preset, dict[str, object]] = {
    Preset.FINE_TUNE: {
        "optimizer": Optimizer.ADAMW,
        "layer_decay": 0.8,
        "schedule": _COSINE,
        "weight_decay": 0.05,
        "clip_norm": 1.0,
        "early_stopping": EarlyStopping(patience=5),
        "precision": Precision.AUTO,
    },
    Preset.FROM_SCRATCH: {
        "optimizer": Optimizer.ADAMW,
        "schedule": Schedule(kind=ScheduleKind.COSINE, warmup_epochs=1.0, floor=0.001),
        "weight_decay": 0.05,
        "clip_norm": 1.0,
        "ema_epochs": 1.0,
        "precision": Precision.AUTO,
    },
    Preset.SMALL_DATA: {
        "optimizer": Optimizer.ADAMW,
        "layer_decay": 0.7,
        "schedule": _COSINE,
        "weight_decay": 0.1,
        "clip_norm": 1.0,
        "early_stopping": EarlyStopping(patience=10),
        "precision": Precision.AUTO,
    },
}
_DROPOUT = {Preset.FINE_TUNE: 0.2, Preset.FROM_SCRATCH: 0.2, Preset.SMALL_DATA: 0.5}
_AUGMENTATION = {
    Preset.FINE_TUNE: Augmentation(flip=Flip.HORIZONTAL, rotation=10, zoom=0.1, contrast=0.1),
    Preset.FROM_SCRATCH: Augmentation(
        flip=Flip.HORIZONTAL, rotation=15, zoom=0.2, translation=0.1, contrast=0.2
    ),
    Preset.SMALL_DATA: Augmentation(
        flip=Flip.HORIZONTAL, rotation=20, zoom=0.2, translation=0.1, contrast=0.2
    ),
}
_HEAD_SHARE = {Preset.FINE_TUNE: 0.3, Preset.SMALL_DATA: 0.5}
_LATER = {Preset.FINE_TUNE: ("all", 0.3), Preset.SMALL_DATA: ("2 blocks", 0.1)}
"""What the phase after that of the head unfreezes, and its share of the learning rate."""


def resolve(recipe: "Recipe", *, validates: bool | None = None) -> "Recipe":
    """The same recipe with its preset's defaults written out; training is a list of phases.

    A phase says all that a phase can say, except what is switched off. Resolving again changes
    nothing. `validates` tells whether there are images for validation where the recipe does not
    say it, but the manifest.
    """
    preset = recipe.preset
    backbone = recipe.backbone
    pretrained = backbone is not None and backbone.pretrained
    training = _filled(recipe.training, _TRAINING[preset] if preset else {})
    if validates is None:
        validates = recipe.samples.validates
    if not validates and recipe.training.early_stopping is None:
        training = training.model_copy(update={"early_stopping": None})
    training = _filled(training, _PLAIN)
    decay = 0.004 if training.optimizer is Optimizer.ADAMW else 0.0
    training = _filled(training, {"weight_decay": decay})
    model = recipe.model
    if backbone is not None:
        backbone = _filled(backbone, {"dropout": _DROPOUT[preset] if preset else 0.2})
        if backbone.name is not None:
            backbone = _filled(backbone, {"weights": "imagenet"})
        model = model and model.model_copy(update={"backbone": backbone})
    augmentation = recipe.augmentation
    if preset and augmentation == Augmentation():
        augmentation = _AUGMENTATION[preset]
    return recipe.model_copy(
        update={
            "model": model,
            "augmentation": augmentation,
            "training": training.model_copy(
                update={"epochs": None, "phases": _phases(training, preset, pretrained=pretrained)}
            ),
        }
    )


def _filled(model: SomeModel, defaults: Mapping[str, object]) -> SomeModel:
    return model.model_copy(
        update={name: value for name, value in defaults.items() if getattr(model, name) is None}
    )


def _phases(training: Training, preset: Preset | None, *, pretrained: bool) -> list[Phase]:
    common = {
        "unfreeze": training.unfreeze or ("none" if pretrained else "all"),
        "learning_rate": training.learning_rate,
        "layer_decay": training.layer_decay,
        "schedule": training.schedule,
        "early_stopping": training.early_stopping,
    }
    if training.phases is not None:
        return [_filled(phase, common) for phase in training.phases]
    epochs = training.epochs or 1
    if preset not in _LATER or not pretrained or training.unfreeze is not None or epochs == 1:
        return [_filled(Phase(epochs=epochs), common)]
    head = max(1, round(epochs * _HEAD_SHARE[preset]))
    unfreeze, share = _LATER[preset]
    rate = training.learning_rate
    rate = rate * share if isinstance(rate, float) else rate
    later = Phase(epochs=epochs - head, unfreeze=unfreeze, learning_rate=rate)
    return [_filled(Phase(epochs=head), common), _filled(later, common)]
