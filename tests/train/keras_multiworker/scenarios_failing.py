"""Programs that differ between workers or fail on one of them."""

import os
import signal
import sys

import keras
import tensorflow as tf
from scenarios_basic import arrays, dense

from kubefit_trainer import keras_multiworker
from kubefit_trainer.keras_multiworker import coordination, watchdog

watchdog.QUIET_SECONDS = 0.5


def rank():
    return keras_multiworker.rank()


class Fails(keras.callbacks.Callback):
    def __init__(self, on):
        super().__init__()
        self.on = on

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1 and rank() == self.on:
            raise ZeroDivisionError(f"deliberate failure of worker {self.on}")


def scenario_worker_fails(directory):
    x, y = arrays()
    dense().fit(x, y, batch_size=10, epochs=50, verbose=0, callbacks=[Fails(1)])


def scenario_chief_fails(directory):
    x, y = arrays()
    dense().fit(x, y, batch_size=10, epochs=50, verbose=0, callbacks=[Fails(0)])


class Leaves(keras.callbacks.Callback):
    """Ends the program in the middle of fit, as if it were done."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1 and rank() == 1:
            sys.exit(0)


def scenario_worker_leaves(directory):
    x, y = arrays()
    dense().fit(x, y, batch_size=10, epochs=50, verbose=0, callbacks=[Leaves()])


class Freezes(keras.callbacks.Callback):
    """Stops this process with all its threads, as a node that hangs does."""

    def __init__(self, on):
        super().__init__()
        self.on = on

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1 and rank() == self.on:
            os.kill(os.getpid(), signal.SIGSTOP)


def scenario_worker_freezes(directory):
    x, y = arrays()
    dense().fit(x, y, batch_size=10, epochs=50, verbose=0, callbacks=[Freezes(1)])


def scenario_chief_freezes(directory):
    x, y = arrays()
    dense().fit(x, y, batch_size=10, epochs=50, verbose=0, callbacks=[Freezes(0)])


def scenario_pipeline_fails(directory):
    """An error inside the input pipeline, in the middle of an epoch, on one worker only."""
    x, y = arrays()

    def read(index):
        if rank() == 1 and index > 20:
            raise OSError("deliberate failure of worker 1")
        return x[index], y[index]

    def load(index):
        row, label = tf.numpy_function(read, [index], (tf.float32, tf.int32))
        return tf.ensure_shape(row, x.shape[1:]), tf.ensure_shape(label, ())

    data = tf.data.Dataset.range(len(x)).map(load).batch(10)
    dense().fit(data, epochs=50, verbose=0)


def scenario_interrupted(directory):
    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if rank() == 1 and batch == 1:
                raise KeyboardInterrupt("deliberate failure of worker 1")

    x, y = arrays()
    dense().fit(x, y, batch_size=10, epochs=50, verbose=0, callbacks=[Interrupts()])


def scenario_exits(directory):
    """The exit code of one worker's program is not 0."""
    x, y = arrays()
    model = dense()
    if rank() == 1:
        raise SystemExit("deliberate failure of worker 1")
    model.fit(x, y, batch_size=10, epochs=50, verbose=0)


def scenario_chief_alone(directory):
    """`fit` on the chief only, while the other worker's program comes to its end."""
    x, y = arrays()
    model = dense()
    if rank() == 0:
        model.fit(x, y, batch_size=10, verbose=0)


def scenario_other_alone(directory):
    x, y = arrays()
    model = dense()
    if rank() == 1:
        model.fit(x, y, batch_size=10, verbose=0)


def scenario_saves_alone(directory):
    """A save on another worker than the chief, which would wait for the chief's word for ever."""
    model = dense()
    if rank() == 1:
        model.save(directory / "model.keras")


def scenario_never_comes(directory):
    """The other worker lives but is busy with something else."""
    x, y = arrays()
    model = dense()
    if rank() == 1:
        keras_multiworker.barrier()
    model.fit(x, y, batch_size=10, verbose=0)


def scenario_more_variables(directory):
    """One worker makes a variable that the other one never makes."""
    x, y = arrays()
    model = dense()
    if rank() == 1:
        keras.layers.Dense(3).build((None, 4))
    model.fit(x, y, batch_size=10, verbose=0)


def scenario_other_shapes(directory):
    x, y = arrays()
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), keras.layers.Dense(8 + rank()), keras.layers.Dense(3)]
    )
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=10, verbose=0)


def scenario_trains_alone(directory):
    """A loop of the program's own on the chief only."""
    x, y = arrays()
    model = dense()
    model.train_on_batch(x, y)
    if rank() == 0:
        model.train_on_batch(x, y)


def scenario_tests_alone(directory):
    x, y = arrays()
    model = dense()
    if rank() == 1:
        model.test_on_batch(x, y)
    model.fit(x, y, batch_size=10, verbose=0)


def scenario_predicts_alone(directory):
    x, y = arrays()
    model = dense()
    if rank() == 0:
        model.predict_on_batch(x)
    model.train_on_batch(x, y)


def scenario_reads_alone(directory):
    """The state of a metric is the sum of all workers' states, which they must all give."""
    x, y = arrays()
    model = dense()
    model.fit(x, y, batch_size=10, verbose=0)
    if rank() == 0:
        print({metric.name: float(metric.result()) for metric in model.metrics})
    model.evaluate(x, y, verbose=0)


def scenario_loops_longer(directory):
    """A loop of the program's own, of which one worker takes a step more."""
    model = dense()
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step():
        gradients = [tf.ones(weight.shape) for weight in model.trainable_variables]
        optimizer.apply(gradients, model.trainable_variables)

    for _ in range(3 - rank()):
        keras_multiworker.strategy().run(step)


def scenario_evaluates_in_fit(directory):
    """A callback that evaluates on one worker in the midst of an epoch."""
    x, y = arrays()

    class Evaluates(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1 and rank() == 1:
                self.model.evaluate(x, y, verbose=0)

    dense().fit(x, y, batch_size=10, verbose=0, callbacks=[Evaluates()])


def ends_last(slow):
    """One worker works on alone when the other one has ended its program; then it trains."""
    x, y = arrays()
    model = dense()
    model.fit(x, y, batch_size=10, verbose=0)
    if rank() == slow:
        assert coordination.read(f"ended/{1 - slow}", 60)
        with keras_multiworker.outside_strategy():
            alone = dense()
            alone.fit(x, y, batch_size=10, epochs=2, verbose=0)
        print("worked alone to its end", flush=True)
    else:
        raise SystemExit(0)


def scenario_chief_ends_first(directory):
    ends_last(slow=1)


def scenario_chief_ends_last(directory):
    ends_last(slow=0)
