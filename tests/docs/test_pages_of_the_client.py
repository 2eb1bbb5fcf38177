"""What the pages on notebooks, sweeps and tuners show is there, and is a sweep that can be run."""

import re
from pathlib import Path

import pytest
import yaml

import kubefit
from kubefit import TrainingClient
from kubefit.client.sweeping import read_sweep
from kubefit.sweep import values_of
from kubefit.sweep.definition import SweepSpec

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
PAGES = ["notebooks.md", "sweeps.md", "tuners.md"]


def _blocks(page: str, language: str) -> list[str]:
    text = (HOW_TO / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_sweep_of_the_page_can_be_run():
    (document,) = (yaml.safe_load(block) for block in _blocks("sweeps.md", "yaml"))
    # The page has numbers as people write them; YAML 1.1 would have 1e-4 with a point.
    for parameter in document["spec"]["parameters"]:
        for kind in ("log", "linear"):
            bounds = parameter.get(kind, {})
            parameter |= {kind: {name: float(x) for name, x in bounds.items()}} if bounds else {}
    assert len(values_of(read_sweep("sweeps.md", document))) == 12


def test_every_field_of_a_sweep_is_on_its_page():
    text = (HOW_TO / "sweeps.md").read_text()
    for name, field in SweepSpec.model_fields.items():
        assert f"`{field.alias or name}" in text, name


@pytest.mark.parametrize("page", PAGES)
def test_programs_of_a_page_are_python_and_call_what_the_client_has(page: str):
    for block in _blocks(page, "python"):
        compile(block, page, "exec")
        for name in re.findall(r"\bclient\.(\w+)", block):
            assert hasattr(TrainingClient, name), f"client.{name}"
        for names in re.findall(r"^from kubefit import (.+)$", block, re.MULTILINE):
            assert {name.strip() for name in names.split(",")} <= set(kubefit.__all__)


def test_every_error_of_the_client_is_explained():
    text = (HOW_TO / "notebooks.md").read_text()
    explained = set(re.findall(r"^\| `(\w+Error)` \|", text, re.MULTILINE))
    assert explained == {name for name in kubefit.__all__ if name.endswith("Error")}
