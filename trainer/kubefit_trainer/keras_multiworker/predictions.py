"""`predict`: all rows, in order, on every worker.

Broken: outputs are gathered with one collective for their shapes and one for their rows, in an
order that holds only for the way TensorFlow shards a batch.
Cause: `make_predict_function` and `_multi_worker_concat` in
keras/src/backend/tensorflow/trainer.py.
Upstream: https://github.com/keras-team/keras/issues/20585
Instead: every replica predicts its rows of a global batch, and their places in the batch put them
together again. Different batches on different workers are found as in training.
"""

from typing import Any

import tensorflow as tf
from keras.src import tree
from keras.src.backend.tensorflow import trainer as tf_trainer

from kubefit_trainer.keras_multiworker import agreement, cluster, seeds, shares, watchdog
from kubefit_trainer.keras_multiworker import step as steps
from kubefit_trainer.keras_multiworker.errors import UnsupportedProgramError
from kubefit_trainer.keras_multiworker.iterators import Drawn
from kubefit_trainer.keras_multiworker.patching import Patch, Target


def _apply() -> None:
    owner = tf_trainer.TensorFlowTrainer
    original = owner.make_predict_function

    def make_predict_function(self: Any, force: bool = False) -> Any:
        if not cluster.is_ours(self.distribute_strategy):
            return original(self, force)
        if self.predict_function is None or force:
            self.predict_function = _PredictFunction(self)
        return self.predict_function

    owner.make_predict_function = make_predict_function


class _PredictFunction:
    """What Keras calls `predict_function`: takes a list of global batches, as shares or whole."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._strategy = model.distribute_strategy
        self._step = model._autoconvert_optionals(model.predict_step)
        self._one = self._predict
        if not model.run_eagerly:
            self._one = tf.function(self._predict, reduce_retracing=True, autograph=False)

    def __call__(self, data: list[Any]) -> Any:
        with watchdog.inside("a predict step"):
            outputs = [self._batch(one) for one in data]
        if len(outputs) == 1:
            return outputs[0]
        return tree.map_structure(lambda *parts: tf.concat(parts, 0), *outputs)

    def _batch(self, data: Any) -> Any:
        more = float(getattr(data, "more", True))
        outputs, note = self._one(self._shares(data), tf.constant([more]))
        agreement.check_batches(tf.stack([note[1:]]), self._strategy)
        agreement.check_more(more, note[0], self._strategy)
        return outputs

    def _shares(self, data: Any) -> Any:
        if isinstance(data, Drawn):
            return tuple(data)
        first, local, replicas = cluster.replicas(self._strategy)
        data = tree.map_structure(lambda x: None if x is None else tf.convert_to_tensor(x), data)
        return tuple(shares.share_of(data, first + i, replicas) for i in range(local))

    def _predict(self, element: Any, more: Any) -> Any:
        replica = seeds.with_generator(self._replica)
        gathered = self._strategy.run(replica, args=(element, more))
        return tree.map_structure(
            lambda value: self._strategy.experimental_local_results(value)[0], gathered
        )

    def _replica(self, element: Any, more: Any) -> Any:
        first, _, replicas = cluster.replicas(self._strategy)
        local = cluster.local_replica_id()
        data, note = element[local]
        step = steps.Step(
            rows=shares.rows_of(note),
            known_total=shares.total_of(note),
            replica=first + local,
            replicas=replicas,
        )
        with steps.entered(step):
            outputs = self._step(data)
        signs = tf.concat([more, shares.signs_of(note)], 0)
        if replicas == 1:
            return outputs, signs
        agreed = steps.all_sum([signs])[0]
        return tree.map_structure(lambda output: _in_order(output, step), outputs), agreed


def _in_order(output: Any, step: steps.Step) -> Any:
    """Rows of all replicas in the order of the global batch."""
    if not isinstance(output, tf.Tensor) or output.shape.rank == 0:
        raise UnsupportedProgramError(
            "predict on several workers needs outputs that are dense tensors with a batch "
            "dimension; convert ragged, sparse or scalar outputs inside predict_step"
        )
    context = tf.distribute.get_replica_context()
    mine = output[: tf.cast(step.rows, tf.int32)]
    if step.known_total is None:
        # Rows that the program cut itself come in the order of the workers.
        return _unknown_rows(context.all_gather(mine, 0), output)
    total = tf.cast(step.known_total, tf.int32)
    slots = (total + step.replicas - 1) // step.replicas
    fill = tf.concat([[slots - tf.shape(mine)[0]], tf.shape(output)[1:]], 0)
    gathered = context.all_gather(tf.concat([mine, tf.zeros(fill, output.dtype)], 0), 0)
    inner = tf.shape(output)[1:]
    by_replica = tf.reshape(gathered, tf.concat([[step.replicas, slots], inner], 0))
    order = [1, 0, *range(2, by_replica.shape.rank)]
    in_turn = tf.reshape(tf.transpose(by_replica, order), tf.concat([[-1], inner], 0))
    return _unknown_rows(in_turn[:total], output)


def _unknown_rows(value: Any, like: Any) -> Any:
    value.set_shape([None, *like.shape[1:]])
    return value


PATCH = Patch(
    name="predictions",
    targets=(
        Target(
            owner=tf_trainer.TensorFlowTrainer,
            name="make_predict_function",
            parameters=("self", "force"),
        ),
    ),
    apply=_apply,
)
