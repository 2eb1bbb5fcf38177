"""Whoever dies while a snapshot is written leaves the ones before it, and nothing by halves."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubefit_trainer.checkpoints import store

KILLS = 8
WRITES = """
import sys
from pathlib import Path
from kubefit_trainer.checkpoints import store

folder = Path(sys.argv[1])
step = max((saved.step for saved in store.found(folder)), default=0)
block = bytes(1 << 20)
while True:
    step += 1
    put = lambda file: [file.write(block) for _ in range(16)]
    store.write(folder / store.name_of(step), {}, {"weights": put})
    store.prune(folder, keep=2)
    print(step, flush=True)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, int, list[str]]]:
    """After each kill: the last step that was told, the newest good one, and warnings."""
    folder = tmp_path_factory.mktemp("checkpoints")
    chance, seen = random.Random(5), []
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITES, str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            told = int(writer.stdout.readline())
            # Dies anywhere within one of the next writes.
            time.sleep(chance.random() * 0.05)
            writer.kill()
            told = max([told, *(int(line) for line in writer.stdout.read().split())])
        warned: list[str] = []
        newest = store.newest(folder, warn=warned.append)
        assert newest is not None
        seen.append((told, newest.step, warned))
    return seen


def test_every_snapshot_that_was_told_is_there_and_good(folders) -> None:
    for told, newest, warned in folders:
        assert newest >= told
        assert warned == []


def test_writing_goes_on_from_there(folders) -> None:
    steps = [newest for _, newest, _ in folders]
    assert steps == sorted(set(steps))


def test_what_was_left_by_the_dead_is_removed_by_the_next_one(tmp_path: Path) -> None:
    left = tmp_path / ".partial-step-0000000001.npz.99999999"
    left.write_bytes(b"half")
    store.write(tmp_path / store.name_of(2), {}, {})
    store.prune(tmp_path, keep=2)
    assert not left.exists()
    assert store.newest(tmp_path, warn=pytest.fail) is not None
