"""The machine as the cluster's one node: containerd, kubelet, kube-proxy."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import binaries
import pki
from control_plane import kubectl
from places import (
    BRIDGE,
    CONTAINERD_SOCKET,
    DNS_SERVICE_ADDRESS,
    KUBELET,
    NODE,
    NODE_ADDRESS,
    PAUSE_IMAGE,
    PKI,
    POD_SUBNET,
    RUN,
    STATE,
)
from processes import await_or_explain, start, started, wait_until

NAMES = ("kube-proxy", "kubelet", "containerd")
"""In the order in which they are stopped."""
_CGROUP = "kubepods"


def up() -> None:
    """Starts the node and waits until it is Ready."""
    for folder in (RUN, KUBELET, STATE / "cni"):
        folder.mkdir(parents=True, exist_ok=True)
    (STATE / "containerd.toml").write_text(_CONTAINERD)
    (STATE / "cni/10-kubefit.conflist").write_text(json.dumps(_CNI))
    (STATE / "kubelet.json").write_text(json.dumps(_KUBELET))
    (STATE / "kube-proxy.json").write_text(json.dumps(_KUBE_PROXY))
    shutil.copy("/etc/resolv.conf", STATE / "resolv.conf")
    start("containerd", ["containerd", "--config", STATE / "containerd.toml"])
    await_or_explain(CONTAINERD_SOCKET.exists, 60, "containerd's socket", "containerd")
    start(
        "kubelet",
        [binaries.path("kubelet"), f"--config={STATE / 'kubelet.json'}"]
        + [f"--kubeconfig={pki.kubeconfig('kubelet')}", f"--root-dir={KUBELET}"]
        + [f"--hostname-override={NODE}", f"--node-ip={NODE_ADDRESS}"],
    )
    start("kube-proxy", [binaries.path("kube-proxy"), f"--config={STATE / 'kube-proxy.json'}"])
    await_or_explain(ready, 180, "a Ready node", "kubelet")


def ready() -> bool:
    """Whether the node reports that it is Ready."""
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return kubectl("get", "node", NODE, "-o", path).stdout == "True"


def remove_containers() -> None:
    """Ends every container and takes away its mounts, namespaces and control groups."""
    pids = _shims() | _members()
    for pid in pids:
        _kill(pid)
    wait_until(lambda: not any(started(pid) for pid in pids), 20)
    for mount in sorted(_mounts(), key=len, reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=True)
    for namespace in Path("/run/netns").glob("cni-*"):
        namespace.unlink()
    for group in sorted(Path("/sys/fs/cgroup").glob(f"*/{_CGROUP}"), reverse=True):
        for folder, _, _ in os.walk(group, topdown=False):
            Path(folder).rmdir()
    for folder in (RUN, Path("/var/lib/cni/networks/kubefit"), Path("/var/log/pods")):
        shutil.rmtree(folder, ignore_errors=True)
    for link in (*Path("/var/log/containers").glob("*"), *Path("/var/lib/cni/results").glob("*")):
        link.unlink()


def _shims() -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        shim = command[0].endswith(b"containerd-shim-runc-v2")
        if shim and os.fsencode(CONTAINERD_SOCKET) in command:
            found.add(int(entry.parent.name))
    return found


def _members() -> set[int]:
    """Processes in the pods' control groups."""
    lists = Path("/sys/fs/cgroup").glob(f"*/{_CGROUP}/**/cgroup.procs")
    return {int(pid) for file in lists for pid in file.read_text().split()}


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _mounts() -> list[str]:
    ours = (f"{STATE}/", f"{RUN}/", "/run/netns/cni-")
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(ours)]


_CONTAINERD = f"""\
version = 2
root = "{STATE}/containerd"
state = "{RUN}/containerd"

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
# Without CAP_SYS_RESOURCE a process may not lower its OOM score, and runc would fail to start it.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{STATE}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""

_CNI = {
    "cniVersion": "0.4.0",
    "name": "kubefit",
    "plugins": [
        {
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_SUBNET, "gateway": NODE_ADDRESS}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}

_KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": str(PKI / "ca.crt")},
    },
    "authorization": {"mode": "Webhook"},
    "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
    "cgroupDriver": "cgroupfs",
    "enforceNodeAllocatable": ["pods"],
    "failCgroupV1": False,
    "failSwapOn": False,
    "clusterDNS": [DNS_SERVICE_ADDRESS],
    "clusterDomain": "cluster.local",
    "resolvConf": str(STATE / "resolv.conf"),
    "evictionHard": {
        "memory.available": "100Mi",
        "nodefs.available": "1%",
        "nodefs.inodesFree": "1%",
        "imagefs.available": "1%",
    },
    "imageGCHighThresholdPercent": 100,
    "imageGCLowThresholdPercent": 99,
}

_KUBE_PROXY = {
    "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
    "kind": "KubeProxyConfiguration",
    "mode": "iptables",
    "clusterCIDR": POD_SUBNET,
    "hostnameOverride": NODE,
    "clientConnection": {"kubeconfig": str(pki.kubeconfig("kube-proxy"))},
    "conntrack": {"maxPerCore": 0},
}
