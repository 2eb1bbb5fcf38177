"""Keys, certificates and kubeconfigs of the cluster, made by openssl."""

import base64
import json
import subprocess
from pathlib import Path

from places import API_PORT, API_SERVICE_ADDRESS, KUBECONFIG, NODE, NODE_ADDRESS, PKI, STATE

SERVER = f"https://{NODE_ADDRESS}:{API_PORT}"
_USERS = {
    "admin": "/O=system:masters/CN=kubefit-admin",
    "apiserver-kubelet-client": "/O=system:masters/CN=kube-apiserver-kubelet-client",
    "kube-controller-manager": "/CN=system:kube-controller-manager",
    "kube-scheduler": "/CN=system:kube-scheduler",
    "kube-proxy": "/CN=system:kube-proxy",
    "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
}


def make() -> None:
    """Makes the authority, the API server's certificate, one certificate and kubeconfig a user."""
    PKI.mkdir(parents=True, exist_ok=True)
    _openssl("req", "-x509", *_NEW_KEY, "-days", "365", "-subj", "/CN=kubefit-test-ca",
             "-keyout", "ca.key", "-out", "ca.crt")  # fmt: skip
    names = [f"DNS:{n}" for n in ("localhost", "kubernetes", "kubernetes.default.svc", NODE)]
    names += [f"IP:{a}" for a in ("127.0.0.1", NODE_ADDRESS, API_SERVICE_ADDRESS)]
    _sign("apiserver", "/CN=kube-apiserver", ",".join(names))
    for user, subject in _USERS.items():
        _sign(user, subject, "")
        kubeconfig(user).write_text(json.dumps(_kubeconfig(user), indent=1))
    _openssl("genrsa", "-out", "service-accounts.key", "2048")
    _openssl("rsa", "-in", "service-accounts.key", "-pubout", "-out", "service-accounts.pub")


def kubeconfig(user: str) -> Path:
    """The kubeconfig of one of the cluster's users."""
    return KUBECONFIG if user == "admin" else STATE / f"{user}.kubeconfig"


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _sign(name: str, subject: str, alternatives: str) -> None:
    _openssl("req", *_NEW_KEY, "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
    extensions = "extendedKeyUsage=serverAuth,clientAuth\n"
    if alternatives:
        extensions += f"subjectAltName={alternatives}\n"
    (PKI / f"{name}.ext").write_text(extensions)
    _openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", "365", "-extfile", f"{name}.ext",
             "-out", f"{name}.crt")  # fmt: skip


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=PKI, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"openssl {' '.join(arguments)}: {done.stderr.strip()}")


def _kubeconfig(user: str) -> dict[str, object]:
    def data(file: str) -> str:
        return base64.b64encode((PKI / file).read_bytes()).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "kubefit",
                "cluster": {"server": SERVER, "certificate-authority-data": data("ca.crt")},
            }
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": data(f"{user}.crt"),
                    "client-key-data": data(f"{user}.key"),
                },
            }
        ],
        "contexts": [{"name": "kubefit", "context": {"cluster": "kubefit", "user": user}}],
        "current-context": "kubefit",
    }
