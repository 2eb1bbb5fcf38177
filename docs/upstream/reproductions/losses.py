"""Two replicas: losses that are no mean over equally many rows are scaled wrongly.

Expected: the weight that one replica gets. Seen: a loss that returns a scalar has twice the
gradient; a last batch that does not divide evenly another one.
"""

import numpy as np
import tensorflow as tf
from two_replicas import linear


def scalar(y, prediction):
    return tf.reduce_mean(tf.square(prediction - y))


def weight(loss, rows):
    model = linear(loss)
    x = np.array(rows, "float32")[:, None]
    model.fit(x, np.zeros_like(x), batch_size=4, shuffle=False, verbose=0)
    return round(float(model.get_weights()[0][0, 0]), 4)


print("mean over rows, expected 0.8:", weight("mse", [1, 1, 1, 1]))
print("a scalar, expected 0.8:", weight(scalar, [1, 1, 1, 1]))
print("three rows at the end, expected 0.48:", weight("mse", [1, 1, 1, 1, 1, 1, 2]))
