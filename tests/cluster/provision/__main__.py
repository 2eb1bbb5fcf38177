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
from places import KUBECONFIG


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
        case "build":
            binaries.build()
        case "tools":
            binaries.build(only=frozenset({"helm", "kubectl"}))
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


_COMMANDS = {
    "down": "take the cluster away without a trace",
    "kubeconfig": "print the path of its kubeconfig",
    "build": "build its programs into the cache",
    "tools-path": "print the folder of helm and kubectl",
    "tools": "build helm and kubectl into the cache",
    "test-packages": "install Prometheus and Chromium, which tests use",
    "images": "build the project's images",
}

if __name__ == "__main__":
    main()
