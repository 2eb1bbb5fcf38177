"""How many threads may work at once."""

import os


def threads() -> int:
    """CPUs of this container.

    The agent tells them by TF_NUM_INTRAOP_THREADS, as the affinity does not show a limit of CPU.
    """
    return int(os.environ.get("TF_NUM_INTRAOP_THREADS") or len(os.sched_getaffinity(0)))
