"""Character error rate while a network learns to write: a metric for every epoch."""

from typing import Any

import keras
import tensorflow as tf

from kubefit_trainer.recipe.speech.ctc import BLANK, texts


class CharacterErrorRate(keras.metrics.Metric):  # type: ignore[misc]
    """Changes for each character that was said, over all samples; as `evaluation.transcripts`.

    Of the likeliest class of each frame. Characters that have no number are not counted here.
    """

    def __init__(self, name: str = "character_error_rate") -> None:
        super().__init__(name=name)
        self._changes = self.add_weight(shape=(), initializer="zeros", name="changes")
        self._characters = self.add_weight(shape=(), initializer="zeros", name="characters")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Counts one batch: numbers (batch, longest), and classes (batch, frames, classes)."""
        said = tf.cast(y_true, tf.int32)
        likeliest = tf.argmax(y_pred, axis=-1, output_type=tf.int32)
        before = tf.pad(likeliest[:, :-1], [[0, 0], [1, 0]])
        heard = tf.where(likeliest == before, BLANK, likeliest)
        changes = tf.edit_distance(texts(heard), texts(said), normalize=False)
        self._changes.assign_add(tf.reduce_sum(changes))
        self._characters.assign_add(tf.reduce_sum(tf.cast(said != BLANK, tf.float32)))

    def result(self) -> Any:
        """Changes for each character."""
        return tf.math.divide_no_nan(self._changes.value, self._characters.value)
