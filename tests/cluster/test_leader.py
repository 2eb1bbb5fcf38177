"""Several operators, one of which acts: killed, frozen, cut off, told to stop.

They are processes of this machine, each behind a relay that writes down what it asks of the API
server and that can be cut.
"""

import contextlib
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

NAMESPACE = "leader-tests"
_REQUEST = re.compile(rb"^(GET|POST|PUT|PATCH|DELETE) (\S+) HTTP/1.1\r\n")


class Relay(socketserver.ThreadingTCPServer):
    """Passes connections on to the API server until it is cut."""

    daemon_threads = True

    def __init__(self, server_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.server_port = server_port
        self.is_cut = False
        self.writes: list[tuple[float, str]] = []
        """When and what, but for the Lease; what came after the cut is among them."""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def note(self, data: bytes) -> None:
        found = _REQUEST.match(data)
        if found and found[1] != b"GET" and b"/leases" not in found[2]:
            self.writes.append((time.monotonic(), data[: found.end()].decode().strip()))


class _Connection(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.server_port)) as upstream:
            back = threading.Thread(target=self._pass_on, args=(upstream, self.request, False))
            back.start()
            self._pass_on(self.request, upstream, True)
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, asks: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if asks:
                    self.server.note(data)
                if not self.server.is_cut:
                    target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@dataclass
class Operator:
    """One process of the operator."""

    process: "subprocess.Popen[bytes]"
    relay: Relay
    port: int
    log: Path

    def answer(self, path: str) -> str:
        """What it serves there; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=1) as got:
                return got.read().decode()
        except OSError:
            return ""

    def leads(self) -> bool:
        return "\nkubefit_leader 1.0\n" in self.answer("/metrics")

    def ends(self) -> int:
        """Its exit status, awaited."""
        return self.process.wait(timeout=120)


@dataclass
class Team:
    """The operators of this module and the jobs that they look after."""

    cluster: Any
    eventually: Callable[..., Any]
    folder: Path
    proxy_port: int
    operators: list[Operator] = field(default_factory=list)

    def start(self) -> Operator:
        number = len(self.operators)
        relay = Relay(self.proxy_port)
        context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
        server = f"http://127.0.0.1:{relay.server_address[1]}"
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": server}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [context],
            "current-context": "test",
        }
        file, log = self.folder / f"{number}.kubeconfig", self.folder / f"{number}.log"
        file.write_text(json.dumps(kubeconfig))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = {
            "KUBECONFIG": str(file),
            "KUBEFIT_TRAINER_IMAGE": "kubefit/trainer:dev",
            "KUBEFIT_NAMESPACES": NAMESPACE,
            "KUBEFIT_LEASE_NAMESPACE": NAMESPACE,
            "KUBEFIT_PORT": str(port),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "kubefit.controller"],
                env=os.environ | settings,
                stdout=output,
                stderr=output,
            )
        self.operators.append(Operator(process, relay, port, log))
        return self.operators[-1]

    def leader(self) -> Operator:
        """Who leads, with another one standing by."""
        while len(self._alive()) < 2:
            self.start()
        self.eventually(lambda: all(one.answer("/readyz") for one in self._alive()), 120)
        return self.eventually(lambda: next((o for o in self._alive() if o.leads()), None), 120)

    def _alive(self) -> list[Operator]:
        return [one for one in self.operators if one.process.poll() is None]

    def lease(self) -> dict[str, Any]:
        return self.cluster.get("lease", "kubefit", namespace=NAMESPACE)["spec"]

    def apply(self, name: str) -> None:
        """Wants a job that makes no pods."""
        spec = {
            "workers": 1,
            "storage": {"create": {"size": "10Mi", "accessMode": "ReadWriteOnce"}},
            "script": {"inline": "pass"},
            "runPolicy": {"suspend": True},
        }
        self.cluster.apply(
            {
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": spec,
            }
        )

    def is_acted_upon(self, name: str) -> None:
        """Waits until the job has its objects and a status."""

        def done() -> bool:
            found = self.cluster.get("trainingjob", name, namespace=NAMESPACE)
            made = self.cluster.get("services", namespace=NAMESPACE, selector=_of(name))["items"]
            return found.get("status", {}).get("phase") == "Suspended" and len(made) == 1

        self.eventually(done, 120)

    def wrote_one_after_the_other(self) -> None:
        """No operator wrote before the one before it had ceased to."""
        writes = [[at for at, _ in one.relay.writes] for one in self.operators]
        reigns = sorted((min(times), max(times)) for times in writes if times)
        assert all(one[1] < two[0] for one, two in pairwise(reigns)), reigns


def _of(name: str) -> str:
    return f"kubefit.dev/job={name}"


@pytest.fixture(scope="module")
def team(cluster, operator, eventually, tmp_path_factory) -> Iterator[Team]:
    installed = ("-n", operator, "scale", "deployment/kubefit")
    cluster.kubectl(*installed, "--replicas=0")  # it would look after our jobs too
    component = "app.kubernetes.io/component=operator"
    gone = ("wait", "pod", "-l", component, "--for=delete", "--timeout=120s")
    cluster.kubectl("-n", operator, *gone)
    cluster.kubectl("create", "namespace", NAMESPACE)
    command = [*cluster.kubectl_command, "proxy", "--port=0"]
    proxy = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    port = int(proxy.stdout.readline().rpartition(":")[2])
    team = Team(cluster, eventually, tmp_path_factory.mktemp("operators"), port)
    yield team
    for one in team.operators:
        one.process.kill()
        one.process.wait()
        one.relay.shutdown()
        print(f"--- {one.log.name}", one.log.read_text(), sep="\n")
    proxy.kill()
    proxy.wait()
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    cluster.kubectl(*installed, "--replicas=2")
    ready = ("rollout", "status", "deployment/kubefit", "--timeout=120s")
    cluster.kubectl("-n", operator, *ready)


def test_another_operator_acts_when_the_leader_is_killed(team) -> None:
    leader, before = team.leader(), team.lease()
    leader.process.kill()
    team.apply("killed")
    team.is_acted_upon("killed")
    after = team.lease()
    assert after["holderIdentity"] != before["holderIdentity"]
    assert after["leaseTransitions"] == before["leaseTransitions"] + 1
    team.wrote_one_after_the_other()


def test_a_leader_that_was_frozen_writes_nothing_more_and_ends(team) -> None:
    leader, before = team.leader(), team.lease()
    leader.process.send_signal(signal.SIGSTOP)
    team.apply("frozen")
    team.is_acted_upon("frozen")
    written = list(leader.relay.writes)
    leader.process.send_signal(signal.SIGCONT)
    assert leader.ends() == 1
    assert leader.relay.writes == written
    assert "could not be renewed in time" in leader.log.read_text()
    assert team.lease()["leaseTransitions"] == before["leaseTransitions"] + 1
    team.wrote_one_after_the_other()


def test_a_leader_that_is_cut_off_ends_before_another_one_acts(team) -> None:
    leader, before = team.leader(), team.lease()
    leader.relay.is_cut = True
    team.apply("cut-off")
    assert leader.ends() == 1
    team.is_acted_upon("cut-off")
    assert team.lease()["leaseTransitions"] == before["leaseTransitions"] + 1
    team.wrote_one_after_the_other()


def test_a_leader_that_is_told_to_stop_gives_the_lease_back(team) -> None:
    leader, before = team.leader(), team.lease()
    leader.process.terminate()
    assert leader.ends() == 0
    assert team.lease().get("holderIdentity") != before["holderIdentity"]
    team.apply("stopped")
    team.is_acted_upon("stopped")
    team.wrote_one_after_the_other()
