"""Two replicas: clipping acts on the gradient of each replica, before they are summed.

Expected: a step of norm 1.0 at most, as on one replica. Seen: 2.0.
"""

import numpy as np
from two_replicas import linear

model = linear(rate=1.0, global_clipnorm=1.0)
before = model.get_weights()[0]
model.fit(100 * np.ones((4, 1)), np.zeros((4, 1)), batch_size=4, verbose=0)
print("norm of the step:", round(float(np.linalg.norm(model.get_weights()[0] - before)), 3))
