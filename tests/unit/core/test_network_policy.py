"""Who reaches the workers of a job, where the network enforces policies."""

import dataclasses
from typing import Any

import pytest

from kubefit.api.contract import AGENT_PORT
from kubefit.core.plan import plan


def policies(scene, **defaults: Any) -> list[dict[str, Any]]:
    """Specifications of the policies that are made for a job."""
    observed = scene.seen()
    given = dataclasses.replace(observed.defaults, **defaults)
    decided = plan(dataclasses.replace(observed, defaults=given))
    return [body["spec"] for body in decided.apply if body["kind"] == "NetworkPolicy"]


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector["matchLabels"].items() <= labels.items()


def worker(job: str) -> dict[str, str]:
    return {"kubefit.dev/job": job, "kubefit.dev/role": "worker", "team": "vision"}


@pytest.mark.parametrize(
    ("who", "reaches"),
    [
        (worker("digits"), True),
        (worker("other"), False),
        ({"kubefit.dev/job": "digits", "kubefit.dev/role": "tensorboard"}, False),
        ({}, False),
    ],
    ids=["its own worker", "worker of another job", "its tensorboard", "any pod"],
)
def test_only_workers_of_the_job_reach_all_ports_of_its_workers(
    scene, who: dict[str, str], reaches: bool
) -> None:
    (policy,) = policies(scene)
    assert policy["policyTypes"] == ["Ingress"]
    assert selected(policy["podSelector"], worker("digits"))
    (everywhere,) = [way["from"] for way in policy["ingress"] if "ports" not in way]
    # Without a selector of namespaces a peer is one of the job's own namespace.
    assert [list(peer) for peer in everywhere] == [["podSelector"]]
    assert any(selected(peer["podSelector"], who) for peer in everywhere) is reaches


def test_the_port_of_the_agents_is_open_to_probes_operator_and_prometheus(scene) -> None:
    (policy,) = policies(scene)
    (open_ports,) = [way["ports"] for way in policy["ingress"] if "from" not in way]
    assert open_ports == [{"port": AGENT_PORT, "protocol": "TCP"}]


def test_there_is_none_where_they_are_switched_off(scene) -> None:
    assert policies(scene, network_policies=False) == []
