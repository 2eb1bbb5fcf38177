"""Targets written token by token: beams of 1 are greedy, more find likelier targets."""

import numpy as np
import tensorflow as tf

from kubefit_trainer.recipe.pairs.decoding import best
from kubefit_trainer.recipe.pairs.vocabulary import END, PADDING

A, B, C = 4, 5, 6
OUTPUTS, PLACES = 7, 4


def likely(**probabilities: float) -> list[float]:
    found = [0.0] * OUTPUTS
    for name, value in probabilities.items():
        found[{"a": A, "b": B, "c": C, "end": END}[name]] = value
    return found


Table = dict[tuple[int, ...], list[float]]
# After what is written: the likeliest first token leads to nothing that is likely.
TABLE: Table = {
    (): likely(a=0.6, b=0.4),
    (A,): likely(a=0.35, b=0.35, end=0.3),
    (A, A): likely(end=1.0),
    (A, B): likely(end=1.0),
    (B,): likely(c=0.9, end=0.1),
    (B, C): likely(end=1.0),
}


def written(
    beams: int, penalty: float = 0.0, rows: int = 1, table: Table = TABLE
) -> list[list[int]]:
    def following(begun: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        before = [tuple(row[1 : int(place) + 1]) for row in begun.numpy().tolist()]
        return tf.constant([table.get(one, likely(end=1.0)) for one in before], tf.float32)

    found = best(following, rows=rows, places=PLACES, outputs=OUTPUTS, beams=beams, penalty=penalty)
    assert found.shape == (rows, PLACES)
    return np.asarray(found).tolist()


def test_one_beam_takes_the_likeliest_token_each_time() -> None:
    greedy: list[int] = []
    begun: tuple[int, ...] = ()
    while not greedy or greedy[-1] != END:
        greedy.append(int(np.argmax(TABLE[begun])))
        begun = tuple(greedy)
    assert written(1) == [greedy + [PADDING] * (PLACES - len(greedy))] == [[A, A, END, PADDING]]


def test_more_beams_find_the_likelier_target() -> None:
    # 0.6 * 0.35 = 0.21 for the greedy one, 0.4 * 0.9 = 0.36 for this one.
    assert written(2) == [[B, C, END, PADDING]]
    assert written(5) == written(2)


def test_longer_targets_are_preferred_the_larger_the_penalty() -> None:
    table = {(): likely(end=0.5, a=0.5), (A,): likely(b=0.8, end=0.2)}
    # log(0.5) = -0.69 against log(0.4) = -0.92, which 1 and (8 / 6) ** 2 divide.
    assert written(3, table=table) == [[END, PADDING, PADDING, PADDING]]
    assert written(3, penalty=2.0, table=table) == [[A, B, END, PADDING]]


def test_rows_are_written_independently_and_there_may_be_none() -> None:
    assert written(2, rows=3) == written(2) * 3
    assert written(2, rows=0) == []


def test_padding_start_and_unknown_tokens_are_never_written() -> None:
    def misled(begun: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        row = [0.5, 0.2, 0.2, 0.01, 0.09, 0.0, 0.0]
        return tf.constant([row] * begun.shape[0], tf.float32)

    found = best(misled, rows=1, places=2, outputs=OUTPUTS, beams=1, penalty=0.0)
    assert np.asarray(found).tolist() == [[A, A]]
