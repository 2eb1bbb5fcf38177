"""The workers of a job as processes of this machine: start, status, output, end.

Each agent leads a session of its own, so that a terminal's Ctrl-C reaches the launcher alone, and
holds the end of a pipe that closes when the launcher dies, however it dies.
"""

import contextlib
import http.client
import os
import queue
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Self

from pydantic import ValidationError

from kubefit.api.contract import Outcome, RunConfig, WorkerStatus
from kubefit.api.names import Env
from kubefit.client.causes import last_status, outcome_of

HOST = "127.0.0.1"
GRACE_SECONDS = 30.0
"""More than an agent gives its trainer."""
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST_PORT, _END_OF_PORTS = 10_000, 32_768
_FOREIGN = ("KUBEFIT_", "JOB_COMPLETION_INDEX", "TF_CONFIG", "KERAS_DISTRIBUTION_")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; all different.

    Outside of those that connections get by themselves: an agent that is started anew has to find
    its port free.
    """
    candidates = range(_FIRST_PORT, _end_of_ports())
    found: list[int] = []
    for port in random.sample(candidates, len(candidates)):
        with socket.socket() as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                one.bind((HOST, port))
                found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no {count} free ports from {candidates.start} to {candidates.stop} on {HOST}")


def _end_of_ports() -> int:
    try:
        first_of_connections = int(_EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError):
        return _END_OF_PORTS
    return first_of_connections if first_of_connections > 2 * _FIRST_PORT else _END_OF_PORTS


class Gang:
    """All agents of a job; a context manager that leaves no process behind."""

    def __init__(self, config: RunConfig, *, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._lifeline = os.pipe()
        self._readers: list[threading.Thread] = []
        self._agents: dict[int, subprocess.Popen[str]] = {}
        self._attempts: dict[int, int] = {}
        self.lines: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        file = folder / "run.json"
        file.write_text(config.model_dump_json(by_alias=True))
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)
        }
        token = folder / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex())
        self._environment = {
            **environment,
            Env.RUN_CONFIG: str(file),
            Env.TOKEN_FILE: str(token),
        }
        try:
            for rank in range(config.workers):
                self.start(rank)
        except BaseException:
            self._end()
            raise

    def start(self, rank: int) -> None:
        """Starts the agent of that rank, also in place of one that has ended."""
        self._outcome_file(rank).unlink(missing_ok=True)
        reading = self._lifeline[0]
        agent = subprocess.Popen(
            [sys.executable, "-m", "kubefit_trainer.agent"],
            env={
                **self._environment,
                Env.RANK: str(rank),
                Env.OUTCOME_FILE: str(self._outcome_file(rank)),
                Env.LIFELINE: str(reading),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=[reading],
            start_new_session=True,
        )
        self._agents[rank] = agent
        if agent.stdout is not None:
            reader = threading.Thread(target=self._read, args=(rank, agent.stdout), daemon=True)
            reader.start()
            self._readers.append(reader)

    def _read(self, rank: int, output: IO[str]) -> None:
        for line in output:
            self.lines.put((rank, line.rstrip("\n")))

    def _outcome_file(self, rank: int) -> Path:
        return self._folder / f"outcome-{rank}.json"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self.stop()
        for reader in self._readers:
            reader.join(timeout=5)
        for end in self._lifeline:
            os.close(end)

    def ended(self) -> list[Outcome]:
        """Outcomes of the workers that have ended."""
        found = [self._outcome(rank) for rank in range(self._config.workers)]
        return [outcome for outcome in found if outcome is not None]

    def _outcome(self, rank: int) -> Outcome | None:
        code = self._agents[rank].poll()
        if code is None:
            return None
        file = self._outcome_file(rank)
        return outcome_of(rank, code, file.read_text() if file.exists() else "")

    def statuses(self) -> list[WorkerStatus]:
        """What the agents say, in the order of ranks; of those that have ended, their last words.

        An agent that does not answer is left out.
        """
        found = [self._status(rank) for rank in range(self._config.workers)]
        return [status for status in found if status is not None]

    def _status(self, rank: int) -> WorkerStatus | None:
        last = self._outcome(rank)
        if last is None:
            status = _asked(self._config.agent_port(rank))
            if status is not None:
                self._attempts[rank] = status.attempt
            return status
        attempt = self._attempts.get(rank, 1)
        return last_status(last, workers=self._config.workers, attempt=attempt)

    @property
    def attempt(self) -> int:
        """The latest attempt that an agent has told of."""
        return max(self._attempts.values(), default=1)

    def stop(self) -> None:
        """Ends all agents: asks them first, kills those that take too long."""
        running = [agent for agent in self._agents.values() if agent.poll() is None]
        for agent in running:
            agent.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        try:
            for agent in running:
                agent.wait(timeout=max(0.0, deadline - time.monotonic()))
        except (subprocess.TimeoutExpired, KeyboardInterrupt, SystemExit):
            # The trainers go with their agents: their lifelines are cut.
            self._kill(running)

    def _kill(self, agents: list[subprocess.Popen[str]]) -> None:
        for agent in agents:
            if agent.poll() is None:
                os.killpg(agent.pid, signal.SIGKILL)
                agent.wait()


def _asked(port: int) -> WorkerStatus | None:
    # Not urllib: it would send the request to a proxy of the environment.
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/status")
        return WorkerStatus.model_validate_json(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValidationError):
        return None
    finally:
        connection.close()
