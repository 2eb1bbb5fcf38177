"""A control plane of etcd, API servers and controller manager with default flags, and no node."""

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PROVISION = [sys.executable, str(ROOT / "tests/cluster/provision")]
_USERS = {
    "admin": '"system:masters"',
    "operator": "",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "kwok": '"system:nodes"',
}
_SERVED = ["get", "trainingjobs", "--all-namespaces"]


class ControlPlane:
    """Its processes, of which each API server can be killed and started again."""

    def __init__(self, folder: Path, programs: Path, ports: tuple[int, ...], front: str) -> None:
        self.folder = folder
        self._programs = programs
        self._front = front or f"https://127.0.0.1:{ports[0]}"
        self._etcd, self._peers = free_port(), free_port()
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        self._key = folder / "service-accounts.key"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of one of the users."""
        file = self.folder / f"{user.rpartition(':')[2]}.kubeconfig"
        server = {"server": self._front, "insecure-skip-tls-verify": True}
        context = {"name": "bench", "context": {"cluster": "bench", "user": user}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bench", "cluster": server}],
            "users": [{"name": user, "user": {"token": f"token-of-{user}"}}],
            "contexts": [context],
            "current-context": "bench",
        }
        file.write_text(json.dumps(config))
        return file

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Runs kubectl as the administrator; what it printed."""
        command = [self._programs / "kubectl", f"--kubeconfig={self.kubeconfig('admin')}"]
        done = subprocess.run(
            [*command, *arguments], input=text, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    def await_served(self) -> None:
        """Waits until the API server knows TrainingJobs; it says nothing of new kinds at first."""
        deadline = time.monotonic() + 120
        while True:
            try:
                self.kubectl(*_SERVED)
            except subprocess.CalledProcessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def start_etcd(self) -> None:
        """Starts the store."""
        address, peers = (f"http://127.0.0.1:{port}" for port in (self._etcd, self._peers))
        self._start(
            "etcd",
            *(f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=error"),
            *(f"--listen-client-urls={address}", f"--advertise-client-urls={address}"),
            *(f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}"),
            f"--initial-cluster=default={peers}",
        )

    def start_api_server(self, port: int) -> None:
        """Starts the one of that port, and waits until it is ready."""
        self._start(
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd}",
            f"--cert-dir={self.folder / str(port)}",
            f"--secure-port={port}",
            *("--bind-address=127.0.0.1", "--service-cluster-ip-range=10.97.0.0/16"),
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=AlwaysAllow",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._key}",
            f"--service-account-signing-key-file={self._key}",
            name=f"kube-apiserver-{port}",
        )
        _await_ready(port)

    def kill_api_server(self, port: int) -> None:
        """Kills it, and waits until it is gone."""
        process = self._started.pop(f"kube-apiserver-{port}")
        process.kill()
        process.wait()

    def start_controller_manager(self) -> None:
        """Starts the controllers."""
        self._start(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
            *("--leader-elect=false", "--secure-port=0"),
            f"--service-account-private-key-file={self._key}",
        )

    def start_scheduler(self) -> None:
        """Starts what binds pods to nodes."""
        kubeconfig = f"--kubeconfig={self.kubeconfig('system:kube-scheduler')}"
        self._start("kube-scheduler", kubeconfig, "--leader-elect=false", "--secure-port=0")

    def start_kwok(self, stages: Path) -> None:
        """Starts what stands for the kubelets of all nodes."""
        kubeconfig = f"--kubeconfig={self.kubeconfig('kwok')}"
        flags = ("--manage-all-nodes", "--node-lease-duration-seconds=40", f"--config={stages}")
        self._start("kwok", kubeconfig, *flags)

    def compact(self) -> None:
        """Has etcd forget all versions of objects but the last ones."""
        header = self._ask_etcd("kv/range", {"key": "AA=="})["header"]
        self._ask_etcd("kv/compaction", {"revision": header["revision"], "physical": True})

    def write_secrets(self) -> None:
        """Writes the tokens of the users and the key of service accounts."""
        tokens = [f"token-of-{user},{user},{user},{groups}" for user, groups in _USERS.items()]
        (self.folder / "tokens.csv").write_text("\n".join(tokens))
        command = ["openssl", "genrsa", "-out", self._key, "2048"]
        subprocess.run(command, check=True, capture_output=True)

    def stop(self) -> None:
        """Ends all processes at once: nothing of theirs is kept."""
        for process in reversed(self._started.values()):
            process.kill()
            process.wait()

    def _start(self, program: str, *flags: str, name: str = "") -> None:
        name = name or program
        with (self.folder / f"{name}.log").open("ab") as log:
            self._started[name] = subprocess.Popen(
                [self._programs / program, *flags], stdout=log, stderr=log
            )

    def _ask_etcd(self, path: str, body: dict[str, object]) -> dict[str, dict[str, str]]:
        url = f"http://127.0.0.1:{self._etcd}/v3/{path}"
        with urllib.request.urlopen(url, data=json.dumps(body).encode()) as answer:
            return json.load(answer)


@contextlib.contextmanager
def control_plane(
    folder: Path, ports: tuple[int, ...] = (), front: str = ""
) -> Iterator[ControlPlane]:
    """Starts one with KubeFit's CRD in it, in an empty folder; ends it afterwards.

    With an API server on each of the ports, or one; all others find them at `front`.
    """
    subprocess.run([*_PROVISION, "build"], check=True, stdout=sys.stderr)
    found = subprocess.run([*_PROVISION, "tools-path"], check=True, capture_output=True, text=True)
    ports = ports or (free_port(),)
    plane = ControlPlane(folder, Path(found.stdout.strip()), ports, front)
    plane.write_secrets()
    try:
        plane.start_etcd()
        for port in ports:
            plane.start_api_server(port)
        plane.start_controller_manager()
        crd = next((ROOT / "manifests").glob("*crd*.yaml"))
        plane.kubectl("apply", "--server-side", "-f", str(crd))
        plane.await_served()
        yield plane
    finally:
        plane.stop()


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(port: int) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}/readyz", headers={"Authorization": "Bearer token-of-admin"}
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(request, context=context):
            return
        time.sleep(0.2)
    raise SystemExit("the API server did not become ready")
