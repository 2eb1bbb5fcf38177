"""`onUnreadable: skip`: finds what cannot be read before training, so that all leave out the same.

Each sample is read once, by one of the workers, as training will read it. What is left counts
from 0 again: order, splits and augmentation are those of a set that never had the others.
"""

import base64
import json
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from kubefit_trainer.preflight.pictures import UnreadableError
from kubefit_trainer.recipe import cpus
from kubefit_trainer.recipe.labelled import Labelled

_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The workers that share out the samples; alone by default."""

    rank: int = 0
    workers: int = 1
    exchange: Callable[[str], list[str]] = lambda text: [text]
    """Gives every worker the texts of all, by rank."""


def readable(source: Labelled, group: Group) -> tuple[Labelled, dict[str, str]]:
    """What of the source can be read, and the other samples by name with the reasons.

    All workers must call it; the same on each.
    """
    found = _looked_at(source, range(group.rank, len(source.labels), group.workers))
    told = [_unpacked(text) for text in group.exchange(_packed(found))]
    faults = sorted((fault for faults in told for fault in faults), key=lambda fault: fault[0])
    if not faults:
        return source, {}
    kept = np.delete(np.arange(len(source.labels)), [sample for sample, _, _ in faults])
    return source.only(kept), {name: why for _, name, why in faults}


Fault = tuple[int, str, str]
"""Number and name of a sample, and why it cannot be read."""


def _looked_at(source: Labelled, samples: range) -> list[Fault]:
    def fault(sample: int) -> list[Fault]:
        try:
            source.look(sample)
        except UnreadableError as error:
            return [(sample, name, why) for name, why in error.reasons.items()]
        return []

    found: list[Fault] = []
    with ThreadPoolExecutor(cpus.threads(), thread_name_prefix="readable") as pool:
        for first in range(0, len(samples), _AT_ONCE):
            for faults in pool.map(fault, samples[first : first + _AT_ONCE]):
                found += faults
    return found


def _packed(faults: list[Fault]) -> str:
    """Names and reasons are much alike, and a text must fit a message between workers."""
    return base64.b64encode(zlib.compress(json.dumps(faults).encode())).decode()


def _unpacked(text: str) -> list[Fault]:
    faults: list[Fault] = json.loads(zlib.decompress(base64.b64decode(text)))
    return faults
