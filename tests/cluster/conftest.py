"""The cluster that these tests run on, and the operator installed in it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

ROOT = Path(__file__).parents[2]
PROVISION = [sys.executable, str(ROOT / "tests/cluster/provision")]
SYSTEM = "kubefit-system"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as its administrator sees it."""

    kubeconfig: Path
    tools: Path

    @property
    def kubectl_command(self) -> list[str]:
        """The start of every kubectl command line."""
        return [str(self.tools / "kubectl"), f"--kubeconfig={self.kubeconfig}"]

    def try_kubectl(
        self, *arguments: str, text: str | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Runs kubectl and returns what became of it."""
        return subprocess.run(
            [*self.kubectl_command, *arguments], input=text, capture_output=True, text=True
        )

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Runs kubectl; what it printed. Fails the test when kubectl failed."""
        done = self.try_kubectl(*arguments, text=text)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def helm(self, *arguments: str) -> str:
        """Runs helm; what it printed. Fails the test when helm failed."""
        command = [str(self.tools / "helm"), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *documents: dict[str, Any]) -> None:
        """`kubectl apply` of objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("apply", "-f", "-", text=json.dumps(items))

    def get(
        self, kinds: str, name: str = "", *, namespace: str = "default", selector: str = ""
    ) -> dict[str, Any]:
        """`kubectl get` as a dictionary: one object, or a list without a name."""
        command = ["-n", namespace, "get", kinds, "-o", "json"]
        command += [name] if name else []
        command += ["-l", selector] if selector else []
        return json.loads(self.kubectl(*command))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster with the project's images; one that the tests brought up is taken down again."""
    subprocess.run([*PROVISION, "test-packages"], check=True)
    subprocess.run([*PROVISION, "tools"], check=True)
    state = Path(_output("kubeconfig"))
    was_up = state.exists()
    subprocess.run([*PROVISION, "up", "--images"], check=True)
    yield Cluster(kubeconfig=state, tools=Path(_output("tools-path")))
    if not was_up and "KUBEFIT_TEST_KUBECONFIG" not in os.environ:
        subprocess.run([*PROVISION, "down"], check=True)


def _output(command: str) -> str:
    done = subprocess.run([*PROVISION, command], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def await_value(read: Callable[[], T], seconds: float) -> T:
    """Polls until `read` returns something true, and returns that."""
    deadline = time.monotonic() + seconds
    while not (value := read()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds:.0f} s"
        time.sleep(0.5)
    return value


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], T], float], T]:
    """`eventually(read, seconds)`: polls until `read()` is true, else fails the test."""
    return await_value


@pytest.fixture(scope="session")
def operator(cluster: Cluster) -> Iterator[str]:
    """KubeFit installed from the chart with the images built here; yields its namespace."""
    images = ("operator", "trainer")
    settings = [f"image.{name}.repository=docker.io/kubefit/{name}" for name in images]
    settings += [f"image.{name}.tag=dev" for name in images]
    flags = [part for setting in settings for part in ("--set", setting)]
    cluster.helm(
        *("upgrade", "--install", "kubefit", str(ROOT / "charts/kubefit"), "-n", SYSTEM),
        *("--create-namespace", "--wait", "--timeout", "5m", *flags),
    )
    yield SYSTEM
    cluster.helm("uninstall", "kubefit", "-n", SYSTEM, "--wait")


@pytest.fixture(scope="session")
def open_desk(cluster: Cluster) -> Callable[..., None]:
    """`open_desk(namespace, claims, seconds)`: a pod `desk` with each claim mounted at its path."""

    def open_in(namespace: str, claims: dict[str, str], seconds: int = 300) -> None:
        mounts = [{"name": name, "mountPath": path} for name, path in claims.items()]
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "desk", "namespace": namespace},
                "spec": {
                    "securityContext": {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532},
                    "containers": [
                        {
                            "name": "desk",
                            "image": "docker.io/kubefit/trainer:dev",
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["tini", "--", "sleep", "infinity"],
                            "volumeMounts": mounts,
                        }
                    ],
                    "volumes": [
                        {"name": name, "persistentVolumeClaim": {"claimName": name}}
                        for name in claims
                    ],
                    "terminationGracePeriodSeconds": 1,
                },
            }
        )
        ready = ("wait", "--for=condition=Ready", "pod/desk", f"--timeout={seconds}s")
        cluster.kubectl("-n", namespace, *ready)

    return open_in
