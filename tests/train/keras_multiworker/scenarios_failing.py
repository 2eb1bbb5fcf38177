"""Programs that differ between workers or fail on one of them."""

import os
import signal

import keras
import tensorflow as tf
from scenarios_basic import arrays, dense


def rank():
    return tf.distribute.get_strategy().cluster_resolver.task_id


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


def scenario_other_optimizer(directory):
    x, y = arrays()
    model = dense(keras.optimizers.SGD(0.1, momentum=0.5 if rank() == 1 else 0.9))
    model.fit(x, y, batch_size=10, verbose=0)


def scenario_other_steps(directory):
    x, y = arrays()
    dense().fit(x, y, batch_size=10 if rank() == 0 else 20, verbose=0)
