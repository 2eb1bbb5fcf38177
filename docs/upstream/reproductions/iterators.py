"""One process, busy cores: deleting a tf.data iterator sometimes takes seconds.

Expected: milliseconds. Seen: with other processes on the same cores, some deletions wait for the
next period of the autotuner, which doubles from 10 ms to 60 s. Takes the number of runs.
"""

import sys
import time

import tensorflow as tf

longest = 0.0
for run in range(int(sys.argv[1]) if sys.argv[1:] else 24):
    data = tf.data.Dataset.range(10**9).map(lambda x: x + 1, num_parallel_calls=2).prefetch(2)
    iterator = iter(data)
    until = time.monotonic() + 0.2 * (run % 6)
    while time.monotonic() < until:
        next(iterator)
    begun = time.monotonic()
    del iterator
    longest = max(longest, time.monotonic() - begun)
print(f"longest deletion: {longest:.2f} s")
