"""Two workers: saving on one worker hangs inside the strategy's scope until the other saves too.

Expected: worker 0 writes a file at once. Seen: it has not before worker 1, ten seconds later, saves
a file of its own; for `saving_lib` makes an optimizer to learn its attributes, whose variables are
broadcast between the workers.
"""

import tempfile
import threading
import time

import keras
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
rank = strategy.cluster_resolver.task_id
with strategy.scope():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    if rank == 1:
        threading.Event().wait(10)
    print("worker", rank, "begins to save:", time.monotonic(), flush=True)
    model.save(f"{tempfile.mkdtemp()}/model.keras")
    print("worker", rank, "has saved:", time.monotonic(), flush=True)
