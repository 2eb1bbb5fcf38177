"""`make kind` does what its page says, in that order, and says what is missing."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from kubefit.api.version import __version__

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "deploy/kind/up.sh"
PAGE = (ROOT / "docs/how-to/kind.md").read_text()
PROGRAMS = ("docker", "kind", "kubectl", "helm", "python", "kubefit")
RECORD = """#!/bin/bash
echo "${0##*/} $*" >> "$RECORD"
case "${0##*/} $1 $2" in
  "kind get clusters") echo "$CLUSTERS" ;;
  "docker info "*) exit "${DOCKER:-0}" ;;
esac
"""
Kind = Callable[..., tuple["subprocess.CompletedProcess[str]", list[str]]]


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    """Runs the script with programs that only write down how they were called."""

    def run(*, without: str = "", **variables: str) -> tuple[object, list[str]]:
        for name in PROGRAMS:
            (tmp_path / name).write_text(RECORD)
            (tmp_path / name).chmod(0o755)
        (tmp_path / without).unlink() if without else None
        record = tmp_path / "record"
        record.touch()
        # Nothing but these and the tools of a shell: what is installed here plays no part.
        for tool in ("bash", "dirname", "sed", "grep", "env"):
            (tmp_path / tool).unlink(missing_ok=True)
            (tmp_path / tool).symlink_to(Path("/bin") / tool if tool != "env" else "/usr/bin/env")
        environment = {"PATH": str(tmp_path), "RECORD": str(record), "CLUSTERS": "", **variables}
        done = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True)
        return done, record.read_text().splitlines()

    return run


def _of_page() -> list[str]:
    steps = PAGE[PAGE.index("## Step by step") :]
    blocks = re.findall(r"^```text\n(.*?)^```", steps, re.MULTILINE | re.DOTALL)
    return "".join(blocks).replace("VERSION", __version__).splitlines()


def test_the_page_has_every_step_in_order(kind: Kind) -> None:
    done, commands = kind()
    assert done.returncode == 0, done.stderr
    asked = ("docker info", "kind get clusters")
    assert [one for one in commands if one not in asked] == _of_page()


def test_a_cluster_that_is_there_is_used_again(kind: Kind) -> None:
    done, commands = kind(CLUSTERS="other\nkubefit")
    assert done.returncode == 0, done.stderr
    assert [one for one in commands if "create cluster" in one] == []
    assert "kind export kubeconfig --name kubefit" in commands
    _, commands = kind(CLUSTERS="kubefit-other")
    assert [one for one in commands if "create cluster" in one]


@pytest.mark.parametrize("program", ["docker", "kind", "kubectl", "helm"])
def test_a_program_that_is_missing_is_named_before_anything_is_done(kind: Kind, program) -> None:
    done, commands = kind(without=program)
    assert (done.returncode, commands) == (1, [])
    assert done.stderr.startswith(f"{program} is not on the PATH: install it")


def test_a_docker_that_does_not_answer_is_told(kind: Kind) -> None:
    done, commands = kind(DOCKER="1")
    assert (done.returncode, commands) == (1, ["docker info"])
    assert "no Docker engine answers" in done.stderr


def test_the_chore_runs_the_script_with_the_environment_of_the_checkout() -> None:
    asked = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "kind"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    assert asked.splitlines()[-1].endswith("deploy/kind/up.sh")
    assert f"{ROOT}/.venv/bin:" in asked


def test_the_desk_has_the_image_and_the_claim_of_the_example() -> None:
    claim, desk = yaml.safe_load_all((ROOT / "deploy/kind/desk.yaml").read_text())
    (container,) = desk["spec"]["containers"]
    assert container["image"] == f"ghcr.io/kubefit/trainer:{__version__}"
    job = yaml.safe_load((ROOT / "examples/01-digits/job.yaml").read_text())
    (volume,) = desk["spec"]["volumes"]
    asked = job["spec"]["storage"]["claim"]
    assert claim["metadata"]["name"] == asked
    assert volume["persistentVolumeClaim"]["claimName"] == asked
    assert os.access(SCRIPT, os.X_OK)
