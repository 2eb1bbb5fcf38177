"""Programs that go wrong on one worker only: failing.py HOW FOLDER."""

import json
import os
import sys

import numpy as np
import tensorflow as tf

rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
x = np.ones((24, 4), "float32")
model = tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
model.fit(x, x[:, :1], batch_size=12, verbose=0)
model.save(f"{sys.argv[2]}/model.keras")
if rank == 1 and sys.argv[1] == "last":
    raise ValueError("deliberate")
if rank == 0 and sys.argv[1] == "apart":
    model = tf.keras.models.load_model(f"{sys.argv[2]}/model.keras")
model.fit(x, x[:, :1], batch_size=12, verbose=0)
