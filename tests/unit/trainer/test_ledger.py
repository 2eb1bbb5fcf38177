"""A trainer's time is sorted as it passes: into new steps, old steps, data and checkpoints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubefit.api.contract import Spent
from kubefit_trainer.callbacks.ledger import Ledger


def test_the_start_is_not_counted_and_time_goes_where_it_went() -> None:
    ledger = Ledger(reached=2)
    assert ledger.spent is None
    ledger.pass_time(now=50, wall=1050, step=1, waited=7, kept=0)
    assert ledger.spent == Spent(until=1050)
    # A step that was done before, of which a part was waiting for data.
    ledger.pass_time(now=60, wall=1060, step=2, waited=10, kept=0)
    assert ledger.spent == Spent(data=3, lost_work=7, until=1060)
    # The first new one, and a checkpoint.
    ledger.pass_time(now=80, wall=1080, step=3, waited=11, kept=4)
    assert ledger.spent == Spent(productive=15, data=4, checkpoint=4, lost_work=7, until=1080)


@given(
    reached=st.integers(0, 5),
    passed=st.lists(st.tuples(*[st.floats(0, 1e4)] * 3, st.booleans()), max_size=20),
)
def test_all_of_the_time_is_counted_once(reached, passed) -> None:
    ledger, now, waited, kept, step = Ledger(reached=reached), 100.0, 0.0, 0.0, 0
    ledger.pass_time(now=now, wall=now, step=step, waited=waited, kept=kept)
    # Clocks of other workers may tell of more waiting than there was time.
    for seconds, more_waited, more_kept, is_step in passed:
        now, waited, kept = now + seconds, waited + more_waited, kept + more_kept
        step += is_step
        before = ledger.spent
        ledger.pass_time(now=now, wall=now, step=step, waited=waited, kept=kept)
        assert before is not None
        for name in ("productive", "data", "checkpoint", "lost_work"):
            assert getattr(ledger.spent, name) >= getattr(before, name)
    assert ledger.spent is not None
    assert ledger.spent.total == pytest.approx(now - 100.0)
    assert ledger.spent.until == now
