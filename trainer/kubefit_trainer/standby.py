"""A process in waiting: imports what training needs, and is forked for every trainer.

Started by the agent with `spec.runPolicy.warmSpare`. No context of TensorFlow is made here: no
thread pool has a size yet, and no accelerator is touched. Standard input is a socket: an order
brings the environment of a trainer, its output and its lifeline, and is answered with a process id;
when that process has ended, its id and return code are told. The end of the agent is its end.
"""

import contextlib
import json
import os
import random
import select
import signal
import socket
import sys
from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.names import Env
from kubefit_trainer import lifeline
from kubefit_trainer.agent.spare import LENGTH, READY


def main() -> None:
    """Imports, serves; in a process that was forked, trains."""
    lifeline.die_with_parent()
    channel = socket.socket(fileno=0)
    config = RunConfig.model_validate_json(Path(os.environ[Env.RUN_CONFIG]).read_bytes())
    _import(config)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        message = f"no warm spare: a process with {threads} threads cannot be forked safely"
        print(f"kubefit: {message}", file=sys.stderr, flush=True)
        return
    _call_itself("kubefit-spare")
    try:
        _tell(channel, READY)
        forked = _is_trainer(channel)
    except BrokenPipeError:
        # The agent is gone.
        return
    if forked:
        from kubefit_trainer import main as trainer

        trainer.main()


def _import(config: RunConfig) -> None:
    # What cannot be imported is told by the trainer, which imports it again.
    with contextlib.suppress(Exception):
        from kubefit_trainer import classify, main, runtimes  # noqa: F401

        runtimes.load(config.runtime)
        if config.recipe is not None:
            from kubefit_trainer import recipe  # noqa: F401


def _is_trainer(channel: socket.socket) -> bool:
    """Serves; returns True in a process that was forked, False when the agent is gone."""
    waking, woken = socket.socketpair()
    woken.setblocking(False)
    waking.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable = select.select([channel, waking], [], [])[0]
        if waking in readable:
            waking.recv(4096)
            _tell_ends(channel)
        if channel not in readable:
            continue
        start, files, _, _ = socket.recv_fds(channel, LENGTH.size, 2)
        if not start:
            return False
        order = _received(channel, *LENGTH.unpack(start))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for own in (waking, woken):
                own.close()
            channel.detach()
            _become(json.loads(order), *files)
            return True
        for file in files:
            os.close(file)
        _tell(channel, pid)


def _tell_ends(channel: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(channel, ended[0], os.waitstatus_to_exitcode(ended[1]))


def _tell(channel: socket.socket, *numbers: int) -> None:
    channel.sendall(b" ".join(str(number).encode() for number in numbers) + b"\n")


def _received(channel: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length and (part := channel.recv(length - len(parts))):
        parts += part
    return bytes(parts)


def _become(environment: dict[str, str], output: int, lifeline: int) -> None:
    """Makes this process what it would be if it had been started by itself."""
    import numpy as np

    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    for source in (nothing, output):
        os.close(source)
    os.environ.clear()
    os.environ.update({**environment, Env.LIFELINE: str(lifeline)})
    _call_itself("kubefit-trainer")
    random.seed()
    np.random.seed()


def _call_itself(name: str) -> None:
    """The name that `ps` and `top` show: the command line stays that of this module."""
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name)


if __name__ == "__main__":
    main()
