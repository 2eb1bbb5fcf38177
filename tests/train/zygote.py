"""Forks workers that have TensorFlow and Keras imported already: most of a short test is imports.

A line of JSON on standard input (`command`, `env`, `cwd`, `log`) starts a worker, which runs the
command as Python would and ends as Python does; its process id is answered at once, and
"<process id> <return code>" when it has ended. Each rank has a zygote of its own, so that hashes
differ between workers as they do between processes that were started apart.
"""

import faulthandler
import json
import os
import runpy
import select
import sys
from collections.abc import Sequence
from pathlib import Path

_LOOK_SECONDS = 0.05


def main() -> None:
    """Serves until standard input is closed; returns in a worker when its program is to be run."""
    import keras  # noqa: F401
    import tensorflow  # noqa: F401

    threads = len(list(Path("/proc/self/task").iterdir()))
    assert threads == 1, f"cannot fork safely with {threads} threads"
    while True:
        while (ended := os.waitpid(-1, os.WNOHANG) if _children else (0, 0))[0]:
            _children.remove(ended[0])
            print(ended[0], os.waitstatus_to_exitcode(ended[1]), flush=True)
        if select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            order = json.loads(line)
            pid = os.fork()
            if pid == 0:
                _become(order["command"], order["env"], order["cwd"], order["log"])
                return
            _children.add(pid)
            print(pid, flush=True)


_children: set[int] = set()
_program: list[str] = []


def _become(command: Sequence[str], env: dict[str, str], cwd: str, log: str) -> None:
    import numpy as np

    for number, path, mode in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY)):
        file = os.open(path, mode)
        os.dup2(file, number)
        os.close(file)
    os.dup2(1, 2)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    faulthandler.enable()
    np.random.seed()
    _program[:] = command


main()
if _program:
    sys.argv = _program
    sys.path[0] = str(Path(_program[0]).parent)
    runpy.run_path(_program[0], run_name="__main__")
