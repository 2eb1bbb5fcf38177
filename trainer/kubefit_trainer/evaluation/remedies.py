"""What to change about a training, a sentence of Markdown each, with the fields of its recipe."""

from kubefit.api.recipe import AUTO, Augmentation, Cache, Precision, Recipe
from kubefit_trainer.evaluation.course import Course


def lower_rate(course: Course) -> str:
    """A smaller learning rate."""
    rates = [p.learning_rate for p in course.recipe.training.phases or []]
    known = [rate for rate in rates if isinstance(rate, float)]
    tenth = f"from {max(known):g} to {max(known) / 10:g}" if known else "to a tenth"
    clip = "" if course.recipe.training.clip_norm else "; `training.clipNorm: 1` helps too"
    return f"Lower `training.learningRate` {tenth}, or let `{AUTO}` find one{clip}."


def find_rate(course: Course) -> str:
    """A learning rate that was found."""
    return (
        f"Let `training.learningRate: {AUTO}` find a rate, as both a far too high and a far too low"
        f" one look like this; then look whether the labels belong to the {course.recipe.kind}."
    )


def train_longer(course: Course) -> str:
    """More epochs."""
    epochs = sum(phase.epochs for phase in course.recipe.training.phases or [])
    return f"Train longer: {2 * epochs} epochs in place of {epochs}."


def look_at_both(course: Course) -> str:
    """A look at the mistakes between two classes."""
    kind = course.recipe.kind
    if course.recipe.data is None:
        return (
            "Look at the worst mistakes among these two: wrong labels are to be put right; else add"
            f" {kind} of both."
        )
    return (
        "Look at the worst mistakes among these two: wrong labels are to be put right; else add"
        " images of both, or a larger `data.imageSize` in which they differ more."
    )


def larger_network(course: Course) -> str:
    """A network that can learn more."""
    if course.recipe.data is None:
        return f"Take a larger `{course.recipe.subject}.network`."
    if course.recipe.backbone is not None:
        return (
            "Let more of the backbone learn (`training.unfreeze`), take a larger one, or a larger"
            " `data.imageSize`."
        )
    return (
        "Take a larger network, or a pretrained `model.backbone`; if augmentation is strong,"
        " weaken it."
    )


def regularise(course: Course) -> str:
    """What keeps a network from learning by heart."""
    recipe, todo = course.recipe, _less_by_heart(course.recipe)
    if not recipe.training.weight_decay:
        todo.append("`training.weightDecay: 0.01`")
    if not any(phase.early_stopping for phase in recipe.training.phases or []):
        todo.append("`training.earlyStopping: {}`")
    if todo:
        return f"Try, in this order: {', '.join(todo)}. More training {recipe.kind} help most."
    stronger = "`augmentation` or dropout" if recipe.data is not None else "dropout"
    return f"Add training {recipe.kind}, strengthen {stronger}, or take a smaller network."


def _less_by_heart(recipe: Recipe) -> list[str]:
    """What of its samples a network of that kind can be kept from learning by heart with."""
    if recipe.text is not None:
        return [] if recipe.text.dropout else ["`text.dropout: 0.3`"]
    if recipe.speech is not None:
        missing = [] if recipe.speech.spec_augment else ["`speech.specAugment: {}`"]
        return missing + (
            [] if recipe.speech.network.dropout else ["`speech.network.dropout: 0.3`"]
        )
    todo = []
    if recipe.augmentation == Augmentation():
        todo.append("`augmentation` (such as `{rotation: 10, zoom: 0.1}`)")
    blocks, backbone = (recipe.model and recipe.model.blocks) or [], recipe.backbone
    if not any(block.dropout for block in blocks) and not (backbone and backbone.dropout):
        where = "`model.backbone.dropout: 0.3`" if backbone else "a block `{dropout: 0.3}`"
        todo.append(f"{where} before the end")
    return todo


def feed(course: Course) -> str:
    """Data that come faster."""
    data, todo = course.recipe.data, []
    if data is None:
        return "Give each worker more CPUs, or take more workers, which share out the reading."
    if data.train.packed is None and data.train.npy is None and data.train.npz is None:
        todo.append("pack the images once at their final size with `kubefit data pack`")
        if data.cache is Cache.NONE:
            todo.append("keep decoded images with `data.cache: memory`")
    todo.append("give each worker more CPUs, or take more workers, which share out the decoding")
    if course.recipe.augmentation.rand_augment is not None:
        todo.append("use fewer operations in `augmentation.randAugment`")
    text = "; ".join(todo)
    return f"{text[0].upper()}{text[1:]}."


def talk_less(course: Course) -> str:
    """Fewer or smaller exchanges."""
    training = course.recipe.training
    text = (
        f"Take a larger `training.globalBatchSize` than {training.images_per_step}, so that there"
        f" are fewer exchanges for as many {course.recipe.kind}"
    )
    if training.precision in (None, Precision.FLOAT32):
        text += "; `KERAS_MULTIWORKER_EXCHANGE=bfloat16` halves what travels"
    return f"{text}; fewer workers with more CPUs each talk less."
