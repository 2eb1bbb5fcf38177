"""Two workers write one file: BlockingIOError on one of them, or a file that both have torn.

Expected: one writer. Seen, when the writes meet: "unable to lock file". Same cause:
ModelCheckpoint, BackupAndRestore, CSVLogger and TensorBoard write on every worker.
"""

import os
import tempfile

import keras
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    model = keras.Sequential([keras.Input((2000,)), keras.layers.Dense(2000)])
for _ in range(20):
    # All come here at the same moment.
    strategy.run(lambda: tf.distribute.get_replica_context().all_reduce("SUM", tf.ones(())))
    model.save_weights(os.path.join(tempfile.gettempdir(), "shared.weights.h5"))
print("worker", strategy.cluster_resolver.task_id, "has written 20 times")
