"""What the operator adds to bare Jobs, and what it costs, on a real control plane.

    python bench/operator_scale.py [CASE ...]

A case is `JOBSxWORKERS`, with `+FINISHED` jobs that are over lying around: `100x4`, `1x4+10000`.
etcd, API server, controller manager and scheduler are real, with default flags; kwok stands for the
nodes. The baseline, `bare-job`, is as many Indexed Jobs with a headless Service each, made
with a plain client; `ratio` is its seconds until all pods are created over the operator's. With
finished jobs the baseline is the operator without them. Prints one JSON line per case:

- `seconds_to_pods`, `seconds_to_running`: from the first apply until all pods are created, and all
  jobs say that they run
- `applies`, `statuses`, `writes`: the operator's, per job, from submission to success
- `cpu_ms`, `pass_ms`: of the operator per job, from submission until all run, and per pass over a
  batch of events; `cores`: while all train on
- `memory_mb`: at its largest
- `reaction_p50`, `reaction_p99`: seconds from the last pod that is ready until the job says so
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from control_plane import ControlPlane, control_plane, free_port
from fake_nodes import fake_nodes
from kubernetes.aio import client, config
from watch import Watch

from kubefit.api.names import API_VERSION, KIND, LABEL_JOB, PLURAL
from kubefit.controller.connection import Connection
from kubefit.core import workers
from kubefit.core.observed import Object

NAMESPACE = "bench"
_LASTS = 15.0
"""Seconds that the pods of jobs whose whole life is measured train."""
_STEADY_SECONDS = 60.0
_QUIET_SECONDS, _IDLE_CORES = 5.0, 0.05
_PASSES = r'kubefit_reconcile_total\{result="success"'
_MANY = 200
"""From so many jobs on, they train on, and what that costs is measured."""
_AT_A_TIME = 20
"""Requests of the client that submits."""


@dataclass
class Seen:
    """When what happened, by job; times of `time.monotonic`."""

    last_created: float = 0.0
    ready: dict[str, float] = field(default_factory=dict)
    all_ready: dict[str, float] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

    def pod(self, pod: Object) -> None:
        """A pod as it is now."""
        meta = pod["metadata"]
        if meta["uid"] not in self.known:
            self.known.add(meta["uid"])
            self.last_created = time.monotonic()
        if workers.ready(pod):
            job = meta["labels"][LABEL_JOB]
            self.ready.setdefault(meta["uid"], time.monotonic())
            self.all_ready[job] = max(self.all_ready.get(job, 0.0), self.ready[meta["uid"]])

    def training(self, training: Object) -> None:
        """A TrainingJob as it is now."""
        name, phase = training["metadata"]["name"], training.get("status", {}).get("phase")
        if phase == "Running":
            self.running.setdefault(name, time.monotonic())
        if phase == "Succeeded" and name in self.running:
            self.succeeded.add(name)


@dataclass
class Operator:
    """The process of the operator."""

    process: "subprocess.Popen[bytes]"
    port: int

    def metric(self, pattern: str) -> float:
        """Sum of the samples whose line begins with that."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text = answer.read().decode()
        return sum(
            float(line.rpartition(" ")[2]) for line in re.findall(f"^{pattern}.*$", text, re.M)
        )

    def writes(self) -> dict[str, float]:
        """What it has written so far: applies of children, statuses, and all together."""
        requests = r"kubefit_api_requests_total\{.*"
        status = self.metric(requests + f'resource="{PLURAL}",verb="patch"')
        patches = self.metric(requests + r'resource="(?!leases).*",verb="patch"')
        others = self.metric(requests + r'resource="(?!leases).*",verb="(?:post|delete)"')
        return {"applies": patches - status, "statuses": status, "writes": patches + others}

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Megabytes that were resident at most."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024


@contextlib.asynccontextmanager
async def watched(plane: ControlPlane) -> AsyncIterator[tuple[Connection, Seen]]:
    """The client's connection, and what its watches see."""
    configuration = client.Configuration()
    file = str(plane.kubeconfig("admin"))
    await config.load_kube_config(config_file=file, client_configuration=configuration)
    connection, seen = Connection(configuration, lambda *_: None), Seen()
    watches = [
        Watch(connection, path="api/v1/pods", selector=LABEL_JOB, put=seen.pod, drop=len),
        Watch(connection, path=f"apis/{API_VERSION}/{PLURAL}", put=seen.training, drop=len),
    ]
    tasks = [asyncio.create_task(watch.run()) for watch in watches]
    for watch in watches:
        await watch.listed.wait()
    metadata = {"name": NAMESPACE}
    await post(connection, "api/v1/namespaces", {"metadata": metadata})
    account = f"api/v1/namespaces/{NAMESPACE}/serviceaccounts/default"
    await until(lambda: _exists(connection, account))
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = f"api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"
    await post(connection, claims, {"metadata": {"name": "training"}, "spec": spec})
    try:
        yield connection, seen
    finally:
        for task in tasks:
            task.cancel()
        await connection.close()


@contextlib.contextmanager
def process(plane: ControlPlane, user: str, *command: str, **settings: str) -> Any:
    """A Python program beside the control plane."""
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig(user)), **settings}
    with (plane.folder / f"{user}-process.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=log, stderr=log
        )
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


@contextlib.asynccontextmanager
async def operating(plane: ControlPlane) -> AsyncIterator[Operator]:
    """The operator, once it leads and has looked at every job there is."""
    port = free_port()
    settings = {
        "KUBEFIT_TRAINER_IMAGE": "kubefit/trainer:dev",
        "KUBEFIT_LEASE_NAMESPACE": "default",
        "KUBEFIT_PORT": str(port),
    }
    with process(plane, "operator", "-m", "kubefit.controller", **settings) as started:
        operator = Operator(started, port)

        async def leads() -> bool:
            with contextlib.suppress(OSError):
                return operator.metric("kubefit_leader") == 1
            return False

        async def lasts() -> None:
            while started.poll() is None:
                await asyncio.sleep(1)
            log = (plane.folder / "operator-process.log").read_text().splitlines()
            raise SystemExit("\n".join(["the operator ended:", *log[-5:]]))

        guard = asyncio.create_task(lasts())
        await until(leads)
        yield operator
        guard.cancel()


async def settled(operator: Operator, finished: int) -> None:
    """Waits until it has looked at every job, and has next to nothing to do for a while."""
    while operator.metric(_PASSES) < finished:
        await asyncio.sleep(1)
    idle = False
    while not idle:
        cpu = operator.cpu()
        await asyncio.sleep(_QUIET_SECONDS)
        idle = operator.cpu() - cpu < _IDLE_CORES * _QUIET_SECONDS


async def until(condition: Callable[[], Any]) -> None:
    """Polls until it holds."""
    while not await condition():
        await asyncio.sleep(0.1)


async def post(connection: Connection, path: str, body: Object) -> Any:
    return await connection.request("POST", "", path, timeout=60, body=body)


async def _exists(connection: Connection, path: str) -> bool:
    with contextlib.suppress(Exception):
        await connection.request("GET", "", path, timeout=60)
        return True
    return False


async def at_once(work: Callable[[int], Any], number: int) -> None:
    """Carries out `work(0)`, `work(1)`, …, a few at a time."""
    free = asyncio.Semaphore(_AT_A_TIME)

    async def one(index: int) -> None:
        async with free:
            await work(index)

    await asyncio.gather(*(one(index) for index in range(number)))


async def submit_bare(connection: Connection, number: int, ranks: int) -> None:
    """Indexed Jobs with a headless Service each."""

    async def one(index: int) -> None:
        name = f"job-{index}"
        labels = {LABEL_JOB: name}
        service = {"clusterIP": "None", "selector": labels, "publishNotReadyAddresses": True}
        container = {"name": "trainer", "image": "kubefit/trainer:dev"}
        pod = {"subdomain": name, "restartPolicy": "Never", "containers": [container]}
        job = {
            "completionMode": "Indexed",
            "completions": ranks,
            "parallelism": ranks,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        metadata = {"metadata": {"name": name}}
        services = f"api/v1/namespaces/{NAMESPACE}/services"
        await post(connection, services, {**metadata, "spec": service})
        await post(
            connection, f"apis/batch/v1/namespaces/{NAMESPACE}/jobs", {**metadata, "spec": job}
        )

    await at_once(one, number)


def _training(name: str, ranks: int) -> dict[str, Any]:
    spec = {
        "workers": ranks,
        "storage": {"claim": "training"},
        "script": {"inline": "print(1)"},
    }
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


_TRAININGS = f"apis/{API_VERSION}/namespaces/{NAMESPACE}/{PLURAL}"


async def submit(connection: Connection, number: int, ranks: int) -> None:
    """TrainingJobs."""
    await at_once(
        lambda index: post(connection, _TRAININGS, _training(f"job-{index}", ranks)), number
    )


async def leave_finished(connection: Connection, number: int) -> None:
    """TrainingJobs that are over."""
    status = {
        "phase": "Succeeded",
        "observedGeneration": 1,
        "completionTime": "2026-01-01T00:00:00Z",
    }

    async def one(index: int) -> None:
        await post(connection, _TRAININGS, _training(f"old-{index}", 4))
        path = f"{_TRAININGS}/old-{index}/status"
        await connection.request(
            "PATCH",
            "",
            path,
            timeout=60,
            body={"status": status},
            content="application/merge-patch+json",
        )

    await at_once(one, number)


def nodes(plane: ControlPlane, number: int) -> contextlib.AbstractContextManager[None]:
    """Pods of so many jobs end, or train on."""
    return fake_nodes(plane, progress=True) if number >= _MANY else fake_nodes(plane, lasts=_LASTS)


async def bare(number: int, ranks: int) -> float:
    """Seconds until all pods of bare Jobs are created."""
    with tempfile.TemporaryDirectory() as folder, control_plane(Path(folder)) as plane:
        async with watched(plane) as (connection, seen):
            with nodes(plane, number):
                begun = time.monotonic()
                await submit_bare(connection, number, ranks)
                await until(_all(seen.known, number * ranks))
                return seen.last_created - begun


def _all(found: Any, number: int) -> Callable[[], Any]:
    async def enough() -> bool:
        return len(found) >= number

    return enough


async def with_operator(number: int, ranks: int, finished: int) -> dict[str, float]:
    """The figures of one case."""
    with tempfile.TemporaryDirectory() as folder, control_plane(Path(folder)) as plane:
        async with watched(plane) as (connection, seen):
            await leave_finished(connection, finished)
            with nodes(plane, number):
                async with operating(plane) as operator:
                    await settled(operator, finished)
                    return await _figures(connection, seen, operator, number, ranks)


async def _figures(
    connection: Connection, seen: Seen, operator: Operator, number: int, ranks: int
) -> dict[str, float]:
    writes, cpu, passes = operator.writes(), operator.cpu(), operator.metric(_PASSES)
    begun = time.monotonic()
    await submit(connection, number, ranks)
    await until(_all(seen.running, number))
    spent = 1000 * (operator.cpu() - cpu)
    found = {
        "seconds_to_pods": seen.last_created - begun,
        "seconds_to_running": max(seen.running.values()) - begun,
        "cpu_ms": spent / number,
        "pass_ms": spent / (operator.metric(_PASSES) - passes),
    }
    reactions = sorted(seen.running[job] - at for job, at in seen.all_ready.items())
    found["reaction_p50"] = statistics.median(reactions)
    found["reaction_p99"] = reactions[int(0.99 * (len(reactions) - 1))]
    if number >= _MANY:
        cpu, begun = operator.cpu(), time.monotonic()
        await asyncio.sleep(_STEADY_SECONDS)
        found["cores"] = (operator.cpu() - cpu) / (time.monotonic() - begun)
    else:
        await until(_all(seen.succeeded, number))
        after = operator.writes()
        found |= {name: (after[name] - writes[name]) / number for name in after}
    found["memory_mb"] = operator.memory()
    return found


async def measure(case: str) -> dict[str, Any]:
    match = re.fullmatch(r"(\d+)x(\d+)(?:\+(\d+))?", case)
    if match is None:
        raise SystemExit(f"{case}: give JOBSxWORKERS or JOBSxWORKERS+FINISHED")
    number, ranks, finished = (int(part or 0) for part in match.groups())
    found = await with_operator(number, ranks, finished)
    if finished:
        baseline = "none-finished"
        seconds = (await with_operator(number, ranks, 0))["seconds_to_pods"]
    else:
        baseline = "bare-job"
        seconds = await bare(number, ranks)
    return {
        "bench": "operator_scale",
        "case": case,
        "baseline": baseline,
        "ratio": round(seconds / found["seconds_to_pods"], 2),
        "baseline_seconds": round(seconds, 2),
        **{name: round(value, 2) for name, value in found.items()},
    }


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("cases", nargs="*", default=["1x4", "100x4", "1000x4", "1x256", "1x4+10000"])
    for case in made.parse_args().cases:
        print(json.dumps(asyncio.run(measure(case))), flush=True)


if __name__ == "__main__":
    main()
