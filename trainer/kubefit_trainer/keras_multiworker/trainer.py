"""The step functions of fit and evaluate, and building a model before them.

Broken: `fit` crashes while it builds the model (an eager `reduce` of a PerReplica) and again when
it reduces metrics (`axis=0` on scalars); `steps_per_execution > 1` fails; batch logs are means of
local means, one collective per metric and step; `model.stop_training` set on one worker makes the
others wait for ever.
Cause: `_maybe_symbolic_build`, `reduce_per_replica` and `_make_function` in
keras/src/backend/tensorflow/trainer.py.
Upstream: https://github.com/keras-team/keras/issues/20585,
https://github.com/keras-team/keras/issues/19246
Instead: models are built from the specification of the data, no batch is used up; a step runs with
a step context (see `step`); all metric states of a step, a request to stop and the fingerprint of
the batch are summed in one small collective, and the logs are computed from the summed states, so
that they are those of one process on every worker; several steps per execution run in one loop.
"""

import itertools
from typing import Any

import tensorflow as tf
from keras.src import tree
from keras.src.backend.tensorflow import trainer as tf_trainer
from keras.src.trainers import trainer as base_trainer

from kubefit_trainer.keras_multiworker import (
    agreement,
    asking,
    cluster,
    logs,
    seeds,
    shares,
    waits,
    watchdog,
)
from kubefit_trainer.keras_multiworker import step as steps
from kubefit_trainer.keras_multiworker.iterators import ShareIterator
from kubefit_trainer.keras_multiworker.patching import Patch, Target


def _apply() -> None:
    owner = tf_trainer.TensorFlowTrainer
    make_function = owner._make_function
    symbolic_build = owner._maybe_symbolic_build
    metrics_or_logs = owner._get_metrics_result_or_logs

    def _make_function(self: Any, step_function: Any) -> Any:
        if not cluster.is_ours(self.distribute_strategy):
            return make_function(self, step_function)
        return _StepFunction(self, step_function)

    def _maybe_symbolic_build(self: Any, iterator: Any = None, data_batch: Any = None) -> None:
        if not cluster.is_ours(self.distribute_strategy):
            symbolic_build(self, iterator, data_batch)
            return
        if iterator is not None:
            data_batch = _batch_spec(iterator)
        try:
            with self.distribute_strategy.scope():
                self._symbolic_build(data_batch=data_batch)
        except RuntimeError:
            # A model that only its own train_step can run has built its parts itself.
            if type(self).train_step is owner.train_step:
                raise

    def _get_metrics_result_or_logs(self: Any, logs: Any) -> Any:
        if cluster.is_ours(self.distribute_strategy) and logs:
            for function in (self.train_function, self.test_function):
                if isinstance(function, _StepFunction):
                    function.check()
            return logs
        return metrics_or_logs(self, logs)

    owner._make_function = _make_function
    owner._maybe_symbolic_build = _maybe_symbolic_build
    owner._get_metrics_result_or_logs = _get_metrics_result_or_logs


def _batch_spec(iterator: Any) -> Any:
    """Shapes and dtypes of a global batch, as `_symbolic_build` wants them."""
    return tree.map_structure(
        lambda spec: None if isinstance(spec, tf.OptionalSpec) else spec,
        iterator.source.element_spec,
    )


_made = itertools.count()
_SAID = 2 + len(asking.Request)
"""What a worker says in the collective of a step: stop, more to come, requests."""


class _StepFunction:
    """What Keras calls `train_function` or `test_function`."""

    def __init__(self, model: Any, step_function: Any) -> None:
        self._model = model
        self._strategy = model.distribute_strategy
        self._step = model._autoconvert_optionals(step_function)
        self._several = self._loop
        self._single = self._one_share
        if not model.run_eagerly:
            self._several = tf.function(self._loop, reduce_retracing=True, autograph=False)
            self._single = tf.function(self._one_share, reduce_retracing=True, autograph=False)
        function = getattr(step_function, "__func__", None)
        self._standard = function is tf_trainer.TensorFlowTrainer.train_step
        self._custom = not self._standard and function is not tf_trainer.TensorFlowTrainer.test_step
        self._name = f"a {getattr(step_function, '__name__', 'step').replace('_', ' ')}"
        self._unchecked: list[Any] = []
        self.number = next(_made)
        self.calls = 0

    def __call__(self, iterator: Any) -> Any:
        with watchdog.inside(self._name):
            return self._execute(iterator)

    def _execute(self, iterator: Any) -> Any:
        stop = float(getattr(self._model, "_stop_requested", False))
        if type(iterator) is ShareIterator:
            count = iterator.take(int(self._model.steps_per_execution))
            result, note = self._several(
                iterator.iterator,
                tf.constant(count),
                tf.constant([stop, 1.0, *asking.flags()]),
                iterator.may_be_empty,
            )
        else:
            result, note = self._each(iterator, stop)
        self._after(note)
        return result

    def _each(self, iterator: Any, stop: float) -> Any:
        """Steps on shares or global batches that come from Python, one by one."""
        outcome = None
        drawing = getattr(iterator, "drawing", None) or waits.Stopwatch()
        before = drawing.seconds
        for _ in range(int(self._model.steps_per_execution)):
            try:
                element = next(iterator)
            except StopIteration:
                break
            if not isinstance(iterator, ShareIterator):
                element = self._cut(element)
            more = float(getattr(element, "more", True))
            outcome = self._single(
                tuple(element),
                tf.constant([stop, more, *asking.flags()]),
                True,
                # Of all steps so far: only what is told at the last one is heard.
                tf.constant(drawing.seconds - before, tf.float32),
            )
            agreement.check_more(more, outcome[1][1], self._strategy)
        if outcome is None:
            raise StopIteration
        return outcome

    def _cut(self, data: Any) -> Any:
        """Shares of this process of a global batch of `train_on_batch` or `test_on_batch`."""
        first, local, replicas = cluster.replicas(self._strategy)
        data = tree.map_structure(lambda x: None if x is None else tf.convert_to_tensor(x), data)
        return tuple(shares.share_of(data, first + i, replicas) for i in range(local))

    def _after(self, note: Any) -> None:
        """Acts on what all workers agreed about."""
        self.calls += 1
        first, local, replicas = cluster.replicas(self._strategy)
        note = note.numpy()
        self._unchecked.append(note[_SAID:-replicas])
        stop, _, *requests = note[:_SAID].tolist()
        waited = note[-replicas:].tolist()
        waits.total.data += max(waited[first : first + local])
        waits.total.slowest_data += max(waited)
        if stop > 0:
            object.__setattr__(self._model, "_stop_agreed", True)
        asking.hear(requests)
        if self.calls & (self.calls - 1) == 0 or len(self._unchecked) >= 32:
            self.check()

    def check(self) -> None:
        """Raises `DifferentDataError` if some step's global batch differed between workers."""
        pending, self._unchecked = self._unchecked, []
        if pending:
            agreement.check_batches(tf.stack(pending), self._strategy)

    def _one_share(self, element: Any, said: Any, may_be_empty: bool, waited: Any) -> Any:
        return self._run(lambda share: self._report(share, said, may_be_empty, waited), element)

    def _loop(self, iterator: Any, count: Any, said: Any, may_be_empty: bool) -> Any:
        local = len(self._strategy.extended.worker_devices)
        waited = tf.zeros(())

        # The steps before the last report nothing, so that one collective tells all.
        def body(done: Any, waited: Any) -> Any:
            element, waited = waits.drawn(iterator, local, waited)
            self._run(lambda share: self._silently(share, may_be_empty), element)
            return done + 1, waited

        if self._model.steps_per_execution > 1:
            _, waited = tf.while_loop(
                lambda done, waited: done < count - 1, body, (tf.constant(0), waited)
            )
        element, waited = waits.drawn(iterator, local, waited)
        return self._one_share(element, said, may_be_empty, waited)

    def _silently(self, element: Any, may_be_empty: bool) -> None:
        self._step_on(element, may_be_empty)

    def _run(self, function: Any, element: Any) -> Any:
        outcome = self._strategy.run(seeds.with_generator(function), args=(element,))
        return tree.map_structure(
            lambda value: self._strategy.experimental_local_results(value)[0], outcome
        )

    def _report(self, element: Any, said: Any, may_be_empty: bool, waited: Any) -> Any:
        outcome, step, note = self._step_on(element, may_be_empty)
        # Each replica has a place of its own in the sum, so that all learn of the slowest.
        waits_of_all = tf.one_hot(step.replica, step.replicas) * waited
        agreed = tf.concat([said, shares.signs_of(note), waits_of_all], 0)
        return logs.globally(self._model, outcome, step, agreed, custom=self._custom)

    def _step_on(self, element: Any, may_be_empty: bool) -> Any:
        first, _, replicas = cluster.replicas(self._strategy)
        local = cluster.local_replica_id()
        data, note = element[local]
        step = steps.Step(
            rows=shares.rows_of(note),
            known_total=shares.total_of(note),
            replica=first + local,
            replicas=replicas,
            may_be_empty=may_be_empty,
            scales_loss=self._standard and shares.total_of(note) is not None,
        )
        states = _states(self._model) if may_be_empty else []
        before = [tf.identity(state.value) for state in states]
        with steps.entered(step):
            outcome = self._step(data)
        for state, value in zip(states, before, strict=True):
            state.value.assign(tf.where(step.rows > 0, state.value, value))
        return outcome, step, note


def _states(model: Any) -> list[Any]:
    """Variables that a step on padding must leave as they were: metrics and layer statistics."""
    metrics = list(model.metrics_variables)
    known = {id(variable) for variable in metrics}
    return metrics + [
        variable
        for layer in model._flatten_layers()
        # Those of a synchronized layer come from the rows of all replicas.
        if not getattr(layer, "synchronized", False)
        for variable in layer._non_trainable_variables
        if id(variable) not in known
    ]


PATCH = Patch(
    name="trainer",
    targets=(
        Target(
            owner=tf_trainer.TensorFlowTrainer,
            name="_make_function",
            parameters=("self", "step_function"),
        ),
        Target(
            owner=tf_trainer.TensorFlowTrainer,
            name="_maybe_symbolic_build",
            parameters=("self", "iterator", "data_batch"),
        ),
        Target(
            owner=base_trainer.Trainer,
            name="_get_metrics_result_or_logs",
            parameters=("self", "logs"),
        ),
        Target(
            owner=base_trainer.Trainer,
            name="_symbolic_build",
            parameters=("self", "iterator", "data_batch"),
        ),
    ),
    apply=_apply,
)
