"""BatchNormalization by TensorFlow's fused kernel, with the numbers of Keras.

Slow: Keras composes the layer of separate operations, each a pass over the activations, where
TensorFlow has one kernel; without XLA that is most of the time of a MobileNet on a CPU.
Cause: `BatchNormalization.call` in keras/src/layers/normalization/batch_normalization.py.
Instead: the fused kernel where it computes the same: float32, channels last, no mask, no renorm,
not synchronized. Its batch variance is the unbiased one, n / (n - 1) of the one that Keras keeps,
n = rows x height x width; it is multiplied back. Everywhere else Keras does what it does.
`KERAS_MULTIWORKER_FUSED=0` turns it off.
"""

from typing import Any

import tensorflow as tf
from keras.src import backend
from keras.src.layers.normalization.batch_normalization import BatchNormalization

from kubefit_trainer.keras_multiworker import switches
from kubefit_trainer.keras_multiworker.patching import Patch, Target


def _apply() -> None:
    original = BatchNormalization.call

    def call(self: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if mask is not None or not _fusible(self, inputs, training):
            return original(self, inputs, training, mask)
        return _fused(self, inputs, bool(training and self.trainable))

    BatchNormalization.call = call


def _fusible(layer: Any, inputs: Any, training: Any) -> bool:
    return (
        switches.fused()
        and isinstance(inputs, tf.Tensor)
        and inputs.dtype == tf.float32
        and layer.compute_dtype == "float32"
        and inputs.shape.rank in (2, 3, 4, 5)
        and layer.axis % inputs.shape.rank == inputs.shape.rank - 1
        and not (layer.renorm or layer.synchronized)
        and (training is None or isinstance(training, bool | int))
        and not backend.in_stateless_scope()
    )


def _fused(layer: Any, inputs: Any, training: bool) -> Any:
    channels = inputs.shape[-1]
    images = inputs
    if inputs.shape.rank != 4:
        images = tf.reshape(inputs, [-1, 1, 1, channels])
    mean, variance = tf.zeros([0]), tf.zeros([0])
    if not training:
        mean = tf.convert_to_tensor(layer.moving_mean.value)
        variance = tf.convert_to_tensor(layer.moving_variance.value)
    outputs, batch_mean, unbiased, *_ = tf.raw_ops.FusedBatchNormV3(
        x=images,
        scale=tf.convert_to_tensor(layer.gamma.value) if layer.scale else tf.ones([channels]),
        offset=tf.convert_to_tensor(layer.beta.value) if layer.center else tf.zeros([channels]),
        mean=mean,
        variance=variance,
        epsilon=layer.epsilon,
        is_training=training,
    )
    if training:
        count = tf.cast(tf.size(images) // channels, tf.float32)
        # The moving statistics are no function that anyone differentiates.
        batch_mean = tf.stop_gradient(batch_mean)
        batch_variance = tf.stop_gradient(unbiased) * ((count - 1.0) / count)
        keep = layer.momentum
        layer.moving_mean.assign(layer.moving_mean * keep + batch_mean * (1.0 - keep))
        layer.moving_variance.assign(layer.moving_variance * keep + batch_variance * (1.0 - keep))
    if inputs.shape.rank != 4:
        outputs = tf.reshape(outputs, tf.shape(inputs))
    outputs.set_shape(inputs.shape)
    return outputs


PATCH = Patch(
    name="fused_batch_norm",
    targets=(
        Target(
            owner=BatchNormalization,
            name="call",
            parameters=("self", "inputs", "training", "mask"),
        ),
    ),
    apply=_apply,
)
