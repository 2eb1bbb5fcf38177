"""The quickstart on a cluster, done as its page says, from the first block to the last."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
PROVISION = [sys.executable, str(ROOT / "tests/cluster/provision")]
SYSTEM = "kubefit-system"
REGISTRY = "example.com/kubefit"
"""The registry of the page, to which the images would be pushed."""
_SECTION = re.compile(r"^## On a cluster\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def pushed() -> None:
    """The node has the images under the names that they would have in the registry."""
    done = subprocess.run([*PROVISION, "containerd-socket"], capture_output=True, text=True)
    socket = done.stdout.strip()
    assert socket, "this cluster's node is not on this machine: its images cannot be named anew"
    for image in ("operator", "trainer"):
        names = [f"docker.io/kubefit/{image}:dev", f"{REGISTRY}/{image}:0.1.0"]
        tag = ["ctr", "--address", socket, "--namespace", "k8s.io", "images", "tag", "--force"]
        subprocess.run([*tag, *names], check=True, capture_output=True)


@pytest.fixture
def checkout(cluster, operator, install, tmp_path: Path) -> Iterator[Path]:
    """What the page uses of a checkout, its example cut short, and no KubeFit in the cluster."""
    (tmp_path / "charts").symlink_to(ROOT / "charts")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    job = tmp_path / "examples/01-digits/job.yaml"
    document = yaml.safe_load(job.read_text())
    document["spec"]["recipe"]["training"]["epochs"] = 1
    job.write_text(yaml.safe_dump(document))
    cluster.helm("uninstall", "kubefit", "-n", SYSTEM, "--wait")
    yield tmp_path
    for kind, name in (("trainingjob", "digits"), ("pod", "desk"), ("pvc", "training")):
        cluster.kubectl("delete", "--ignore-not-found", kind, name)
    install()


def test_every_step_on_a_cluster_works(cluster, pushed, checkout: Path) -> None:
    (section,) = _SECTION.findall((ROOT / "docs/quickstart.md").read_text())
    programs = [str(cluster.tools), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {
        **os.environ,
        "KUBECONFIG": str(cluster.kubeconfig),
        "PATH": os.pathsep.join(programs),
    }
    printed = ""
    for block in _BLOCK.findall(section):
        command = ["sh", "-e", "-c", block]
        ended = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True
        )
        printed += ended.stdout + ended.stderr
        assert ended.returncode == 0, printed
    assert "successfully rolled out" in printed
    assert (checkout / "export/model.keras").exists()
    assert "results            default/digits on claim training" in printed
