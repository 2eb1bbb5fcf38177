"""Optimizer updates by TensorFlow's kernels, with the numbers of Keras.

Slow: an update in Keras is a dozen passes over every weight, where TensorFlow has one kernel.
Cause: `update_step` of the optimizers in keras/src/optimizers.
Instead: the kernel with the same formula, for dense float32 gradients and variables. Optimizers
without one (RMSprop without momentum, Adagrad, Nadam, Ftrl, Lion, ...), sparse gradients and other
dtypes do what Keras does. Decay, clipping, accumulation and averages happen outside and stay.
`KERAS_MULTIWORKER_FUSED=0` turns it off.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import optimizers
from keras.src import backend

from kubefit_trainer.keras_multiworker import switches
from kubefit_trainer.keras_multiworker.patching import Patch, Target

_Kernel = Callable[[Any, int, Any, Any, Any], bool]


def _apply() -> None:
    for owner, kernel in _KERNELS.items():
        _wrap(owner, kernel)


def _wrap(owner: Any, kernel: _Kernel) -> None:
    original = owner.update_step

    def update_step(self: Any, gradient: Any, variable: Any, learning_rate: Any) -> None:
        if _fusible(gradient, variable):
            index = self._get_variable_index(variable)
            rate = tf.cast(tf.convert_to_tensor(learning_rate), tf.float32)
            if kernel(self, index, _handle(variable), gradient, rate):
                return
        original(self, gradient, variable, learning_rate)

    owner.update_step = update_step


def _fusible(gradient: Any, variable: Any) -> bool:
    return (
        switches.fused()
        and isinstance(gradient, tf.Tensor)
        and gradient.dtype == tf.float32
        and backend.standardize_dtype(variable.dtype) == "float32"
        and not backend.in_stateless_scope()
    )


def _handle(variable: Any) -> Any:
    return (variable.value if isinstance(variable, backend.Variable) else variable).handle


def _power(base: float, optimizer: Any) -> Any:
    step = tf.cast(tf.convert_to_tensor(optimizer.iterations) + 1, tf.float32)
    return tf.pow(tf.constant(base), step)


def _sgd(self: Any, index: int, variable: Any, gradient: Any, rate: Any) -> bool:
    if self.momentum == 0:
        tf.raw_ops.ResourceApplyGradientDescent(var=variable, alpha=rate, delta=gradient)
        return True
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=variable,
        accum=_handle(self.momentums[index]),
        lr=rate,
        grad=gradient,
        momentum=tf.constant(self.momentum, tf.float32),
        use_nesterov=self.nesterov,
    )
    return True


def _adam(self: Any, index: int, variable: Any, gradient: Any, rate: Any) -> bool:
    arguments = {
        "var": variable,
        "m": _handle(self._momentums[index]),
        "v": _handle(self._velocities[index]),
        "beta1_power": _power(self.beta_1, self),
        "beta2_power": _power(self.beta_2, self),
        "lr": rate,
        "beta1": tf.constant(self.beta_1, tf.float32),
        "beta2": tf.constant(self.beta_2, tf.float32),
        "epsilon": tf.constant(self.epsilon, tf.float32),
        "grad": gradient,
    }
    if self.amsgrad:
        vhat = _handle(self._velocity_hats[index])
        tf.raw_ops.ResourceApplyAdamWithAmsgrad(vhat=vhat, **arguments)
    else:
        tf.raw_ops.ResourceApplyAdam(**arguments)
    return True


def _adamax(self: Any, index: int, variable: Any, gradient: Any, rate: Any) -> bool:
    tf.raw_ops.ResourceApplyAdaMax(
        var=variable,
        m=_handle(self._m[index]),
        v=_handle(self._u[index]),
        beta1_power=_power(self.beta_1, self),
        lr=rate,
        beta1=tf.constant(self.beta_1, tf.float32),
        beta2=tf.constant(self.beta_2, tf.float32),
        epsilon=tf.constant(self.epsilon, tf.float32),
        grad=gradient,
    )
    return True


def _adadelta(self: Any, index: int, variable: Any, gradient: Any, rate: Any) -> bool:
    tf.raw_ops.ResourceApplyAdadelta(
        var=variable,
        accum=_handle(self._accumulated_grads[index]),
        accum_update=_handle(self._accumulated_delta_vars[index]),
        lr=rate,
        rho=tf.constant(self.rho, tf.float32),
        epsilon=tf.constant(self.epsilon, tf.float32),
        grad=gradient,
    )
    return True


def _rmsprop(self: Any, index: int, variable: Any, gradient: Any, rate: Any) -> bool:
    if self.momentum == 0 or self.centered:
        return False
    tf.raw_ops.ResourceApplyRMSProp(
        var=variable,
        ms=_handle(self._velocities[index]),
        mom=_handle(self._momentums[index]),
        lr=rate,
        rho=tf.constant(self.rho, tf.float32),
        momentum=tf.constant(self.momentum, tf.float32),
        epsilon=tf.constant(self.epsilon, tf.float32),
        grad=gradient,
    )
    return True


_KERNELS: dict[Any, _Kernel] = {
    optimizers.SGD: _sgd,
    optimizers.Adam: _adam,
    optimizers.Adamax: _adamax,
    optimizers.Adadelta: _adadelta,
    optimizers.RMSprop: _rmsprop,
}

PATCH = Patch(
    name="fused_optimizers",
    targets=tuple(Target(owner=owner, name="update_step") for owner in _KERNELS),
    apply=_apply,
)
