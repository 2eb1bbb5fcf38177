"""A group of test workers that fails tells what each of them has said."""

import pickle
from pathlib import Path

import pytest
from workers import GroupFailedError, results_of


def test_results_are_those_of_each_rank(tmp_path: Path) -> None:
    for rank in range(2):
        (tmp_path / f"result-{rank}.pickle").write_bytes(pickle.dumps({"rank": rank}))
    assert results_of(tmp_path, [0, 0], "scenarios.py") == [{"rank": 0}, {"rank": 1}]


@pytest.mark.parametrize("codes", [[0, 1, 0], [0, None, 0], [0, 0, 0], [0, -6, None]])
def test_whatever_went_wrong_the_output_of_each_worker_is_told(
    tmp_path: Path, codes: list[int | None]
) -> None:
    (tmp_path / "result-0.pickle").write_bytes(pickle.dumps({}))
    for rank in range(2):
        (tmp_path / f"worker-{rank}.log").write_text(f"words of {rank}\n")
    with pytest.raises(GroupFailedError) as raised:
        results_of(tmp_path, codes, "scenarios.py")
    said = str(raised.value)
    assert said.startswith(f"scenarios.py on 3 workers: exit codes {codes}")
    assert "----- worker 0\nwords of 0" in said
    assert "----- worker 1\nwords of 1" in said
    assert "----- worker 2\n(was not started)" in said
