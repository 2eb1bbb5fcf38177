"""Values, their comments, their schema and the generated files as a whole."""

import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from kubefit.generate.editor import plain_schema
from kubefit.generate.files import FILES, INSTALL
from kubefit.generate.install import is_current
from kubefit.generate.values import Values
from kubefit.generate.values_file import value_rows, values_yaml

ROOT = Path(__file__).parents[3]


def test_the_file_holds_the_defaults_of_the_models() -> None:
    defaults = Values().model_dump(by_alias=True, mode="json")
    assert yaml.safe_load(values_yaml()) == defaults


def test_the_file_is_short_and_every_key_is_commented() -> None:
    lines = values_yaml().splitlines()
    assert len(lines) <= 300
    comments = " ".join(line.strip().removeprefix("#").strip() for line in lines)
    for path, _, text in value_rows():
        assert text.endswith("."), path
        assert text in comments, path


def test_the_schema_accepts_the_defaults() -> None:
    schema = plain_schema(Values, title="Values")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(values_yaml()), schema)


@pytest.mark.parametrize("values", [{"oprator": {}}, {"crds": {"keeep": True}}, {"rbac": None}])
def test_the_schema_refuses_what_the_models_refuse(values: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, plain_schema(Values, title="Values"))


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kubefit.generate", *arguments], capture_output=True, text=True
    )


def test_nothing_has_drifted() -> None:
    answer = generate("--check")
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("name", FILES)
def test_a_file_does_not_depend_on_when_it_is_made(name: str) -> None:
    assert FILES[name]() == FILES[name]()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what is generated."""
    (tmp_path / "pyproject.toml").touch()
    for folder in ("charts", "manifests", "docs/reference", "docs/schema"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_a_changed_file_is_shown_as_a_diff(checkout: Path) -> None:
    reference = checkout / "docs/reference/trainingjob.md"
    reference.write_text(reference.read_text().replace("required", "needed"))
    answer = generate("--check", "--root", str(checkout))
    assert answer.returncode == 1
    assert "docs/reference/trainingjob.md (as generated)" in answer.stdout
    assert "run `make generate`" in answer.stderr


def test_a_changed_template_makes_the_install_manifest_stale(checkout: Path) -> None:
    assert is_current(checkout, (ROOT / INSTALL).read_text())
    (checkout / "charts/kubefit/templates/service.yaml").write_text("")
    answer = generate("--check", "--root", str(checkout))
    assert answer.returncode == 1
    assert f"{INSTALL} was not rendered" in answer.stdout


def test_a_missing_file_is_drift(checkout: Path) -> None:
    (checkout / "manifests/crd.yaml").unlink()
    assert generate("--check", "--root", str(checkout)).returncode == 1


def test_writing_repairs_drift_and_names_the_files(checkout: Path) -> None:
    (checkout / "manifests/crd.yaml").write_text("")
    answer = generate("--root", str(checkout))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "wrote manifests/crd.yaml\n"
    assert (checkout / "manifests/crd.yaml").read_text() == FILES["manifests/crd.yaml"]()


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    answer = generate("--root", str(tmp_path))
    assert answer.returncode == 2
    assert "is not a checkout of KubeFit" in answer.stderr
