from itertools import takewhile

import keras
import pytest

from kubefit_trainer.recipe import batch_size


def chosen(times: dict[int, float], fitting: int = 10**9) -> int:
    """The choice among the sizes of `times`, seconds of a step, up to a size that fits."""
    return batch_size.choose(
        iter(times), fits=lambda size: size <= fitting, seconds=times.__getitem__
    )


def test_sizes_double_and_every_worker_has_an_image_of_each() -> None:
    assert list(batch_size.sizes(1, 1280)) == [8, 16, 32, 64]
    assert list(batch_size.sizes(3, 1000)) == [12, 24, 48]
    assert list(batch_size.sizes(64, 100)) == [64]


def test_sizes_have_an_end() -> None:
    assert max(takewhile(lambda size: size < 10**6, batch_size.sizes(1, 10**9))) == 8192


def test_the_size_at_which_the_speed_stops_growing_is_chosen() -> None:
    assert chosen({8: 0.010, 16: 0.011, 32: 0.015, 64: 0.029, 128: 0.058}) == 32


def test_a_size_that_does_not_fit_is_never_timed() -> None:
    assert chosen({8: 0.01, 16: 0.01, 32: 0.01}, fitting=16) == 16
    assert chosen({8: 0.01}, fitting=4) == 0


def test_a_size_that_would_take_too_long_is_not_tried() -> None:
    assert chosen({8: 6.0, 16: 6.0}) == 8


def test_memory_is_enough_if_twice_the_images_stay_below_the_ceiling() -> None:
    assert batch_size.enough([100, 110, 130], ceiling=170)
    assert not batch_size.enough([100, 110, 130], ceiling=169)


def test_a_step_that_needs_more_than_there_is_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    memory = batch_size.Memory(model)
    assert memory.fits(8)
    monkeypatch.setattr(batch_size.cgroup, "free_memory", lambda: -(2**40))
    assert not memory.fits(16)
