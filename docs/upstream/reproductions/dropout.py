"""Two workers: all draw the same dropout mask, for a seed's state is broadcast by the chief.

Expected: different masks. Seen: the same ones.
"""

import keras
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    layer = keras.layers.Dropout(0.5)
mask = strategy.run(lambda: layer(tf.ones((1, 24)), training=True))
print("worker", strategy.cluster_resolver.task_id, (mask.numpy() > 0).astype(int)[0])
