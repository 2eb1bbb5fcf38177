"""Which layers of a backbone learn in a phase, and how fast.

Depth is counted from the head: `2 blocks` are the two nearest to it. Blocks are those of `blocks`.
"""

import keras

from kubefit_trainer.recipe.blocks import blocks


def unfreeze(base: keras.Model, wanted: str, *, keep_statistics: bool) -> None:
    """Makes the wanted layers of a built model learn and freezes all others.

    Args:
        base: The backbone; its graph stays as it is. Compile again afterwards.
        wanted: `none`, `all`, `3 blocks` or `20 layers`; more than there are means all.
        keep_statistics: Batch normalization stays frozen, and so in inference mode, in layers that
            learn too: the small batches of a fine-tuning would spoil pretrained statistics.

    """
    base.trainable = True
    learning = {id(layer) for layer in _chosen(base, wanted)}
    for layer in base.layers:
        on = id(layer) in learning
        layer.trainable = on
        for inner in layer._flatten_layers():
            if isinstance(inner, keras.layers.Dropout):
                _switch(inner, on=on)
            if isinstance(inner, keras.layers.BatchNormalization) and keep_statistics:
                inner.trainable = False


def _switch(layer: keras.layers.Dropout, *, on: bool) -> None:
    """Dropout and stochastic depth regularize what learns; frozen features go through whole."""
    if not hasattr(layer, "_rate_while_learning"):
        layer._rate_while_learning = layer.rate
    layer.rate = layer._rate_while_learning if on else 0.0


def _chosen(base: keras.Model, wanted: str) -> list[keras.layers.Layer]:
    if wanted == "none":
        return []
    if wanted == "all":
        return list(base.layers)
    count, unit = wanted.split()
    if unit.startswith("block"):
        return [layer for block in blocks(base)[-int(count) :] for layer in block]
    weighted = [layer for layer in base.layers if layer.weights]
    first = weighted[-int(count) :][0] if weighted else None
    layers = list(base.layers)
    return layers[layers.index(first) :] if first is not None else layers


def rates(base: keras.Model, decay: float) -> list[tuple[keras.Variable, float]]:
    """Each weight of the backbone with its share of the learning rate.

    The head has 1; the block next to it `decay`, the one below `decay ** 2`, and so on, as in
    Howard, Ruder: Universal language model fine-tuning (ACL 2018) and Clark et al.: ELECTRA
    (ICLR 2020).
    """
    return [
        (variable, decay**depth)
        for depth, block in enumerate(reversed(blocks(base)), start=1)
        for layer in block
        for variable in layer.trainable_variables
    ]
