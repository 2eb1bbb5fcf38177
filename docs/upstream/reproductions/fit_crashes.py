"""Two workers: `fit` fails before its first step.

Expected: it trains. Seen: ValueError from `strategy.reduce` in `_maybe_symbolic_build`.
"""

import keras
import numpy as np
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=4)
