"""The CTC loss (Graves et al., 2006) by TensorFlow's kernel: as Keras' own, ten times as fast.

Keras gives rows of labels to TensorFlow, which then computes by operations for accelerators, step
by step over the time; of sparse labels a kernel takes care, on CPUs.
"""

from typing import Any

import keras
import tensorflow as tf

BLANK = 0


class Ctc(keras.losses.Loss):  # type: ignore[misc]
    """Minus the logarithm of the probability of each transcript, the mean over the samples.

    Of character numbers (batch, longest), filled up with 0, and logits (batch, frames, classes).
    All frames count: what is behind a recording is silence, in which the blank is to be told.
    """

    def __init__(self, name: str = "ctc") -> None:
        super().__init__(name=name, reduction="sum_over_batch_size", dtype="float32")

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sample (batch,)."""
        numbers = tf.cast(y_true, tf.int32)
        rows, frames = tf.shape(y_pred)[0], tf.shape(y_pred)[1]
        # The kernel refuses texts without a character: all frames are to be blank then.
        empty = tf.reduce_all(numbers == BLANK, axis=1)
        first = tf.one_hot(0, tf.shape(numbers)[1], dtype=tf.int32)
        losses = tf.nn.ctc_loss(
            texts(tf.where(empty[:, None], first, numbers)),
            y_pred,
            label_length=None,
            logit_length=tf.fill((rows,), frames),
            logits_time_major=False,
            blank_index=BLANK,
        )
        silent = -tf.reduce_sum(tf.nn.log_softmax(y_pred)[:, :, BLANK], axis=1)
        return tf.where(empty, silent, losses)


def texts(numbers: Any) -> tf.SparseTensor:
    """Rows of numbers (batch, longest) without their blanks."""
    there = tf.cast(numbers != BLANK, tf.int32)
    places = tf.where(there)
    # CTC wants each row to begin at its beginning.
    columns = tf.gather_nd(tf.cumsum(there, axis=1), places) - 1
    places = tf.stack([places[:, 0], tf.cast(columns, tf.int64)], axis=1)
    values = tf.boolean_mask(numbers, there != 0)
    return tf.SparseTensor(places, values, tf.shape(numbers, out_type=tf.int64))
