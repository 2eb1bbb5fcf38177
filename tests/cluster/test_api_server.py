"""API servers that are killed, forget, fall silent and refuse, while jobs start and end.

Two real API servers with a store and a controller manager of their own; nodes and agents are faked.
The operator finds the servers through a balancer, as in a cluster that is highly available.
"""

import asyncio
import contextlib
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from control_plane import ControlPlane, control_plane, free_port
from fake_nodes import fake_nodes

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

TRAINS_SECONDS = 20
LIMITED = "kubefit-limited"
_TLS = ssl.create_default_context()
_TLS.check_hostname, _TLS.verify_mode = False, ssl.CERT_NONE


class Balancer:
    """Passes each connection on to one of the API servers that are ready."""

    def __init__(self, ports: tuple[int, ...], folder: Path) -> None:
        self.ready = list(ports)
        self.port = free_port()
        self.forgotten = 0
        """So many watches were told that what they ask for is no longer known."""
        self._watches: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._call(self._serve(_certificate(folder)))

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def silence_watches(self) -> None:
        """Watches of the operator that are open bring nothing any more."""
        self._silent |= self._watches

    def break_silence(self) -> None:
        """Ends them."""
        for client in self._silent:
            self._loop.call_soon_threadsafe(client.transport.abort)

    def close(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _serve(self, tls: ssl.SSLContext) -> None:
        await asyncio.start_server(self._connect, "127.0.0.1", self.port, ssl=tls)

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connect(self, asks: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            port = self.ready[0]
            answers, server = await asyncio.open_connection("127.0.0.1", port, ssl=_TLS)
            passing = (self._pass_on(asks, server, client), self._pass_on(answers, client, client))
            ways = [asyncio.create_task(one) for one in passing]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            server.transport.abort()
        except OSError:
            pass
        finally:
            self._watches.discard(client)
            if client not in self._silent:
                client.transport.abort()

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, client: Any
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(1 << 16):
                if b"watch=" in data and b"token-of-operator" in data:
                    self._watches.add(client)
                if target is client and client in self._silent:
                    continue
                self.forgotten += target is client and b'"code":410' in data
                target.write(data)
                await target.drain()


def _certificate(folder: Path) -> ssl.SSLContext:
    key, certificate = folder / "balancer.key", folder / "balancer.crt"
    command = ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=balancer"]
    # Quickly signed with, as a hundred watches come back at a time.
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


class Operator:
    """The operator, started again when it ends, as the kubelet does."""

    def __init__(self, plane: ControlPlane) -> None:
        self.port = free_port()
        self.log = plane.folder / "operator-process.log"
        self._kubeconfig = plane.kubeconfig("operator")
        self._stops = False
        self._process = self._start()
        threading.Thread(target=self._supervise, daemon=True).start()

    def _start(self) -> "subprocess.Popen[bytes]":
        settings = {
            "KUBECONFIG": str(self._kubeconfig),
            "KUBEFIT_TRAINER_IMAGE": "kubefit/trainer:dev",
            "KUBEFIT_LEASE_NAMESPACE": "default",
            "KUBEFIT_PORT": str(self.port),
        }
        with self.log.open("ab") as output:
            command = [sys.executable, "-m", "kubefit.controller"]
            return subprocess.Popen(
                command, env=os.environ | settings, stdout=output, stderr=output
            )

    def _supervise(self) -> None:
        while not self._stops:
            self._process.wait()
            if not self._stops:
                self._process = self._start()

    def stop(self) -> None:
        self._stops = True
        self._process.terminate()
        self._process.wait()

    def starts(self) -> int:
        return self.log.read_text().count("this operator leads")

    def faults(self) -> int:
        """How often it ended, but for a Lease that a busy machine could not renew in time."""
        lost = self.log.read_text().count("could not be renewed in time: this operator ends")
        return self.starts() - lost - 1

    def refusals(self) -> float:
        """So many answers of 429 it has had."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text = answer.read().decode()
        samples = re.findall(r'^kubefit_api_requests_total\{code="429".*\} (\S+)$', text, re.M)
        return sum(map(float, samples))


@dataclass(frozen=True)
class Team:
    """The control plane, the operator and its jobs."""

    plane: ControlPlane
    balancer: Balancer
    operator: Operator
    eventually: Callable[..., Any]

    def submit(self, *names: str) -> None:
        items = [
            {
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {
                    "workers": 2,
                    "storage": {"claim": "training"},
                    "script": {"inline": "print(1)"},
                },
            }
            for name in names
        ]
        self.apply(*items)

    def apply(self, *items: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)})
        # Checking them here would mean to read the whole schema of the API server each time.
        self.plane.kubectl("apply", "--validate=false", "-f", "-", text=text)

    def statuses(self) -> dict[str, dict[str, Any]]:
        jobs = json.loads(self.plane.kubectl("get", "tj", "-o", "json"))["items"]
        return {job["metadata"]["name"]: job.get("status", {}) for job in jobs}

    def await_phase(self, phase: str, *names: str) -> None:
        def reached() -> bool:
            found = self.statuses()
            return all(found[name].get("phase") == phase for name in names)

        self.eventually(reached, 240)

    def ended_well(self, *names: str) -> None:
        """Each of them, at the first try, and no Event says so twice."""
        self.await_phase("Succeeded", *names)
        found = self.statuses()
        for name in names:
            assert (found[name].get("failures", []), found[name]["restarts"]) == ([], 0), name
        events = json.loads(self.plane.kubectl("get", "events", "-o", "json"))["items"]
        told = [e["involvedObject"]["name"] for e in events if e["reason"] == "Succeeded"]
        assert len(told) == len(set(told))
        assert self.operator.faults() == 0

    def is_limited(self, level: str) -> bool:
        """Whether what the operator asks is of that priority level."""
        url = f"https://127.0.0.1:{self.balancer.port}/api/v1/namespaces/default/pods"
        asks = urllib.request.Request(url, headers={"Authorization": "Bearer token-of-operator"})
        with urllib.request.urlopen(asks, context=_TLS) as answer:
            found = answer.headers["X-Kubernetes-PF-PriorityLevel-UID"]
        uid = ("get", "prioritylevelconfiguration", level, "-o", "jsonpath={.metadata.uid}")
        return found == self.plane.kubectl(*uid)

    def kill(self, server: int) -> None:
        """Kills an API server, and has the other one serve."""
        self.plane.kill_api_server(server)
        self.balancer.ready.remove(server)

    def start(self, server: int) -> None:
        """Starts it again, to serve when the other one does not."""
        self.plane.start_api_server(server)
        self.balancer.ready.append(server)


@pytest.fixture(scope="module")
def team(tmp_path_factory, eventually) -> Iterator[Team]:
    servers = free_port(), free_port()
    folder = tmp_path_factory.mktemp("plane")
    balancer = Balancer(servers, folder)
    front = f"https://127.0.0.1:{balancer.port}"
    with contextlib.ExitStack() as parts:
        parts.callback(balancer.close)
        plane = parts.enter_context(control_plane(folder, servers, front))
        parts.enter_context(fake_nodes(plane, lasts=TRAINS_SECONDS))
        operator = Operator(plane)
        parts.callback(operator.stop)
        team = Team(plane, balancer, operator, eventually)
        spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
        team.apply({**claim, "metadata": {"name": "training", "namespace": "default"}})
        eventually(operator.starts, 240)
        yield team
        print("--- operator", *operator.log.read_text().splitlines()[-200:], sep="\n")


def test_servers_killed_while_jobs_start_and_end_cost_no_job(team) -> None:
    first, second = team.balancer.ready
    names = [f"killed-{number}" for number in range(8)]
    team.submit(*names)
    team.kill(first)
    team.start(first)
    team.eventually(lambda: all(team.statuses()[name] for name in names), 120)
    team.plane.compact()
    team.kill(second)
    team.start(second)
    team.kill(first)
    team.start(first)
    team.ended_well(*names)


def test_what_happened_while_watches_were_silent_and_is_forgotten_is_not_missed(team) -> None:
    first, second = team.balancer.ready
    team.submit("ends", "goes", "anew")
    team.await_phase("Running", "ends", "goes", "anew")
    before = team.plane.kubectl("get", "job", "anew", "-o", "jsonpath={.metadata.uid}")
    team.balancer.silence_watches()
    team.kill(first)
    team.plane.kubectl("delete", "tj", "goes", "anew")
    team.plane.kubectl("wait", "--for=delete", "job/goes", "job/anew", "--timeout=60s")
    team.submit("comes", "anew")
    team.plane.kubectl("wait", "--for=condition=Complete", "job/ends", "--timeout=120s")
    team.plane.compact()
    team.start(first)
    team.kill(second)
    forgotten, starts = team.balancer.forgotten, team.operator.starts()
    team.balancer.break_silence()
    team.ended_well("ends", "comes", "anew")
    assert team.balancer.forgotten > forgotten or team.operator.starts() > starts
    assert team.plane.kubectl("get", "job", "anew", "-o", "jsonpath={.metadata.uid}") != before
    assert "goes" not in team.plane.kubectl("get", "tj,jobs,pods,services", "-o", "name")
    team.start(second)


def test_jobs_end_well_where_the_operator_may_ask_for_little_at_a_time(team) -> None:
    names = [f"refused-{number}" for number in range(16)]
    api = "flowcontrol.apiserver.k8s.io/v1"
    limited = {"nominalConcurrencyShares": 1, "lendablePercent": 0, "borrowingLimitPercent": 0}
    subject = {"kind": "User", "user": {"name": "operator"}}
    rule = {"verbs": ["*"], "apiGroups": ["", "batch", "kubefit.dev"], "resources": ["*"]}
    rule |= {"namespaces": ["*"], "clusterScope": True}
    team.apply(
        {
            "apiVersion": api,
            "kind": "PriorityLevelConfiguration",
            "metadata": {"name": LIMITED},
            "spec": {
                "type": "Limited",
                "limited": {**limited, "limitResponse": {"type": "Reject"}},
            },
        },
        {
            "apiVersion": api,
            "kind": "FlowSchema",
            "metadata": {"name": LIMITED},
            "spec": {
                "priorityLevelConfiguration": {"name": LIMITED},
                "matchingPrecedence": 2,
                "rules": [{"subjects": [subject], "resourceRules": [rule]}],
            },
        },
    )
    team.eventually(lambda: team.is_limited(LIMITED), 60)
    before = team.operator.refusals()
    team.submit(*names)
    team.ended_well(*names)
    assert before < team.operator.refusals() <= before + 40 * len(names)
    team.plane.kubectl("delete", "flowschema", LIMITED)
    team.plane.kubectl("delete", "prioritylevelconfiguration", LIMITED)
