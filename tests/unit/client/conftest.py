"""An HTTP server that keeps TrainingJobs as an API server does, as far as the client asks."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

NAMESPACE = "team"
_JOBS = re.compile(rf"/apis/kubefit\.dev/v1alpha1/namespaces/{NAMESPACE}/trainingjobs(?:/(.+))?")
_PODS = re.compile(rf"/api/v1/namespaces/{NAMESPACE}/pods(?:/(.+)-0/log)?")


@dataclass
class Stored:
    """What the server has."""

    kubeconfig: Path
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    """Output of the chief, by the name of the job."""
    submitted: list[str] = field(default_factory=list)

    def end(self, name: str, phase: str, **status: Any) -> None:
        """Writes a status as an operator would."""
        self.jobs[name]["status"] = {"phase": phase, **status}


class _Server(ThreadingHTTPServer):
    stored: Stored


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        job, pod = _JOBS.fullmatch(address.path), _PODS.fullmatch(address.path)
        if job:
            self._of_job(job[1], query, body)
        elif pod and pod[1]:
            lines = self.server.stored.logs[pod[1]].splitlines()
            stamped = [f"2026-01-01T00:00:00.{n:09d}Z {x}" for n, x in enumerate(lines, 1)]
            self._send(200, "".join(f"{line}\n" for line in stamped).encode())
        elif pod:
            name = query["labelSelector"].partition(",")[0].partition("=")[2]
            found = [_pod(name)] if name in self.server.stored.logs else []
            self._send_json(200, {"items": found})
        else:
            self._send_json(404, {"message": "not found"})

    def _of_job(self, name: str | None, query: dict[str, str], body: bytes) -> None:
        jobs = self.server.stored.jobs
        if name is None:
            wanted = [x.split("=") for x in query.get("labelSelector", "").split(",") if x]
            items = [
                job
                for job in jobs.values()
                if all(job["metadata"].get("labels", {}).get(key) == value for key, value in wanted)
            ]
            self._send_json(200, {"items": items})
        elif self.command == "PATCH" and "apply" in self.headers["Content-Type"]:
            given = json.loads(body)
            if name not in jobs:
                self.server.stored.submitted.append(name)
            given["metadata"] |= {"namespace": NAMESPACE, "uid": "1"}
            jobs[name] = {**given, "status": jobs.get(name, {}).get("status", {})}
            self._send_json(200, jobs[name])
        elif name not in jobs:
            details = {"kind": "trainingjobs", "name": name}
            self._send_json(404, {"message": "not found", "details": details})
        elif self.command == "PATCH":
            jobs[name] = _merged(jobs[name], json.loads(body))
            self._send_json(200, jobs[name])
        else:
            self._send_json(200, jobs.pop(name) if self.command == "DELETE" else jobs[name])

    def _send_json(self, code: int, document: Any) -> None:
        self._send(code, json.dumps(document).encode())

    def _send(self, code: int, data: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _merged(before: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    found = dict(before)
    for name, value in change.items():
        deep = isinstance(value, dict) and isinstance(found.get(name), dict)
        found[name] = _merged(found[name], value) if deep else value
    return found


def _pod(name: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"{name}-0",
            "uid": name,
            "labels": {"batch.kubernetes.io/job-completion-index": "0"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "status": {
            "containerStatuses": [
                {"name": "trainer", "restartCount": 0, "state": {"terminated": {}}}
            ]
        },
    }


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    """A cluster's jobs; its kubeconfig leads to a server that keeps them."""
    server = _Server(("127.0.0.1", 0), _Handler)
    kubeconfig = tmp_path / "kubeconfig"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    kubeconfig.write_text(yaml.safe_dump(document))
    server.stored = Stored(kubeconfig)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.stored
    server.shutdown()
    server.server_close()
    thread.join()
