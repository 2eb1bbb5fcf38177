"""Two workers: `mixed_float16` hangs when the gradients of one worker overflow.

Expected: both skip the step and halve the scale. Seen: the worker without an overflow waits in a
collective for the other one, which has skipped it.
"""

import keras
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
rank = strategy.cluster_resolver.task_id
with strategy.scope():
    weight = keras.Variable([1.0])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    optimizer.build([weight])


@tf.function
def step(gradient):
    strategy.run(lambda: optimizer.apply([gradient], [weight]))


step(tf.constant([float("inf") if rank == 1 else 1.0]))
print("worker", rank, "has done its step; scale", float(optimizer.dynamic_scale.numpy()))
