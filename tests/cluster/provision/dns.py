"""CoreDNS as a process of this machine, reached by pods through the Service kube-dns."""

import json

import binaries
from control_plane import kubectl
from places import DNS_PORT, DNS_SERVICE_ADDRESS, KUBECONFIG, NODE_ADDRESS, STATE
from processes import start

NAMES = ("coredns",)
_PORTS = ("UDP", "TCP")


def up() -> None:
    """Starts CoreDNS and the Service that leads to it."""
    (STATE / "Corefile").write_text(
        f".:{DNS_PORT} {{\n"
        f"    bind {NODE_ADDRESS}\n"
        "    errors\n"
        "    kubernetes cluster.local in-addr.arpa ip6.arpa {\n"
        f"        kubeconfig {KUBECONFIG}\n"
        "        ttl 5\n"
        "    }\n"
        f"    forward . {STATE / 'resolv.conf'}\n"
        "}\n"
    )
    start("coredns", [binaries.path("coredns"), "-conf", STATE / "Corefile"])
    done = kubectl("apply", "-f", "-", text=json.dumps(_OBJECTS))
    if done.returncode:
        raise SystemExit(f"the DNS service was refused: {done.stderr.strip()}")


_METADATA = {"name": "kube-dns", "namespace": "kube-system"}
_OBJECTS = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _METADATA,
            "spec": {
                "clusterIP": DNS_SERVICE_ADDRESS,
                "ports": [{"name": p.lower(), "port": 53, "protocol": p} for p in _PORTS],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**_METADATA, "labels": {"kubernetes.io/service-name": "kube-dns"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [NODE_ADDRESS]}],
            "ports": [{"name": p.lower(), "port": DNS_PORT, "protocol": p} for p in _PORTS],
        },
    ],
}
