"""Two workers: of a shuffled array some rows are seen twice in an epoch and some never.

Expected: all 16 rows on one worker or the other. Seen: each worker shuffles in another order and
takes its positions of it.
"""

import numpy as np
import tensorflow as tf
from keras.src.trainers.data_adapters.array_data_adapter import ArrayDataAdapter

strategy = tf.distribute.MultiWorkerMirroredStrategy()
adapter = ArrayDataAdapter(np.arange(16.0), batch_size=4, shuffle=True)
seen = []
for batch in strategy.experimental_distribute_dataset(adapter.get_tf_dataset()):
    (rows,) = strategy.experimental_local_results(batch)
    seen += rows.numpy().astype(int).tolist()
print("worker", strategy.cluster_resolver.task_id, "sees", sorted(seen))
