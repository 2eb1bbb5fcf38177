"""The chart as a whole: what comes with it beside its objects."""

from pathlib import Path

import pytest
import yaml

from kubefit.api.errors import read_job
from kubefit.generate.files import INSTALL
from kubefit.generate.install import rendered

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "kubefit"
PRESETS = sorted(CHART.glob("values-*.yaml"))


def test_helm_lint_finds_nothing(helm) -> None:
    answer = helm("lint", "--strict", str(CHART))
    assert answer.returncode == 0, answer.stdout


def test_the_install_manifest_is_what_helm_renders(helm) -> None:
    program = helm("version").args[0]
    assert (ROOT / INSTALL).read_text() == rendered(ROOT, program)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_is_accepted_and_changes_something(helm, preset) -> None:
    plain, changed = (
        helm("template", "kubefit", str(CHART), *options) for options in ((), ("-f", str(preset)))
    )
    assert changed.returncode == 0, changed.stderr
    assert changed.stdout != plain.stdout


def test_the_index_of_charts_is_told_a_valid_job_and_the_images(render) -> None:
    annotations = yaml.safe_load((CHART / "Chart.yaml").read_text())["annotations"]
    (example,) = yaml.safe_load(annotations["artifacthub.io/crdsExamples"])
    assert read_job(example).metadata.name == "digits"
    images = [one["image"] for one in yaml.safe_load(annotations["artifacthub.io/images"])]
    objects = render()
    (operator,) = objects["Deployment", "kubefit"]["spec"]["template"]["spec"]["containers"]
    trainer = [one["value"] for one in operator["env"] if one["name"] == "KUBEFIT_TRAINER_IMAGE"]
    assert images == [operator["image"], *trainer]


def test_the_notes_name_the_next_command(helm) -> None:
    answer = helm(
        *("install", "kubefit", str(CHART), "--namespace", "ml", "--dry-run=client"),
        *("--set", "crds.enabled=false"),
    )
    assert answer.returncode == 0, answer.stderr
    notes = answer.stdout.partition("NOTES:")[2]
    assert "kubectl -n ml rollout status deployment/kubefit" in notes
    assert "helm -n ml test kubefit" in notes
    assert "kubefit submit" in notes
    assert "crds.enabled is false" in notes
