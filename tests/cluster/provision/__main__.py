"""`python tests/cluster/provision COMMAND`: a Kubernetes cluster for tests and for trying out.

Which cluster: the one of `KUBEFIT_TEST_KUBECONFIG`; else kind, where a Docker engine runs; else one
of real binaries on this machine.
"""

import argparse
import os

import binaries
import host
import images
import kind
import packages
import policies
from places import AUDIT_LOG, CONTAINERD_SOCKET, KUBECONFIG


def main() -> None:
    """Carries out one command."""
    parser = argparse.ArgumentParser(prog="provision", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="give a healthy cluster")
    up.add_argument("--images", action="store_true", help="build and load the project's images")
    for name, text in _COMMANDS.items():
        commands.add_parser(name, help=text)
    arguments = parser.parse_args()
    given = os.environ.get("KUBEFIT_TEST_KUBECONFIG")
    match arguments.command:
        case "kubeconfig":
            print(given or KUBECONFIG)
        case "tools-path":
            print(binaries.path("kubectl").parent)
        case "audit-log":
            print(AUDIT_LOG if AUDIT_LOG.exists() and not given else "")
        case "containerd-socket":
            print(CONTAINERD_SOCKET if CONTAINERD_SOCKET.exists() and not given else "")
        case "build":
            binaries.build(only=_TOOLS | _CONTROL_PLANE if given or kind.possible() else None)
        case "tools":
            binaries.build(only=_TOOLS)
        case "enforce" | "relax" if given or kind.possible():
            print("the network of this cluster is left to enforce NetworkPolicies by itself")
        case "enforce":
            policies.up()
        case "relax":
            policies.down()
        case "test-packages":
            packages.install(packages.TEST_PACKAGES)
        case "images":
            packages.install(packages.IMAGE_PACKAGES)
            images.build()
        case "up" if given:
            print(f"using the cluster of {given}, with the images it has")
        case "up":
            (kind if kind.possible() else host).up(with_images=arguments.images)
        case "down" if given:
            print(f"the cluster of {given} is not ours to take down")
        case "down":
            (kind if kind.possible() else host).down()


_TOOLS = frozenset({"helm", "kubectl"})
_CONTROL_PLANE = frozenset({"etcd", "kube-apiserver", "kube-controller-manager"})
"""Tests of an API server in trouble have one of their own, on every kind of cluster."""
_COMMANDS = {
    "down": "take the cluster away without a trace",
    "kubeconfig": "print the path of its kubeconfig",
    "audit-log": "print the path of what it writes down of the operator's requests, if it does",
    "containerd-socket": "print the path of containerd's socket, if it runs on this machine",
    "build": "build what it needs into the cache",
    "enforce": "have NetworkPolicies enforced",
    "relax": "have them enforced no longer",
    "tools-path": "print the folder of helm and kubectl",
    "tools": "build helm and kubectl into the cache",
    "test-packages": "install Prometheus and Chromium, which tests use",
    "images": "build the project's images",
}

if __name__ == "__main__":
    main()
