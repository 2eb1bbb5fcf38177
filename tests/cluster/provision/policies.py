"""Enforcement of NetworkPolicies, for the tests that ask for it: the CNI plugins know none."""

import subprocess

import binaries
import pki
from places import NODE
from processes import running, start, stop

NAME = "kube-network-policies"
_QUEUE = "100"
"""The one that the program reads, see `go/programs/policies/main.go`."""
_RULE = ("-m", "conntrack", "--ctstate", "NEW", "-j", "NFQUEUE", "--queue-num", _QUEUE)
"""Asks the program of every connection. Its own rules need `queue` of nftables, which some
kernels lack."""


def up() -> None:
    """Starts it, unless it runs."""
    binaries.build(only=frozenset({NAME}))
    if not running(NAME):
        kubeconfig = pki.kubeconfig("admin")
        start(NAME, [binaries.path(NAME), f"--kubeconfig={kubeconfig}", f"--node={NODE}"])
    if not _rule("-C"):
        _rule("-I")


def down() -> None:
    """Ends it, and lets every connection through again."""
    while _rule("-D"):
        pass
    stop(NAME)


def _rule(action: str) -> bool:
    """Whether that could be done with the rule; packets pass where the program does not run."""
    command = ("iptables", action, "FORWARD", *_RULE, "--queue-bypass")
    return subprocess.run(command, capture_output=True).returncode == 0
