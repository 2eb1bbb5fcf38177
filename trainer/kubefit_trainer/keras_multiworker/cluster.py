"""Who this process is among the workers, and the one strategy they train with.

TF_CONFIG is the only source; without it a process is a cluster of one, on the same code path.
"""

import contextlib
import functools
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.distribute import distribute_lib
from tensorflow.python.framework import ops


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Place of this process in the cluster: `0 <= rank < workers`; rank 0 is the chief."""

    rank: int
    workers: int

    @property
    def chief(self) -> bool:
        """Whether this process writes files and hosts the coordination service."""
        return self.rank == 0


def _addresses() -> dict[str, list[str]]:
    """Addresses of the workers by job, in the order of their ranks."""
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster") or {}
    return {job: cluster[job] for job in ("chief", "worker") if cluster.get(job)}


@functools.cache
def member() -> Member:
    """The place that TF_CONFIG gave this process when it was first asked for.

    Raises:
        ValueError: TF_CONFIG is not JSON, or its task is not in its cluster.

    """
    tasks = [(job, i) for job, addresses in _addresses().items() for i in range(len(addresses))]
    if not tasks:
        return Member(rank=0, workers=1)
    task = json.loads(os.environ["TF_CONFIG"]).get("task") or {}
    found = (task.get("type"), int(task.get("index", -1)))
    if found not in tasks:
        raise ValueError(
            f"TF_CONFIG: task {found[0]!r} {found[1]} is not one of the cluster's {len(tasks)} "
            "workers; give this process the type and index of its own entry"
        )
    return Member(rank=tasks.index(found), workers=len(tasks))


def jobs() -> list[tuple[str, int]]:
    """The jobs of TF_CONFIG and how many tasks each has, in the order of the ranks."""
    return [(job, len(addresses)) for job, addresses in _addresses().items()]


def host() -> str:
    """Host name or address of this worker, under which the others reach it."""
    addresses = [address for job in _addresses().values() for address in job]
    return str(addresses[member().rank]).rpartition(":")[0].strip("[]")


_strategy: Any = None


def strategy() -> Any:
    """The process's MultiWorkerMirroredStrategy; the first call creates it and meets the peers.

    The first call must come before TensorFlow runs any operation.
    """
    global _strategy
    if _strategy is None:
        _strategy = tf.distribute.MultiWorkerMirroredStrategy()
    return _strategy


def current() -> Any:
    """The strategy if it exists already, else None; never creates one."""
    return _strategy


def adopt(created: Any) -> None:
    """Remembers a strategy that the program made itself."""
    global _strategy
    _strategy = created


def is_ours(candidate: Any) -> bool:
    """Whether a strategy is the multi-worker one that the repairs are for."""
    return isinstance(candidate, tf.distribute.MultiWorkerMirroredStrategy)


_outside = threading.local()


def is_outside() -> bool:
    """Whether this thread is in `outside_strategy`."""
    return bool(getattr(_outside, "on", False))


@contextlib.contextmanager
def outside_strategy() -> Iterator[None]:
    """Lets one worker alone make variables, which under the strategy is a collective of all."""
    graph = ops.get_default_graph()
    creators = graph._variable_creator_stack
    distribute_lib._push_per_thread_mode(distribute_lib._get_default_replica_mode())
    graph._variable_creator_stack = []
    before, _outside.on = is_outside(), True
    try:
        yield
    finally:
        _outside.on = before
        graph._variable_creator_stack = creators
        distribute_lib._pop_per_thread_mode()


def local_replica_id() -> int:
    """Index among this process's replicas of the replica that is being traced."""
    context = tf.distribute.get_replica_context()
    return int(context._replica_id)


def replicas(of: Any) -> tuple[int, int, int]:
    """(first global replica of this process, replicas of this process, replicas of all)."""
    local = len(of.extended.worker_devices)
    return member().rank * local, local, int(of.num_replicas_in_sync)
