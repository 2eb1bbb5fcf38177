"""The commands that need a cluster, on a real one: submit, watch, logs, list, get, delete."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

NAMESPACE = "command-line"
KUBEFIT = str(Path(sys.executable).with_name("kubefit"))
TRAINS = """
import keras
import numpy as np

print("hello from", keras.distribution.__name__)
x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int32")
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=16, epochs=100, verbose=0)
model.evaluate(x, y, verbose=0)
print("goodbye")
"""
Start = Callable[..., "subprocess.Popen[str]"]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def namespace(cluster, operator) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=true")


@pytest.fixture
def start(cluster, namespace) -> Start:
    """Starts the command against the cluster, in the namespace of these tests."""

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        options = ["--kubeconfig", str(cluster.kubeconfig), "-n", namespace]
        environment = {**os.environ, "NO_COLOR": "1"}
        command = [KUBEFIT, *arguments, *options]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)

    return begin


@pytest.fixture
def kubefit(start) -> Command:
    """Runs the command to its end."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        process = start(*arguments)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    return run


def _manifest(
    folder: Path, name: str, source: str, *, workers: int = 2, **more: dict[str, Any]
) -> str:
    document: dict[str, Any] = {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name},
        "spec": {
            "workers": workers,
            "storage": {"create": {"size": "100Mi", "accessMode": "ReadWriteOnce"}},
            "script": {"inline": source},
            **more,
        },
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(document))
    return str(file)


def test_a_job_is_submitted_watched_read_listed_and_deleted(
    kubefit: Command, tmp_path: Path
) -> None:
    done = kubefit("submit", _manifest(tmp_path, "trains", TRAINS), "--watch")
    assert done.returncode == 0, done.stderr
    assert f"trainingjob trains in namespace {NAMESPACE} submitted" in done.stdout
    assert "trains: succeeded" in done.stdout
    assert "accuracy" in done.stdout
    assert "Running 2/2 ready" in done.stderr

    for arguments in (["logs", "trains"], ["logs", "trains", "-f"]):
        output = kubefit(*arguments).stdout.splitlines()
        for rank in (0, 1):
            assert f"worker-{rank} | goodbye" in output
    assert "worker-0 |" not in kubefit("logs", "trains", "--rank", "1").stdout

    header, row = kubefit("list").stdout.splitlines()
    assert header.startswith("NAME")
    assert row.split()[:2] == ["trains", "Succeeded"]
    assert "Complete True Succeeded" in kubefit("get", "trains").stdout
    job = json.loads(kubefit("get", "trains", "-o", "json").stdout)
    assert job["status"]["phase"] == "Succeeded"

    explained = kubefit("explain", "trains").stdout
    assert f"{NAMESPACE}/trains succeeded at " in explained
    assert f"Results are on the claim trains in {NAMESPACE}/trains." in explained

    assert "deleted" in kubefit("delete", "trains").stdout
    gone = kubefit("get", "trains")
    assert gone.returncode == 3
    assert f"there is no TrainingJob trains in namespace {NAMESPACE}" in gone.stderr


def test_logs_follow_from_before_the_start_to_the_end(
    kubefit: Command, start: Start, cluster, tmp_path: Path
) -> None:
    # The programs' lines are JSON in the pods, and text again for people.
    trainer = {"name": "trainer", "env": [{"name": "KUBEFIT_LOG_FORMAT", "value": "json"}]}
    policy, pods = {"suspend": True}, {"spec": {"containers": [trainer]}}
    manifest = _manifest(tmp_path, "followed", TRAINS, runPolicy=policy, podTemplate=pods)
    submitted = kubefit("submit", manifest)
    assert submitted.returncode == 0, submitted.stderr
    following = start("logs", "followed", "-f")
    assert "waiting for workers: " in following.stderr.readline()
    resumed = json.dumps({"spec": {"runPolicy": {"suspend": False}}})
    cluster.kubectl("patch", "tj", "followed", "-n", NAMESPACE, "--type=merge", "-p", resumed)
    stdout, stderr = following.communicate()
    assert following.returncode == 0, stderr
    lines = stdout.splitlines()
    for rank in (0, 1):
        assert lines.count(f"worker-{rank} | goodbye") == 1
    chief = "kubefit.dev/job=followed,batch.kubernetes.io/job-completion-index=0"
    output = cluster.kubectl("logs", "-n", NAMESPACE, "-l", chief, "--tail=-1").splitlines()
    (goodbye,) = [told for told in map(json.loads, output) if told["message"] == "goodbye"]
    known = {name: goodbye[name] for name in ("namespace", "job", "rank", "attempt", "source")}
    assert known == {
        "namespace": NAMESPACE,
        "job": "followed",
        "rank": 0,
        "attempt": 1,
        "source": "trainer",
    }
    kept = kubefit("logs", "followed", "--from-volume", "--rank", "1")
    assert kept.returncode == 0, kept.stderr
    assert "worker-1 | goodbye" in kept.stdout.splitlines()
    absent = kubefit("logs", "followed", "--from-volume", "--attempt", "7")
    assert absent.returncode == 3
    assert "no such log of attempt 7; attempts are [1]" in absent.stderr
    assert "followed-logs" not in cluster.kubectl("get", "pods", "-n", NAMESPACE)


def test_a_job_that_fails_gives_its_cause_and_exit_code_1(kubefit: Command, tmp_path: Path) -> None:
    source = "def prices():\n    raise KeyError('price')\n\nprices()\n"
    done = kubefit("submit", _manifest(tmp_path, "fails", source), "--watch")
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "fails failed" in error
    assert "KeyError: 'price'" in error
    explained = kubefit("explain", "fails").stdout
    assert "because of UserError, attempt 1: rank " in explained
    assert "KeyError: 'price'" in explained
    assert "kubefit delete fails" in explained


def test_the_doctor_finds_this_cluster_fit(kubefit: Command) -> None:
    done = kubefit("doctor")
    assert done.returncode == 0, done.stdout
    levels = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    sound = ("cluster", "definition", "operator", "leader", "rights", "namespace", "dns", "nodes")
    assert {check: levels[check] for check in sound} == dict.fromkeys(sound, "ok"), done.stdout


def test_a_dry_run_on_the_server_stores_nothing(kubefit: Command, tmp_path: Path) -> None:
    done = kubefit("submit", _manifest(tmp_path, "dry", TRAINS), "--dry-run", "server")
    assert done.returncode == 0, done.stderr
    assert kubefit("get", "dry").returncode == 3


def test_what_cannot_be_changed_is_refused_in_one_sentence(
    kubefit: Command, tmp_path: Path
) -> None:
    assert kubefit("submit", _manifest(tmp_path, "fixed", TRAINS)).returncode == 0
    changed = kubefit("submit", _manifest(tmp_path, "fixed", TRAINS + "print('more')\n"))
    assert changed.returncode == 2
    assert "spec.script cannot be changed on an existing job" in changed.stderr
    assert kubefit("delete", "fixed").returncode == 0
