"""Two workers: saving on the chief alone hangs inside the strategy's scope.

Expected: the chief writes a file. Seen: `saving_lib` makes an optimizer to learn its attributes,
whose variables are broadcast to workers that are not there.
"""

import tempfile
import threading

import keras
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
rank = strategy.cluster_resolver.task_id
with strategy.scope():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    if rank == 0:
        model.save(f"{tempfile.mkdtemp()}/model.keras")
        print("worker 0 has saved")
    else:
        threading.Event().wait()
