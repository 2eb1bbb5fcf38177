"""Two replicas: gradient accumulation, and averages that overwrite, put a merge_call in a cond.

Expected: they train. Seen: RuntimeError for both.
"""

import numpy as np
from two_replicas import linear

for arguments in (
    {"gradient_accumulation_steps": 2},
    {"use_ema": True, "ema_overwrite_frequency": 2},
):
    model = linear(**arguments)
    try:
        model.fit(np.ones((4, 1)), np.zeros((4, 1)), batch_size=2, verbose=0)
        print(arguments, "trained")
    except Exception as error:
        print(arguments, type(error).__name__, str(error).splitlines()[0])
