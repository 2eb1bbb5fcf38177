"""The documentation is true where a machine can tell: valid jobs, links that lead somewhere."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from kubefit.api.contract import EXIT_MEANINGS
from kubefit.api.errors import read_job
from kubefit.api.names import Phase
from kubefit.cli import app
from kubefit.cli.errors import Exit

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?<![\w.$}~])/(?:work|home|root|Users)/\w+")


def _tracked() -> list[Path]:
    """Files of the repository: those of git, or all beside what is built."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


PAGES = [path for path in _tracked() if path.suffix == ".md"]
MANIFESTS = [path for path in _tracked() if path.match("examples/*/*.yaml")]


def _fenced(page: Path, *languages: str) -> list[str]:
    return [text for language, text in _FENCE.findall(page.read_text()) if language in languages]


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_job_in_a_page_is_valid(page: Path) -> None:
    for text in _fenced(page, "yaml", "yml"):
        for document in yaml.safe_load_all(text):
            if isinstance(document, dict) and document.get("kind") == "TrainingJob":
                assert read_job(document).metadata.name


def test_the_readme_shows_a_job() -> None:
    shown = [yaml.safe_load(text) for text in _fenced(ROOT / "README.md", "yaml")]
    assert [document["kind"] for document in shown] == ["TrainingJob"]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=_id)
def test_every_example_is_valid(manifest: Path) -> None:
    documents = list(yaml.safe_load_all(manifest.read_text()))
    assert documents
    for document in documents:
        assert read_job(document).metadata.name


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", page.read_text())):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{link} of {_id(page)}"
        if anchor:
            assert anchor in _anchors(file), f"{link} of {_id(page)}"


def _anchors(page: Path) -> set[str]:
    """Anchors of headings, as they are made from their text."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text()))
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in kept}


def test_every_chore_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)(?:`|\s|$)", page.read_text(), re.MULTILINE))
        assert named <= targets, _id(page)


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    documented = set(re.findall(r"`kubefit ([a-z]+(?: [a-z-]+)?)", page))
    commands = {command.name for command in app.registered_commands}
    for group in app.registered_groups:
        commands |= {f"{group.name} {one.name}" for one in group.typer_instance.registered_commands}
    assert documented == commands


def test_exit_codes_of_the_command_are_documented() -> None:
    page = (ROOT / "docs/command-line.md").read_text()
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == list(Exit)


def test_phases_are_explained() -> None:
    page = (ROOT / "docs/concepts.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(Phase)


def test_troubleshooting_knows_the_reasons_of_failures_that_a_user_can_act_on() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    for reason in ("UserError", "ConfigurationError", "OutOfMemory", "PeerLost"):
        assert reason in {meaning.reason for meaning in EXIT_MEANINGS.values()}
        assert f"`{reason}`" in page


def test_no_file_names_a_path_of_somebody_s_machine() -> None:
    found = []
    for path in _tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{_id(path)}: {match[0]}" for match in _MACHINE_PATH.finditer(text)]
    assert found == []
