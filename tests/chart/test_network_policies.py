"""Who may talk to the pods of a release, and whom they may talk to."""

import pytest

from kubefit.api import names
from kubefit.api.contract import AGENT_PORT

pytestmark = pytest.mark.cluster

VALUES = (
    "networkPolicies.enabled=true",
    'networkPolicies.scrapers=[{"namespaceSelector":{}}]',
    "tensorboard.enabled=true",
    'tensorboard.claim="training"',
)


def test_network_policies_choose_their_pods_and_let_the_operator_do_its_work(render) -> None:
    objects = render(*VALUES)
    for name in ("kubefit", "kubefit-tensorboard"):
        deployment = objects["Deployment", name]["spec"]
        policy = objects["NetworkPolicy", name]["spec"]
        assert policy["podSelector"] == deployment["selector"]
        (way_in,) = policy["ingress"]
        ports = deployment["template"]["spec"]["containers"][0]["ports"]
        assert [port["port"] for port in way_in["ports"]] == [port["name"] for port in ports]
    operator = objects["NetworkPolicy", "kubefit"]["spec"]
    assert operator["ingress"][0]["from"] == [{"namespaceSelector": {}}]
    ways_out = [([p["port"] for p in way["ports"]], way.get("to")) for way in operator["egress"]]
    workers = {"matchLabels": {names.LABEL_ROLE: names.ROLE_WORKER}}
    assert ways_out == [
        ([53, 53], None),
        ([443, 6443], None),
        ([AGENT_PORT], [{"namespaceSelector": {}, "podSelector": workers}]),
    ]
    assert "egress" not in objects["NetworkPolicy", "kubefit-tensorboard"]["spec"]
