"""Two workers: reducing the metrics of a step.

Expected: 2.0 for "mean", 4.0 for "sum". Seen: ValueError for "mean", because `axis=0` of a scalar
is asked for; TypeError for "sum", because `reduce` has no default for `axis`.
"""

import tensorflow as tf
from keras.src.backend.tensorflow.trainer import reduce_per_replica

strategy = tf.distribute.MultiWorkerMirroredStrategy()
value = strategy.run(lambda: tf.constant(2.0))
for reduction in ("mean", "sum"):
    try:
        print(reduction, reduce_per_replica({"loss": value}, strategy, reduction))
    except Exception as error:
        print(reduction, type(error).__name__, error)
