"""The job of the page about GPUs, as the pods that the operator makes of it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubefit.api.errors import read_job
from kubefit.api.names import CONTAINER, MEMORY_DIR
from kubefit.core.desired import desired
from kubefit.core.observed import Defaults

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/gpu.md").read_text()


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """The pod template of that job."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (document,) = (found for b in blocks if "kind" in (found := yaml.safe_load(b)))
    document["metadata"]["uid"] = "1"
    objects = desired(read_job(document), Defaults(image="trainer-gpu:1"), spec_digest="")
    (job,) = (made for made in objects if made["kind"] == "Job")
    template: dict[str, Any] = job["spec"]["template"]["spec"]
    return template


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = (one for one in pod["containers"] if one["name"] == CONTAINER)
    return found


def test_gpus_are_asked_for_as_limits_and_placed_where_they_are(pod, container) -> None:
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert pod["runtimeClassName"] == "nvidia"
    assert [one["key"] for one in pod["tolerations"]] == ["nvidia.com/gpu"]


def test_shared_memory_is_a_file_system_in_memory_without_the_bounds_of_a_runtime(
    pod, container
) -> None:
    (name,) = (m["name"] for m in container["volumeMounts"] if m["mountPath"] == MEMORY_DIR)
    (volume,) = (one for one in pod["volumes"] if one["name"] == name)
    assert volume["emptyDir"] == {"medium": "Memory"}


def test_settings_of_nccl_arrive_beside_what_the_agent_needs(container) -> None:
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["NCCL_SOCKET_IFNAME"] == "eth0"
    assert "KUBEFIT_RUN_CONFIG" in variables


def test_gpus_need_no_privilege(pod, container) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    security = container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert "hostPath" not in str(pod["volumes"])
