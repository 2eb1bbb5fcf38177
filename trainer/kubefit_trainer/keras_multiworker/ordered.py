"""The batches of a PyDataset in an order that only (seed, pass) decide."""

from typing import Any

import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDataset


class OrderedDataset(PyDataset):  # type: ignore[misc]
    """A PyDataset of known length, shuffled by batch if there is a seed; it can begin anywhere.

    Keras shuffles it with Python's global random numbers, which others draw from as well.
    """

    def __init__(self, inner: Any, seed: int | None) -> None:
        super().__init__(inner.workers, inner.use_multiprocessing, inner.max_queue_size)
        self._inner, self._seed = inner, seed
        self._pass = self._first = 0
        self._order = self._ordered()

    def _ordered(self) -> Any:
        batches = int(self._inner.num_batches)
        if self._seed is None:
            return np.arange(batches)
        return np.random.default_rng([self._seed, self._pass]).permutation(batches)

    def seek(self, passes: int, drawn: int) -> None:
        """Begins after so many passes, whose ends the dataset is told of, and so many batches."""
        for _ in range(passes):
            self._inner.on_epoch_begin()
            self._inner.on_epoch_end()
        self._pass, self._first = passes, drawn
        self._order = self._ordered()

    def next_pass(self) -> None:
        """Begins another pass."""
        self._pass, self._first = self._pass + 1, 0
        self._order = self._ordered()

    @property
    def num_batches(self) -> int:
        """Batches of the pass under way from where it begins."""
        return len(self._order) - self._first

    def __getitem__(self, index: int) -> Any:
        return self._inner[int(self._order[self._first + index])]

    def on_epoch_begin(self) -> None:
        """As the dataset has it."""
        self._inner.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """As the dataset has it."""
        self._inner.on_epoch_end()
