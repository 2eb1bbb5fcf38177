"""Stands for all nodes and all agents of a control plane: `python bench/fake_kubelet.py`.

Pods are bound, then run, then are ready; with `--lasts` they succeed so many seconds later. All
have the address of this machine, where one server answers what agents answer: a chief trains, and
with `--progress` a step farther each time.
"""

import argparse
import asyncio
import datetime
import multiprocessing
import signal
import socket
import sys
import time
from typing import Any

from aiohttp import web
from watch import Watch

from kubefit.api.contract import AGENT_PORT, AgentPhase, TrainerPhase, TrainerReport, WorkerStatus
from kubefit.api.names import CONTAINER, LABEL_JOB
from kubefit.controller.connection import ApiError, Connection, UnreachableError
from kubefit.core.observed import Object

NODE = "fake"
_LEASE_SECONDS = 10.0
_STEP_SECONDS = 0.2
"""Between being bound, running and being ready, and before a request is tried again."""
_DONE = (404, 409)
"""Answers about a pod that was deleted meanwhile, and to a request that was carried out before."""
_AGAIN = (429, 500, 502, 503, 504)


class Kubelet:
    """Carries pods through their lives."""

    def __init__(self, connection: Connection, lasts: float) -> None:
        self._connection = connection
        self._lasts = lasts
        self._address = _address()
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._ended: set[str] = set()
        """Pods that were told to end."""

    async def run(self) -> None:
        """Until the process is ended."""
        await self._add_node()
        watch = Watch(
            self._connection, path="api/v1/pods", selector=LABEL_JOB, put=self._take, drop=len
        )
        await watch.run()

    def _take(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._lives:
            self._lives[uid] = asyncio.create_task(self._live(pod))
        if "deletionTimestamp" in pod["metadata"] and uid not in self._ended:
            self._ended.add(uid)
            self._lives[uid].cancel()
            self._lives[uid] = asyncio.create_task(self._end(pod))

    async def _end(self, pod: Object) -> None:
        meta = pod["metadata"]
        path = f"api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
        await self._write("DELETE", path, options)

    async def _live(self, pod: Object) -> None:
        meta = pod["metadata"]
        path = f"api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
        target = {"target": {"apiVersion": "v1", "kind": "Node", "name": NODE}}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]}}
        await self._write("POST", f"{path}/binding", {**binding, **target})
        await asyncio.sleep(_STEP_SECONDS)
        began = _now()
        running = {"state": {"running": {"startedAt": began}}}
        where = {"podIP": self._address, "podIPs": [{"ip": self._address}], "startTime": began}
        await self._tell(path, "Running", ready=False, container=running, **where)
        await asyncio.sleep(_STEP_SECONDS)
        await self._tell(path, "Running", ready=True, container=running)
        if self._lasts:
            await asyncio.sleep(self._lasts)
            ended = {"exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": _now()}
            await self._tell(
                path, "Succeeded", ready=False, container={"state": {"terminated": ended}}
            )

    async def _tell(
        self, path: str, phase: str, *, ready: bool, container: dict[str, Any], **more: Any
    ) -> None:
        image = {"name": CONTAINER, "ready": ready, "image": "", "imageID": "", "restartCount": 0}
        kinds = {
            "PodScheduled": True,
            "Initialized": True,
            "ContainersReady": ready,
            "Ready": ready,
        }
        status = {
            **more,
            "phase": phase,
            "conditions": [{"type": kind, "status": str(is_so)} for kind, is_so in kinds.items()],
            "containerStatuses": [{**image, **container}],
        }
        await self._write("PATCH", f"{path}/status", {"status": status})

    async def _add_node(self) -> None:
        made = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
        await self._write("POST", "api/v1/nodes", made)
        ready = {"type": "Ready", "status": "True", "reason": "Fake", "lastHeartbeatTime": _now()}
        await self._write(
            "PATCH", f"api/v1/nodes/{NODE}/status", {"status": {"conditions": [ready]}}
        )
        self._lives["lease"] = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        leases = "apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NODE},
        }
        spec = {"holderIdentity": NODE, "leaseDurationSeconds": 40}
        await self._write("POST", leases, {**lease, "spec": spec})
        while True:
            now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            await self._write("PATCH", f"{leases}/{NODE}", {"spec": {"renewTime": now}})
            await asyncio.sleep(_LEASE_SECONDS)

    async def _write(self, verb: str, path: str, body: dict[str, Any]) -> None:
        content = "application/merge-patch+json" if verb == "PATCH" else "application/json"
        while True:
            try:
                await self._connection.request(
                    verb, "", path, timeout=60, body=body, content=content
                )
                return
            except (UnreachableError, TimeoutError):
                await asyncio.sleep(_STEP_SECONDS)
            except ApiError as error:
                if error.code in _DONE:
                    return
                if error.code not in _AGAIN:
                    raise
                await asyncio.sleep(_STEP_SECONDS)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _address() -> str:
    """Of this machine, as others see it: endpoints may not be on the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 1))  # sends nothing
        return str(probe.getsockname()[0])


async def _serve_agents(progress: bool) -> None:
    begun = time.time()

    async def status(_: web.Request) -> web.Response:
        now = time.time()
        steps = {
            "epoch": 1,
            "epochs": 10,
            "steps_per_epoch": 100_000,
            "loss": 1 / (1 + now - begun),
        }
        moved = {**steps, "step": int(10 * (now - begun)), "updated": now} if progress else {}
        report = TrainerReport(phase=TrainerPhase.TRAINING, **{"updated": begun, **moved})
        chief = WorkerStatus(rank=0, workers=4, attempt=1, phase=AgentPhase.RUNNING, report=report)
        return web.Response(
            text=chief.model_dump_json(by_alias=True), content_type="application/json"
        )

    app = web.Application()
    app.add_routes([web.get("/status", status)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", AGENT_PORT).start()
    await asyncio.Event().wait()


def _agents(progress: bool) -> None:
    asyncio.run(_serve_agents(progress))


async def _run(lasts: float) -> None:
    await Kubelet(await Connection.open(lambda *_: None), lasts).run()


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--lasts", type=float, default=0.0)
    made.add_argument("--progress", action="store_true")
    arguments = made.parse_args()
    # In a process of their own, they answer at once however many pods are carried through life.
    agents = multiprocessing.Process(target=_agents, args=(arguments.progress,), daemon=True)
    agents.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # which ends them too
    asyncio.run(_run(arguments.lasts))


if __name__ == "__main__":
    main()
