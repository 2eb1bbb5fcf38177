"""Commands against a real HTTP server that answers as an API server refuses."""

import datetime
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from kubefit.cli import app

JOB = {
    "apiVersion": "kubefit.dev/v1alpha1",
    "kind": "TrainingJob",
    "metadata": {"name": "digits", "namespace": "team", "uid": "1", "generation": 1},
    "spec": {"storage": {"claim": "c"}, "script": {"inline": "print(1)"}},
}
_NOT_CHECKED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid"
)
Answer = tuple[int, Any]
Ask = Callable[..., Result]


class _Server(ThreadingHTTPServer):
    answers: dict[tuple[str, str], Answer]
    seen: list[tuple[str, str, str]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.seen.append((self.command, self.path, body))
        path = self.path.partition("?")[0]
        code, found = self.server.answers.get((self.command, path), (404, _status(404, path)))
        data = found.encode() if isinstance(found, str) else json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PATCH = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _status(code: int, message: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "message": message, "details": details}


@pytest.fixture
def server() -> Iterator[_Server]:
    serving = _Server(("127.0.0.1", 0), _Handler)
    serving.answers, serving.seen = {}, []
    thread = Thread(target=serving.serve_forever)
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


def _kubeconfig(folder: Path, port: int) -> Path:
    file = folder / "kubeconfig"
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "team"}},
        {"name": "two", "context": {"cluster": "c", "user": "u"}},
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": contexts,
    }
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture
def ask(server: _Server, tmp_path: Path) -> Ask:
    """Runs a command against the server."""
    kubeconfig = _kubeconfig(tmp_path, server.server_port)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--kubeconfig", str(kubeconfig)])

    return run


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    file = tmp_path / "job.yaml"
    kept = {"apiVersion", "kind", "spec"}
    document = {name: value for name, value in JOB.items() if name in kept}
    file.write_text(yaml.safe_dump({**document, "metadata": {"name": "digits"}}))
    return str(file)


def _path(name: str = "", namespace: str = "team") -> str:
    base = f"/apis/kubefit.dev/v1alpha1/namespaces/{namespace}/trainingjobs"
    return f"{base}/{name}" if name else base


def test_submit_applies_on_the_server_side_into_the_context_s_namespace(
    server: _Server, ask: Ask, manifest: str
) -> None:
    server.answers["PATCH", _path("digits")] = 201, JOB
    result = ask("submit", manifest)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "trainingjob digits in namespace team submitted\n"
    ((_, path, body),) = server.seen
    assert "fieldManager=kubefit-cli" in path
    assert "fieldValidation=Strict" in path
    assert json.loads(body)["spec"] == JOB["spec"]


def test_a_dry_run_on_the_server_stores_nothing(server: _Server, ask: Ask, manifest: str) -> None:
    server.answers["PATCH", _path("digits")] = 200, JOB
    assert "nothing was stored" in ask("submit", manifest, "--dry-run", "server").stdout
    assert "dryRun=All" in server.seen[0][1]


def test_a_dry_run_on_the_client_sends_nothing(server: _Server, ask: Ask, manifest: str) -> None:
    assert ask("submit", manifest, "--dry-run", "client").exit_code == 0
    assert server.seen == []


def test_every_cause_of_a_refusal_is_a_sentence_of_its_own(
    server: _Server, ask: Ask, manifest: str
) -> None:
    causes = [
        {
            "reason": "FieldValueInvalid",
            "field": "spec",
            "message": 'Invalid value: "object": set exactly one of recipe and script',
        },
        {
            "reason": "FieldValueInvalid",
            "field": "metadata.name",
            "message": "Invalid value: metadata.name: at most 51 characters",
        },
        {"reason": "FieldValueInvalid", "field": "<nil>", "message": _NOT_CHECKED},
        {
            "reason": "FieldValueInvalid",
            "field": "spec.workers",
            "message": "Invalid value: 0: spec.workers in body should be at least 1",
        },
    ]
    server.answers["PATCH", _path("digits")] = 422, _status(422, "is invalid", causes=causes)
    result = ask("submit", manifest)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: spec: set exactly one of recipe and script",
        "error: metadata.name: at most 51 characters",
        "error: spec.workers: 0 should be at least 1",
    ]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (400, 'strict decoding error: unknown field "spec.wrokers"'),
        (
            500,
            "failed to create typed patch object (team/digits; kubefit.dev/v1alpha1, Kind=Training"
            "Job): .spec.wrokers: field not declared in schema",
        ),
    ],
)
def test_unknown_fields_are_named(
    code: int, message: str, server: _Server, ask: Ask, manifest: str
) -> None:
    server.answers["PATCH", _path("digits")] = code, _status(code, message)
    result = ask("submit", manifest)
    assert (result.exit_code, result.stderr) == (2, "error: spec.wrokers: unknown field\n")


@pytest.mark.parametrize(
    ("code", "answer", "words"),
    [
        (404, _status(404, "x", kind="trainingjobs", name="digits"), "there is no TrainingJob"),
        (404, "404 page not found\n", "this cluster does not know TrainingJobs"),
        (403, _status(403, "jane cannot get it"), "does not allow it: jane cannot get it"),
        (503, "etcd is away", "the API server is not ready (503): etcd is away"),
        (418, _status(418, "teapot"), "the API server refuses (418): teapot"),
    ],
)
def test_trouble_of_the_cluster_is_one_sentence_and_exit_code_3(
    code: int, answer: Any, words: str, server: _Server, ask: Ask
) -> None:
    server.answers["GET", _path("digits")] = code, answer
    for command in ("get", "watch", "logs"):
        result = ask(command, "digits")
        assert result.exit_code == 3
        (error, *_) = result.stderr.splitlines()
        assert words in error
        assert "Traceback" not in result.stderr


def test_an_api_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with _Server(("127.0.0.1", 0), _Handler) as closed:
        port = closed.server_port
    kubeconfig = str(_kubeconfig(tmp_path, port))
    result = CliRunner().invoke(app, ["list", "--kubeconfig", kubeconfig])
    assert result.exit_code == 3
    assert f"the API server http://127.0.0.1:{port} does not answer" in result.stderr


def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for options in (["--kubeconfig", str(tmp_path / "none")], ["--context", "nowhere"]):
        if "--context" in options:
            options += ["--kubeconfig", str(_kubeconfig(tmp_path, 1))]
        result = CliRunner().invoke(app, ["list", *options])
        assert result.exit_code == 3
        assert "the kubeconfig cannot be used" in result.stderr


def test_namespace_options_win_over_the_context(server: _Server, ask: Ask) -> None:
    for namespace in ("team", "other", "default"):
        server.answers["GET", _path(namespace=namespace)] = 200, {"items": []}
    assert "no TrainingJobs in namespace other" in ask("list", "-n", "other").stderr
    assert "no TrainingJobs in namespace default" in ask("list", "--context", "two").stderr
    assert "no TrainingJobs in namespace team" in ask("list").stderr


def test_a_list_has_the_columns_of_kubectl(server: _Server, ask: Ask) -> None:
    status = {"phase": "Running", "summary": {"ready": "2/2", "epoch": "3/10", "loss": "0.1234"}}
    metadata = {**JOB["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}
    server.answers["GET", _path()] = (
        200,
        {"items": [{**JOB, "metadata": metadata, **{"status": status}}]},
    )
    header, row = ask("list").stdout.splitlines()
    assert " ".join(header.split()) == "NAME STATE READY EPOCH PROGRESS LOSS RESTARTS AGE"
    assert row.split()[:5] == ["digits", "Running", "2/2", "3/10", "0.1234"]


def test_getting_a_job_shows_its_last_failures_and_the_output_of_the_newest(
    server: _Server, ask: Ask
) -> None:
    old = {
        "reason": "Evicted",
        "message": "rank 0 (pod a): evicted",
        "time": "2026-01-02T03:04:05Z",
    }
    new = {"reason": "UserError", "message": "rank 1 (pod b): no", "details": "one\ntwo"}
    status = {"phase": "Restarting", "failure": new, "failures": [old, new]}
    server.answers["GET", _path("digits")] = (200, {**JOB, "status": status})
    lines = [" ".join(line.split()) for line in ask("get", "digits").stdout.splitlines()]
    first = lines.index("failure UserError: rank 1 (pod b): no")
    assert lines[first + 1 : first + 4] == [
        "one",
        "two",
        "earlier 2026-01-02 03:04:05 Evicted: rank 0 (pod a): evicted",
    ]


def test_watching_a_failed_job_gives_its_first_cause_and_exit_code_1(
    server: _Server, ask: Ask
) -> None:
    said = "rank 1 (pod digits-1): KeyError: 'price'"
    failure = {"reason": "UserError", "message": said, "pod": "digits-1", "rank": 1}
    server.answers["GET", _path("digits")] = (
        200,
        {**JOB, "status": {"phase": "Failed", "failure": failure}},
    )
    result = ask("watch", "digits")
    assert result.exit_code == 1
    assert f"error: digits failed: {said}" in result.stderr
    assert "hint: kubefit logs digits -n team --rank 1" in result.stderr


def test_logs_carry_the_worker_and_follow_to_the_end(server: _Server, ask: Ask) -> None:
    server.answers["GET", _path("digits")] = 200, {**JOB, "status": {"phase": "Succeeded"}}
    server.answers["GET", "/api/v1/namespaces/team/pods"] = 200, {"items": [_pod(1), _pod(0)]}
    for rank in (0, 1):
        text = f"2026-01-01T00:00:00.1Z hello\n2026-01-01T00:00:00.2Z from {rank}\n"
        server.answers["GET", f"/api/v1/namespaces/team/pods/digits-{rank}-x/log"] = 200, text
    expected = [f"worker-{rank} | {text}" for rank in (0, 1) for text in ("hello", f"from {rank}")]
    assert ask("logs", "digits").stdout.splitlines() == expected
    assert sorted(ask("logs", "digits", "-f").stdout.splitlines()) == sorted(expected)
    assert ask("logs", "digits", "--rank", "1").exit_code == 2


def test_logs_of_a_job_without_pods_say_where_the_output_is(server: _Server, ask: Ask) -> None:
    server.answers["GET", _path("digits")] = 200, {**JOB, "status": {"phase": "Succeeded"}}
    server.answers["GET", "/api/v1/namespaces/team/pods"] = 200, {"items": []}
    result = ask("logs", "digits")
    assert result.exit_code == 3
    assert "the job's volume keeps all output in team/digits/logs" in result.stderr
    for options in (["--attempt", "1"], ["--from-volume", "-f"]):
        assert ask("logs", "digits", *options).exit_code == 2


def test_a_job_is_explained_also_to_whoever_may_not_look_at_pods(server: _Server, ask: Ask) -> None:
    condition = {
        "type": "PodsReady",
        "status": "False",
        "reason": "Waiting",
        "message": "0 of 1 workers are ready",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    found = {**JOB, "status": {"phase": "Starting", "conditions": [condition]}}
    server.answers["GET", _path("digits")] = 200, found
    for resource in ("pods", "events"):
        refused = 403, _status(403, "jane cannot list")
        server.answers["GET", f"/api/v1/namespaces/team/{resource}"] = refused
    told = ask("explain", "digits")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith("team/digits is Starting: 0 of 1 workers are ready. It waits: ")
    event = {
        "involvedObject": {"kind": "Pod", "name": "digits-0-x"},
        "reason": "FailedMount",
        "message": "no such secret",
        "lastTimestamp": datetime.datetime.now(datetime.UTC).isoformat(),
    }
    pod = {**_pod(0), "status": {"phase": "Pending"}}
    server.answers["GET", "/api/v1/namespaces/team/pods"] = 200, {"items": [pod]}
    server.answers["GET", "/api/v1/namespaces/team/events"] = 200, {"items": [event]}
    document = json.loads(ask("explain", "digits", "-o", "json").stdout)
    assert "pod digits-0-x is FailedMount: no such secret" in document["cause"]


def test_the_doctor_says_what_is_missing_and_what_it_may_not_look_at(
    server: _Server, ask: Ask
) -> None:
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    server.answers["POST", review] = 201, {"status": {"allowed": True}}
    server.answers["GET", "/version"] = 200, {"gitVersion": "v1.37.0", "major": "1", "minor": "37"}
    server.answers["GET", "/api/v1/nodes"] = 403, _status(403, "jane cannot list")
    operators = "/apis/apps/v1/deployments"
    server.answers["GET", operators] = 403, _status(403, "jane cannot list")
    own = "/apis/apps/v1/namespaces/kubefit-system/deployments"
    server.answers["GET", own] = 200, {"items": []}
    result = ask("doctor")
    assert result.exit_code == 1, result.stderr
    lines = {line.split()[1]: line for line in result.stdout.splitlines()}
    assert lines["cluster"].startswith("ok ")
    assert lines["definition"].startswith("fail ")
    assert lines["operator"].startswith("fail ")
    assert lines["rights"].startswith("ok ")
    assert lines["nodes"].startswith("unknown  nodes       not allowed to look: ")


def _pod(rank: int) -> dict[str, Any]:
    state = {"terminated": {"exitCode": 0}}
    return {
        "metadata": {
            "name": f"digits-{rank}-x",
            "uid": str(rank),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"batch.kubernetes.io/job-completion-index": str(rank)},
        },
        "status": {"containerStatuses": [{"name": "trainer", "restartCount": 0, "state": state}]},
    }
