"""`make kind` on a real cluster: its script, with that cluster in the place of kind's.

Where a Docker engine runs, kind is real. Elsewhere `docker` and `kind` only give the images that
the node has the names under which people load them; all else is as people have it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy/kind/up.sh"
DESK = ROOT / "deploy/kind/desk.yaml"
PROVISION = [sys.executable, str(ROOT / "tests/cluster/provision")]
DOCKER = "#!/bin/sh\n"
KIND = """#!/bin/sh
case "$1 $2" in
  "get clusters") echo kubefit ;;
  "load docker-image")
    image=${3%:*}
    ctr --address "$SOCKET" --namespace k8s.io images tag --force \\
      "docker.io/kubefit/${image##*/}:dev" "$3" ;;
esac
"""


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """The environment of the script: docker and kind as they are here."""
    done = subprocess.run([*PROVISION, "containerd-socket"], capture_output=True, text=True)
    if done.stdout.strip():
        for name, text in {"docker": DOCKER, "kind": KIND}.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
    return {"SOCKET": done.stdout.strip(), "PATH": str(tmp_path)}


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The example, as little of it as will do."""
    document = yaml.safe_load((ROOT / "examples/01-digits/job.yaml").read_text())
    document["spec"]["workers"] = 1
    document["spec"]["recipe"]["training"]["epochs"] = 1
    file = tmp_path / "job.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture
def cleared(cluster, operator, install, job: Path) -> Iterator[None]:
    """What the script makes is taken away again, and the operator is that of the other tests."""
    yield
    for file in (job, DESK):
        cluster.kubectl("delete", "--ignore-not-found", "--filename", str(file))
    install()


def test_the_script_installs_kubefit_and_trains_the_example(
    cluster, programs, job, cleared
) -> None:
    path = [programs["PATH"], str(cluster.tools), str(Path(sys.executable).parent)]
    environment = os.environ | programs | {"KUBECONFIG": str(cluster.kubeconfig)}
    environment["PATH"] = os.pathsep.join([*path, os.environ["PATH"]])
    done = subprocess.run([SCRIPT, job], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.get("trainingjob", "digits")["status"]["phase"] == "Succeeded"
    (container,) = cluster.get("deployment", "kubefit", namespace="kubefit-system")["spec"][
        "template"
    ]["spec"]["containers"]
    assert container["image"].startswith("ghcr.io/kubefit/operator:")
    results = cluster.kubectl("exec", "desk", "--", "ls", "/mnt/kubefit/default/digits/export")
    assert "model.keras" in results.split()
