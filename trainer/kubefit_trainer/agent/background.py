"""Work on files that may take long, while the agent goes on talking."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What the work came to."""

    value: T


class Background(Generic[T]):
    """One question at a time, answered by a thread; it is asked again until the answer is there.

    Whoever asks waits for it `patience_seconds` at most.
    """

    def __init__(self, *, patience_seconds: float = 0.1) -> None:
        self._patience_seconds = patience_seconds
        self._key: Hashable = None
        self._future: Future[T] | None = None

    def answer(self, key: Hashable, work: Callable[[], T]) -> Answer[T] | None:
        """The answer to the question of that key; None while `work` is still at it.

        Raises:
            Exception: what `work` has raised.

        """
        future = self._future
        if future is None or key != self._key:
            # The answer to a question that nobody asks any more is left.
            self._key, self._future = key, (future := Future())
            threading.Thread(target=_work, args=(future, work), daemon=True).start()
        wait([future], timeout=self._patience_seconds)
        if not future.done():
            return None
        if future.exception() is not None:
            self._future = None
        return Answer(future.result())


def _work(future: "Future[T]", work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except Exception as error:
        future.set_exception(error)
