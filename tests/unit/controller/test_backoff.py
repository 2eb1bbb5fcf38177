"""How long what failed waits."""

from hypothesis import given
from hypothesis import strategies as st

from kubefit.controller.backoff import delay


@given(st.integers(0, 10_000), st.floats(1.0, 60.0))
def test_a_wait_is_never_longer_than_its_limit_nor_so_short_as_to_hammer(failures, limit) -> None:
    assert 0.25 <= delay(failures, at_most=limit) <= limit


def test_waits_grow_up_to_the_limit_and_differ_from_job_to_job() -> None:
    assert max(delay(1, at_most=30.0) for _ in range(50)) < min(
        delay(6, at_most=30.0) for _ in range(50)
    )
    assert len({delay(9, at_most=30.0) for _ in range(50)}) > 1
