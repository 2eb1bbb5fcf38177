"""Two replicas: several steps per execution put a collective in a cond in a while loop.

Expected: it trains. Seen: an error of the graph.
"""

import numpy as np
from two_replicas import linear

model = linear(steps_per_execution=2)
try:
    model.fit(np.ones((8, 1)), np.zeros((8, 1)), batch_size=2, verbose=0)
    print("trained")
except Exception as error:
    print(type(error).__name__, str(error).splitlines()[0])
