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

    def claim(self, namespace: str, name: str, size: str = "10Mi") -> None:
        """Makes a claim to a volume of the cluster's default storage class."""
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
        self.apply({**claim, "metadata": {"name": name, "namespace": namespace}})

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


@pytest.fixture(scope="module")
def enforced(cluster: Cluster) -> Iterator[None]:
    """The network of the cluster enforces NetworkPolicies while tests of a module need it."""
    subprocess.run([*PROVISION, "enforce"], check=True)
    yield
    subprocess.run([*PROVISION, "relax"], check=True)


@pytest.fixture(scope="session")
def audit_log(cluster: Cluster) -> Path:
    """What the API server wrote down of the operator's requests, where it does."""
    path = _output("audit-log")
    if not path:
        pytest.skip("this cluster keeps no audit log of the operator on this machine")
    return Path(path)


CHART = ROOT / "charts/kubefit"
Install = Callable[..., None]


@pytest.fixture(scope="session")
def install(cluster: Cluster) -> Install:
    """`install(chart, *flags)`: installs a chart of KubeFit, or upgrades to it, as the tests do."""

    def run(chart: Path = CHART, *flags: str) -> None:
        images = ("operator", "trainer")
        settings = [f"image.{name}.repository=docker.io/kubefit/{name}" for name in images]
        settings += [f"image.{name}.tag=dev" for name in images]
        settings += ["gang.scheduler=kubernetes", "operator.tolerations[0].operator=Exists"]
        sets = [part for setting in settings for part in ("--set", setting)]
        cluster.helm(
            *("upgrade", "--install", "kubefit", str(chart), "-n", SYSTEM),
            *("--create-namespace", "--wait", "--timeout", "5m", *sets, *flags),
        )

    return run


@pytest.fixture(scope="session")
def operator(cluster: Cluster, install: Install) -> Iterator[str]:
    """KubeFit installed from the chart with the images built here; yields its namespace.

    No taint that a test sets drives the operator from its node.
    """
    install()
    yield SYSTEM
    cluster.helm("uninstall", "kubefit", "-n", SYSTEM, "--wait")


def _idle(name: str, **security: Any) -> dict[str, Any]:
    """A container of the trainer image that does nothing."""
    return {
        "name": name,
        "image": "docker.io/kubefit/trainer:dev",
        "imagePullPolicy": "IfNotPresent",
        "command": ["tini", "--", "sleep", "infinity"],
        "securityContext": security,
    }


def _run_pod(
    cluster: Cluster, name: str, namespace: str, spec: dict[str, Any], seconds: int = 300
) -> None:
    """Makes a pod and waits until it is ready."""
    metadata = {"name": name, "namespace": namespace}
    spec = {**spec, "terminationGracePeriodSeconds": 1}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    ready = ("wait", "--for=condition=Ready", f"pod/{name}", f"--timeout={seconds}s")
    cluster.kubectl("-n", namespace, *ready)


@pytest.fixture(scope="session")
def open_desk(cluster: Cluster) -> Callable[..., None]:
    """`open_desk(namespace, claims, seconds)`: a pod `desk` with each claim mounted at its path."""

    def open_in(namespace: str, claims: dict[str, str], seconds: int = 300) -> None:
        mounts = [{"name": name, "mountPath": path} for name, path in claims.items()]
        volumes = [{"name": n, "persistentVolumeClaim": {"claimName": n}} for n in claims]
        spec = {
            "securityContext": {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532},
            "containers": [_idle("desk") | {"volumeMounts": mounts}],
            "volumes": volumes,
        }
        _run_pod(cluster, "desk", namespace, spec, seconds)

    return open_in


_NODE = """
import sys
from pathlib import Path

name, uid = sys.argv[1:]
for entry in Path("/proc").glob("[0-9]*"):
    try:
        is_it = (entry / "comm").read_text().strip() == name if name else True
        # The systemd driver of control groups writes a pod's uid with underscores.
        if is_it and uid in (entry / "cgroup").read_text().replace("_", "-"):
            print(entry.name)
            break
    except OSError:
        continue
"""


@dataclass(frozen=True, slots=True)
class Node:
    """The cluster's node as its root sees it, from a pod that may do all."""

    cluster: Cluster
    namespace: str

    def run(self, *command: str) -> str:
        """Runs a program of the node; what it printed."""
        enter = ("nsenter", "--target", self._process("kubelet"), "--mount", "--")
        return self._in_pod(*enter, *command)

    def run_in_network_of(self, uid: str, *command: str) -> str:
        """Runs a program of the node in the network of the pod with that uid."""
        return self.run("nsenter", "--target", self._process(of_pod=uid), "--net", "--", *command)

    def _process(self, name: str = "", *, of_pod: str = "") -> str:
        return self._in_pod("python", "-c", _NODE, name, of_pod).strip()

    def _in_pod(self, *command: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, "exec", "node", "--", *command)


@pytest.fixture(scope="session")
def open_node(cluster: Cluster) -> Callable[[str], Node]:
    """`open_node(namespace)`: a pod `node` there, to do what only root on the node can."""

    def open_in(namespace: str) -> Node:
        spec = {"hostPID": True, "containers": [_idle("node", privileged=True, runAsUser=0)]}
        _run_pod(cluster, "node", namespace, spec)
        return Node(cluster, namespace)

    return open_in
