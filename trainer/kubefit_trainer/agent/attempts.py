"""Which attempt this is: one more than the last of which this worker has a log."""

import re
from pathlib import Path

from kubefit.api.contract import JobFiles

_FOLDER = re.compile(r"attempt-(\d+)")


def next_attempt(files: JobFiles, rank: int) -> int:
    """1 + the highest N of which `logs/attempt-N/worker-RANK.log` exists."""
    logs = Path(files.log(1, rank)).parents[1]
    numbers = [
        int(match[1])
        for log in logs.glob(f"attempt-*/worker-{rank}.log")
        if (match := _FOLDER.fullmatch(log.parent.name))
    ]
    return 1 + max(numbers, default=0)
