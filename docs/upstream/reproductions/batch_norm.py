"""Two replicas: each keeps moving statistics of its own rows; the first one's are saved.

Expected: the moving mean of all rows, 0.5. Seen: one of 0.0 and one of 1.0, and 0.0 in the weights.
"""

import keras
import numpy as np
import tensorflow as tf
from two_replicas import strategy

with strategy.scope():
    norm = keras.layers.BatchNormalization(momentum=0.0)
    model = keras.Sequential([keras.Input((1,)), norm])
    model.compile("sgd", "mse")
x = np.array([[0], [0], [1], [1]], "float32")
model.fit(x, x, batch_size=4, shuffle=False, verbose=0)
values = strategy.experimental_local_results(norm.moving_mean.value)
print("by replica:", [float(tf.squeeze(value)) for value in values])
print("in the weights:", float(norm.get_weights()[2][0]))
