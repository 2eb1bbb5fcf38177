"""Whether the layers of a recipe fit each other and the data: arithmetic on shapes, no Keras."""

from kubefit.api.recipe import (
    Backbone,
    Block,
    ImageRecipe,
    LabelKind,
    Loss,
    Output,
    Recipe,
    Speech,
    resolve,
)
from kubefit_trainer.failure import ConfigurationError

_MIN_SIDE = {Backbone.INCEPTION_V3: 75, Backbone.INCEPTION_RESNET_V2: 75, Backbone.XCEPTION: 71}
_MIN_SIDE_OF_OTHERS = 32
_MODEL = "spec.recipe.model"
_TRAINING = "spec.recipe.training"


def check(recipe: ImageRecipe, *, classes: int, validates: bool) -> None:
    """Checks the network for data of so many classes, with images for validation or without.

    Raises:
        ConfigurationError: naming the block or field that does not fit.

    """
    if recipe.model.blocks is not None:
        _check_blocks(recipe.model.blocks, recipe.data.image_size)
    else:
        _check_backbone(recipe)
    check_training(recipe, validates=validates)
    _check_output(recipe, classes=classes)


def _check_blocks(blocks: list[Block], image_size: list[int]) -> None:
    side: tuple[int, int] | None = (image_size[0], image_size[1])
    for i, block in enumerate(blocks):
        side = _after(block, side, field=f"{_MODEL}.blocks[{i}]")
    if side is not None:
        raise ConfigurationError(
            f"{_MODEL}.blocks: the last block still gives a map of {side[0]}x{side[1]}; end with"
            " flatten or globalPool so that the output layer sees one vector per image"
        )


def _after(block: Block, side: tuple[int, int] | None, *, field: str) -> tuple[int, int] | None:
    """Height and width after the block; None once the image is a vector."""
    window = block.kernel if block.conv else block.pool
    if window:
        kind = "conv" if block.conv else "pool"
        if side is None:
            raise ConfigurationError(f"{field}: {kind} cannot follow flatten or globalPool")
        if min(side) < window:
            raise ConfigurationError(
                f"{field}: {kind} of {window}x{window} does not fit a map of {side[0]}x{side[1]};"
                " use a larger imageSize, smaller windows or fewer blocks"
            )
        return (
            (side[0] - window + 1, side[1] - window + 1)
            if block.conv
            else (side[0] // window, side[1] // window)
        )
    if block.dense and side is not None:
        raise ConfigurationError(
            f"{field}: dense needs one vector per image, not a map of {side[0]}x{side[1]}; put"
            " flatten or globalPool before it"
        )
    if block.global_pool and side is None:
        raise ConfigurationError(f"{field}: globalPool cannot follow flatten or globalPool")
    return None if block.flatten or block.global_pool else side


def _check_backbone(recipe: ImageRecipe) -> None:
    backbone = recipe.model.backbone
    if backbone is None:
        return
    families = backbone.name is not None and backbone.name.startswith("EfficientNet")
    if backbone.stochastic_depth is not None and not families:
        raise ConfigurationError(
            f"{_MODEL}.backbone.stochasticDepth: {backbone.label} has no branches to leave out;"
            " only the EfficientNet families have"
        )
    if backbone.name is None:
        return
    smallest = _MIN_SIDE.get(backbone.name, _MIN_SIDE_OF_OTHERS)
    if min(recipe.data.image_size) < smallest:
        raise ConfigurationError(
            f"spec.recipe.data.imageSize: {backbone.name} needs at least {smallest}x{smallest}"
            f" pixels, not {recipe.data.image_size[0]}x{recipe.data.image_size[1]}"
        )
    if recipe.data.channels != 3:
        raise ConfigurationError(
            f"spec.recipe.data.channels: {backbone.name} takes 3 channels; grayscale images are"
            " converted when channels is 3"
        )


def check_training(recipe: Recipe, *, validates: bool) -> None:
    """Checks the phases of any recipe, with samples for validation or without.

    Raises:
        ConfigurationError: naming the field that does not fit.

    """
    given = recipe.training.phases is not None
    for i, phase in enumerate(resolve(recipe, validates=validates).training.phases or []):
        field = f"{_TRAINING}.phases[{i}]" if given else _TRAINING
        if recipe.backbone is None and phase.unfreeze != "all":
            raise ConfigurationError(
                f"{field}.unfreeze: a network of blocks has no backbone to freeze; leave it out"
            )
        if phase.early_stopping is not None and not validates:
            raise ConfigurationError(
                f"{field}.earlyStopping: there are no {recipe.kind} for validation; set"
                f" spec.recipe.{recipe.subject}.validation or validationSplit"
            )
        warmup = phase.schedule.warmup_epochs if phase.schedule else 0.0
        if warmup > phase.epochs:
            raise ConfigurationError(
                f"{field}.schedule.warmupEpochs: {warmup:g} epochs are more than the"
                f" {phase.epochs} of the phase"
            )


def check_hearing(speech: Speech) -> None:
    """Checks that every filter has columns to halve.

    Raises:
        ConfigurationError: naming how many there are.

    """
    filters = speech.network.filters
    if speech.columns < 2 ** len(filters):
        raise ConfigurationError(
            f"spec.recipe.speech.network.filters: {len(filters)} filters need {2 ** len(filters)}"
            f" columns to halve, and {speech.seconds:g} s at {speech.sample_rate} Hz have"
            f" {speech.columns}, one each {speech.step} samples; raise seconds or leave filters out"
        )


def _check_output(recipe: ImageRecipe, *, classes: int) -> None:
    output, loss = recipe.model.output, recipe.training.loss
    if recipe.data.labels is not LabelKind.SINGLE_LABEL:
        return
    if classes < 2:
        raise ConfigurationError(
            f"spec.recipe.data.train: {classes} class is too few; a classifier needs two or more"
        )
    if output is Output.SIGMOID and classes != 2:
        raise ConfigurationError(
            f"{_MODEL}.output: sigmoid needs exactly two classes, the training images have"
            f" {classes}; use softmax"
        )
    binary = Loss.BINARY_CROSSENTROPY
    if loss is binary and output is not Output.SIGMOID:
        raise ConfigurationError(f"spec.recipe.training.loss: {loss} needs {_MODEL}.output sigmoid")
    if loss is Loss.SPARSE_CATEGORICAL_CROSSENTROPY and output is Output.SIGMOID:
        raise ConfigurationError(f"spec.recipe.training.loss: {loss} needs {_MODEL}.output softmax")
