"""What one worker knows, told to others: weights that the chief alone has read, and texts.

Files are read once, whatever the number of workers. Afterwards every worker compares the checksum
of what it holds with the chief's.
"""

import hashlib
import itertools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kubefit_trainer.keras_multiworker import cluster, coordination, meeting, watchdog
from kubefit_trainer.keras_multiworker.errors import MultiWorkerError
from kubefit_trainer.keras_multiworker.step import all_sum

_LATEST_SECONDS = 24 * 3600.0
_rounds = itertools.count()


def text_from_chief(
    text: str, what: str = "a text for all workers", *, timeout_seconds: float | None = None
) -> str:
    """The chief's text on every worker; all must call it, the others with anything.

    `what` is that text in words, for the error where the chief does not come within
    `timeout_seconds`, or else as long as a worker waits for another one.

    Raises:
        DifferentProgramError: the chief does not come to it.
        PeerFailedError: a worker has failed.

    """
    if coordination.alone():
        return text
    key = f"text/{next(_rounds)}"
    if cluster.member().chief:
        coordination.publish(key, text)
        return text
    return meeting.hear(key, 0, what, timeout_seconds)


def texts_of_all(text: str, what: str) -> list[str]:
    """The text of every worker, by rank, on every worker; all must call it.

    `what` names the occasion to people. Who comes later is waited for as long as it lives.
    """
    if coordination.alone():
        return [text]
    number = next(_rounds)
    member = cluster.member()
    coordination.publish(f"texts/{number}/{member.rank}", text)
    return [
        meeting.hear(f"texts/{number}/{rank}", rank, what, _LATEST_SECONDS)
        for rank in range(member.workers)
    ]


def weights_from_chief(model: Any) -> str:
    """Gives every worker the chief's weights of a built model, and compares checksums.

    All workers must call it, with the same model. Returns the SHA-256 of the weights.

    Raises:
        MultiWorkerError: this worker's weights are not the chief's afterwards.

    """
    variables = [weight.value for weight in _numbers(model)]
    if not coordination.alone() and variables:
        for variable, value in zip(variables, _sent(variables), strict=True):
            variable.assign(value)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            # It computes with copies of its weights.
            layer.finalize_state()
    digest = checksum(model)
    chiefs = text_from_chief(digest, f"the checksum of the weights of {model.name!r}")
    if digest != chiefs:
        raise MultiWorkerError(
            f"rank {cluster.member().rank} holds other weights of {model.name!r} than the chief"
            f" (SHA-256 {digest[:12]}, the chief's {chiefs[:12]}); start the job again"
        )
    return digest


def checksum(model: Any) -> str:
    """SHA-256 of the weights of a model, in their order; texts among them are left out."""
    digest = hashlib.sha256()
    for weight in _numbers(model):
        digest.update(np.ascontiguousarray(weight.numpy()).tobytes())
    return digest.hexdigest()


def _numbers(model: Any) -> list[Any]:
    return [weight for weight in model.weights if weight.dtype != "string"]


def _sent(variables: list[Any]) -> list[Any]:
    strategy = cluster.strategy()
    first = cluster.replicas(strategy)[0]

    def send() -> Any:
        def replica() -> list[Any]:
            speaks = first + cluster.local_replica_id() == 0
            return all_sum(
                [
                    _summable(tf.convert_to_tensor(v) if speaks else tf.zeros(v.shape, v.dtype))
                    for v in variables
                ]
            )

        return strategy.run(replica)

    with strategy.scope(), watchdog.inside("the sending of weights"):
        received = tf.function(send, autograph=False)()
    return [
        tf.cast(strategy.experimental_local_results(value)[0], variable.dtype)
        for value, variable in zip(received, variables, strict=True)
    ]


def _summable(value: Any) -> Any:
    """Collectives know no booleans and few integers."""
    return value if value.dtype.is_floating else tf.cast(value, tf.int64)
