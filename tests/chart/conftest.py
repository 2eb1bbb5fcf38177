"""helm, as the chart's users have it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "kubefit"
Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Runs helm; $HELM, or the pinned one of the test cluster."""
    program = os.environ.get("HELM") or _pinned()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True)

    return run


def _pinned() -> str:
    provision = [sys.executable, str(ROOT / "tests/cluster/provision")]
    subprocess.run([*provision, "tools"], check=True)
    path = subprocess.run([*provision, "tools-path"], check=True, capture_output=True, text=True)
    return str(Path(path.stdout.strip()) / "helm")


@pytest.fixture(scope="session")
def promtool() -> str:
    """Debian's, as the cluster's tests use its Prometheus."""
    provision = [sys.executable, str(ROOT / "tests/cluster/provision"), "test-packages"]
    subprocess.run(provision, check=True)
    return "promtool"


@pytest.fixture(scope="session")
def render(helm: Helm) -> Callable[..., dict[tuple[str, str], dict[str, Any]]]:
    """Objects that the chart gives with these values (`--set-json` syntax), by kind and name.

    With `tests` those of `helm test` are among them.
    """

    def objects(
        *values: str, release: str = "kubefit", tests: bool = False
    ) -> dict[tuple[str, str], dict[str, Any]]:
        settings = [part for value in values for part in ("--set-json", value)]
        settings += [] if tests else ["--skip-tests"]
        answer = helm("template", release, str(CHART), "--namespace", "kubefit-system", *settings)
        assert answer.returncode == 0, answer.stderr
        documents = [d for d in yaml.safe_load_all(answer.stdout) if d]
        found = {
            (d["kind"], "/".join(filter(None, [_namespace(d), d["metadata"]["name"]]))): d
            for d in documents
        }
        assert len(found) == len(documents)
        return found

    return objects


def _namespace(document: dict[str, Any]) -> str:
    return str(document["metadata"].get("namespace", "")).replace("kubefit-system", "")
