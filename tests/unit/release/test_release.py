"""What a release publishes agrees with the sources and with what the chart asks for."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubefit.api.version import __version__
from kubefit.generate.values import Values

ROOT = Path(__file__).parents[3]
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


def _published() -> set[str]:
    registry = WORKFLOW["env"]["REGISTRY"]
    targets = WORKFLOW["jobs"]["images"]["strategy"]["matrix"]["target"]
    return {f"{registry}/{target}" for target in targets}


def test_chart_images_and_wheel_have_one_version() -> None:
    chart = yaml.safe_load((ROOT / "charts/kubefit/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    for image in yaml.safe_load(chart["annotations"]["artifacthub.io/images"]):
        assert image["image"].endswith(f":{__version__}")


def test_the_images_that_the_chart_asks_for_are_published() -> None:
    asked = {image.repository for _, image in Values().image}
    for preset in (ROOT / "charts/kubefit").glob("values-*.yaml"):
        images = yaml.safe_load(preset.read_text()).get("image", {})
        asked |= {image["repository"] for image in images.values() if "repository" in image}
    assert asked == _published()


def test_every_image_is_a_target_of_the_dockerfile() -> None:
    targets = re.findall(r"^FROM .* AS ([\w-]+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {image.rpartition("/")[2] for image in _published()} <= set(targets)


def test_actions_are_pinned_to_a_commit() -> None:
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert [action for action in used if not PINNED.fullmatch(action)] == []


def test_images_come_with_sbom_and_provenance_and_are_signed_by_digest() -> None:
    (build,) = (
        s["with"] for s in STEPS if s.get("uses", "").startswith("docker/build-push-action")
    )
    assert (build["sbom"], build["provenance"], build["push"]) == (True, "mode=max", True)
    signed = [s["run"] for s in STEPS if "cosign sign " in s.get("run", "")]
    assert len(signed) == 2
    assert all("@$" in command for command in signed)


def test_only_jobs_that_publish_may_write_or_sign() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    may = {name for name, job in WORKFLOW["jobs"].items() if "permissions" in job}
    assert may == {"images", "publish"}
    assert WORKFLOW["jobs"]["images"]["needs"] == "check"
    assert WORKFLOW["jobs"]["publish"]["needs"] == "images"


def test_what_may_write_or_sign_installs_nothing_and_publishes_what_another_job_has_built() -> None:
    trusted = [job for job in WORKFLOW["jobs"].values() if "permissions" in job]
    commands = [step.get("run", "") for job in trusted for step in job["steps"]]
    fetching = re.compile(r"\b(pip|pipx|uv|npm|make|curl|wget)\b|python -m")
    assert [command for command in commands if fetching.search(command)] == []
    check, publish = (WORKFLOW["jobs"][name]["steps"] for name in ("check", "publish"))
    (given,) = (s["with"] for s in check if s.get("uses", "").startswith("actions/upload-artifact"))
    (taken,) = (
        s["with"] for s in publish if s.get("uses", "").startswith("actions/download-artifact")
    )
    assert given == {"name": "dist", "path": "dist", "if-no-files-found": "error"}
    assert taken == {"name": "dist", "path": "dist"}


@pytest.mark.parametrize(
    "step", [s for s in STEPS if "run" in s], ids=lambda step: step.get("name", step["run"][:30])
)
def test_commands_are_shell_and_take_nothing_from_outside_but_by_variables(
    step: dict[str, Any],
) -> None:
    assert "${{" not in step["run"]
    checked = subprocess.run(["bash", "-n"], input=step["run"], text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr


def test_every_chore_that_the_workflow_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for step in STEPS
        for line in re.findall(r"^make ([a-z -]+)$", step.get("run", ""), re.MULTILINE)
        for name in line.split()
    }
    assert named
    assert named <= targets


def test_the_audit_looks_at_every_lock() -> None:
    asked = subprocess.run(
        ["make", "--dry-run", "audit"], cwd=ROOT, text=True, capture_output=True, check=True
    ).stdout
    for lock in (ROOT / "requirements").glob("*.txt"):
        assert f"requirements/{lock.name}" in asked
