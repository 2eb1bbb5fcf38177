"""The blocks of a network: stretches between the layers through which everything must pass.

A block begins where the graph forks (a residual or inception block) and goes on to the next fork;
what comes before the first is the stem. A network that never forks, such as VGG16, has a block for
each size of its maps, and one for each layer with weights where the size stays the same. This
needs no table of names, so that it holds for any model of the functional API.
"""

from typing import Any

import keras

Operation = Any


def blocks(model: keras.Model) -> list[list[keras.layers.Layer]]:
    """Layers of each block from input to output; each block has weights.

    A model that is no graph of the functional API has a block for each layer with weights.
    """
    graph = getattr(model, "_functional", None) or model
    segments = _segments(list(getattr(graph, "operations", model.layers)))
    starts = [len(segment) > 1 for segment in segments]
    if not any(starts):
        starts = _smaller_maps([segment[0] for segment in segments])
    if not any(starts):
        starts = [True for _ in segments]
    found: list[list[keras.layers.Layer]] = [[]]
    begun = False
    for segment, start in zip(segments, starts, strict=True):
        layers = [operation for operation in segment if _is_layer(operation)]
        begun = begun or start
        if begun and has_weights(layers):
            begun = False
            if has_weights(found[-1]):
                found.append([])
        found[-1] += layers
    return [block for block in found if has_weights(block)]


def has_weights(layers: list[keras.layers.Layer]) -> bool:
    """Whether any of the layers has something to learn or to keep."""
    return any(layer.weights for layer in layers)


def _is_layer(operation: Operation) -> bool:
    return isinstance(operation, keras.layers.Layer)


def _segments(operations: list[Operation]) -> list[list[Operation]]:
    """Cuts a topological order after each operation that no edge passes by."""
    position = {id(operation): i for i, operation in enumerate(operations)}
    reach = [i for i, _ in enumerate(operations)]
    for i, operation in enumerate(operations):
        for node in operation._inbound_nodes:
            for tensor in node.input_tensors:
                source = position.get(id(tensor._keras_history.operation))
                if source is not None:
                    reach[source] = max(reach[source], i)
    segments: list[list[Operation]] = [[]]
    furthest = 0
    for i, operation in enumerate(operations):
        segments[-1].append(operation)
        if furthest <= i:
            segments.append([])
        furthest = max(furthest, reach[i])
    return [segment for segment in segments if segment]


def _smaller_maps(operations: list[Operation]) -> list[bool]:
    """For each operation of a chain whether its maps are smaller than all before."""
    smallest = None
    smaller = []
    for operation in operations:
        shape = operation.output.shape
        side = shape[1] if len(shape) == 4 else None
        smaller.append(bool(side and smallest and side < smallest))
        if side:
            smallest = min(side, smallest or side)
    return smaller
