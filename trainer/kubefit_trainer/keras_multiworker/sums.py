"""Sums of numbers over all workers, outside of training steps; all workers must call them."""

from typing import Any

import tensorflow as tf

from kubefit_trainer.keras_multiworker import cluster, coordination, watchdog
from kubefit_trainer.keras_multiworker.step import all_sum


def sum_over_workers(values: list[float]) -> list[float]:
    """Sums numbers over all workers; all must call it, in the same order."""
    if coordination.alone():
        return values
    strategy = cluster.strategy()
    local = len(strategy.extended.worker_devices)
    with watchdog.inside("a sum over all workers"):
        total = _collective_sum(strategy)(tf.constant(values, tf.float32))
    return [float(number) / local for number in total.numpy()]


_functions: dict[int, Any] = {}


def _collective_sum(strategy: Any) -> Any:
    if id(strategy) not in _functions:

        def summed(values: Any) -> Any:
            def replica(values: Any) -> Any:
                return all_sum([values])[0]

            result = strategy.run(replica, args=(values,))
            return strategy.experimental_local_results(result)[0]

        _functions[id(strategy)] = tf.function(summed, reduce_retracing=True, autograph=False)
    return _functions[id(strategy)]


def any_worker(flag: bool) -> bool:
    """Whether the flag is set on any worker; all must call it."""
    return sum_over_workers([float(flag)])[0] > 0


def max_over_workers(value: int) -> int:
    """Largest of the workers' values; all must call it. Exact up to 2**24."""
    if coordination.alone():
        return value
    member = cluster.member()
    mine = [float(value) if rank == member.rank else 0.0 for rank in range(member.workers)]
    return int(max(sum_over_workers(mine)))
