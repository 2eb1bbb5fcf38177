"""etcd, API server, controller manager and scheduler as processes of this machine."""

import json
import subprocess

import binaries
import pki
from places import (
    API_GROUPS,
    API_PORT,
    AUDIT_LOG,
    AUDIT_POLICY,
    FEATURE_GATES,
    KUBECONFIG,
    NODE_ADDRESS,
    PKI,
    SERVICE_SUBNET,
    STATE,
)
from processes import await_or_explain, start

NAMES = ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
"""In the order in which they are stopped."""


def up() -> None:
    """Starts the control plane and waits until the API server is ready."""
    start(
        "etcd",
        [binaries.path("etcd"), "--data-dir", STATE / "etcd", "--unsafe-no-fsync"]
        + ["--listen-client-urls", "http://127.0.0.1:2379", "--log-level", "error"]
        + ["--advertise-client-urls", "http://127.0.0.1:2379"]
        + ["--listen-peer-urls", "http://127.0.0.1:2380"],
    )
    AUDIT_POLICY.write_text(json.dumps(_AUDIT_POLICY))
    start("kube-apiserver", [binaries.path("kube-apiserver"), *_API_SERVER_FLAGS, _GATES])
    await_or_explain(api_ready, 120, "the API server", "kube-apiserver")
    for name in ("kube-controller-manager", "kube-scheduler"):
        flags = [f"--kubeconfig={pki.kubeconfig(name)}", "--leader-elect=false", _GATES]
        start(name, [binaries.path(name), *flags, *_MORE_FLAGS.get(name, ())])


_GATES = "--feature-gates=" + ",".join(f"{gate}=true" for gate in FEATURE_GATES)
_API_SERVER_FLAGS = (
    "--runtime-config=" + ",".join(f"{group}=true" for group in API_GROUPS),
    "--etcd-servers=http://127.0.0.1:2379",
    f"--secure-port={API_PORT}",
    f"--advertise-address={NODE_ADDRESS}",
    f"--service-cluster-ip-range={SERVICE_SUBNET}",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    f"--client-ca-file={PKI / 'ca.crt'}",
    f"--tls-cert-file={PKI / 'apiserver.crt'}",
    f"--tls-private-key-file={PKI / 'apiserver.key'}",
    f"--kubelet-client-certificate={PKI / 'apiserver-kubelet-client.crt'}",
    f"--kubelet-client-key={PKI / 'apiserver-kubelet-client.key'}",
    "--kubelet-preferred-address-types=InternalIP",
    f"--audit-policy-file={AUDIT_POLICY}",
    f"--audit-log-path={AUDIT_LOG}",
    "--service-account-issuer=https://kubernetes.default.svc",
    f"--service-account-key-file={PKI / 'service-accounts.pub'}",
    f"--service-account-signing-key-file={PKI / 'service-accounts.key'}",
)
_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "Metadata", "userGroups": ["system:serviceaccounts:kubefit-system"]},
        {"level": "None"},
    ],
}
"""What the operator asks for is written down, without contents."""
_MORE_FLAGS = {
    "kube-controller-manager": (
        f"--service-account-private-key-file={PKI / 'service-accounts.key'}",
        f"--root-ca-file={PKI / 'ca.crt'}",
        "--use-service-account-credentials=true",
    ),
}


def kubectl(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Runs kubectl as the cluster's administrator."""
    command = [str(binaries.path("kubectl")), f"--kubeconfig={KUBECONFIG}", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True)


def api_ready() -> bool:
    """Whether the API server answers that it is ready."""
    return KUBECONFIG.exists() and kubectl("get", "--raw=/readyz").stdout == "ok"
