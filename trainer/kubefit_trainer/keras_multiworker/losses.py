"""Losses: the mean over the global batch, whatever a loss does inside.

Broken: Keras divides the reduced loss of each replica by the number of replicas, which is right
for equal local batches only, skips a custom loss that returns a scalar, and makes masked means and
`mean_with_sample_weight` depend on how the valid entries fall on the workers.
Cause: `scale_loss_for_distribution` in keras/src/losses/loss.py.
Upstream: https://github.com/keras-team/keras/issues/19891
Instead: inside a step the loss of a replica stays the plain local mean; the gradient exchange
weighs it by rows. Where a loss is not a mean over rows (`sum`, masks, weighted means), it is
corrected so that the row-weighted mean over replicas is the global value. The losses of single
outputs, which Keras tracks as a plain mean of calls, are weighed by rows likewise.
"""

from typing import Any

import tensorflow as tf
from keras.src import backend
from keras.src.losses import loss as loss_module
from keras.src.metrics import Mean
from keras.src.trainers.compile_utils import CompileLoss

from kubefit_trainer.keras_multiworker import step as steps
from kubefit_trainer.keras_multiworker.patching import Patch, Target


def _apply() -> None:
    scale = loss_module.scale_loss_for_distribution
    unscale = loss_module.unscale_loss_for_distribution
    reduce_weighted = loss_module.reduce_weighted_values

    def scale_loss_for_distribution(value: Any) -> Any:
        return value if steps.current() is not None else scale(value)

    def unscale_loss_for_distribution(value: Any) -> Any:
        return value if steps.current() is not None else unscale(value)

    def reduce_weighted_values(
        values: Any,
        sample_weight: Any = None,
        mask: Any = None,
        reduction: Any = "sum_over_batch_size",
        dtype: Any = None,
    ) -> Any:
        loss = reduce_weighted(values, sample_weight, mask, reduction, dtype)
        step = steps.current()
        if step is None or step.replicas == 1 or backend.standardize_dtype(loss.dtype) == "bool":
            return loss
        return loss * tf.cast(_correction(step, sample_weight, mask, reduction), loss.dtype)

    build = CompileLoss.build

    def build_tracked(self: Any, y_true: Any, y_pred: Any) -> None:
        build(self, y_true, y_pred)
        for metric in self.metrics:
            if type(metric) is Mean:
                metric.__class__ = _OutputLoss

    CompileLoss.build = build_tracked
    loss_module.scale_loss_for_distribution = scale_loss_for_distribution
    loss_module.unscale_loss_for_distribution = unscale_loss_for_distribution
    loss_module.reduce_weighted_values = reduce_weighted_values


class _OutputLoss(Mean):  # type: ignore[misc]
    """Loss of one of several outputs: the mean over the batches, to which a replica adds its part.

    Keras weighs every call alike, as one process has one for each batch.
    """

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:
        step = steps.current()
        if step is not None:
            sample_weight = tf.math.divide_no_nan(step.rows, step.total)
        return super().update_state(values, sample_weight)


def _correction(step: steps.Step, sample_weight: Any, mask: Any, reduction: Any) -> Any:
    """Factor that turns the local value into one whose row-weighted mean is the global value."""
    if reduction == "sum":
        return tf.math.divide_no_nan(step.total, step.rows)
    if reduction == "mean_with_sample_weight" and (sample_weight is not None or mask is not None):
        weight = _weight_sum(sample_weight, mask)
    elif reduction in ("sum_over_batch_size", "mean") and mask is not None:
        weight = _weight_sum(None, mask)
    else:
        return tf.ones(())
    weight = step.mask_empty(weight)
    total_weight, total_rows = steps.all_sum([weight, step.rows])
    return tf.math.divide_no_nan(weight * total_rows, step.rows * total_weight)


def _weight_sum(sample_weight: Any, mask: Any) -> Any:
    weight = tf.ones(())
    if mask is not None:
        weight = tf.cast(tf.convert_to_tensor(mask), tf.float32)
    if sample_weight is not None:
        sample_weight = tf.cast(tf.convert_to_tensor(sample_weight), tf.float32)
        if mask is not None:
            weight, sample_weight = loss_module.squeeze_or_expand_to_same_rank(
                weight, sample_weight
            )
        weight = weight * sample_weight
    return tf.reduce_sum(weight)


PATCH = Patch(
    name="losses",
    targets=(
        Target(owner=loss_module, name="scale_loss_for_distribution", parameters=("value",)),
        Target(owner=CompileLoss, name="build", parameters=("self", "y_true", "y_pred")),
        Target(owner=loss_module, name="unscale_loss_for_distribution", parameters=("value",)),
        Target(
            owner=loss_module,
            name="reduce_weighted_values",
            parameters=("values", "sample_weight", "mask", "reduction", "dtype"),
        ),
    ),
    apply=_apply,
)
