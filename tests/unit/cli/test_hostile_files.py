"""Files that are made to use up memory or time are refused in a sentence, at once."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kubefit.cli import app

HEAD = """\
apiVersion: kubefit.dev/v1alpha1
kind: TrainingJob
metadata: {name: hostile}
"""


def refusal(text: str, folder: Path) -> str:
    """What `kubefit validate` says of a file that it refuses."""
    file = folder / "job.yaml"
    file.write_text(text)
    result = CliRunner().invoke(app, ["validate", str(file)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    return result.stderr.replace(str(file), "FILE")


def bomb(levels: int, first: str, item: str) -> str:
    lines = [f"a0: &a0 {first}"]
    for level in range(1, levels + 1):
        lines.append(f"a{level}: &a{level} {item.replace('@', f'*a{level - 1}')}")
    return "\n".join(lines) + "\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("first", "item"),
    [
        ("[x, x, x, x]", "[@, @, @, @, @, @, @, @]"),
        ("{k: v}", "{a: @, b: @, c: @, d: @, e: @}"),
        ("{k: v}", "{<<: [@, @, @, @, @, @, @, @]}"),
        (f"'{'x' * 1000}'", "[@, @, @, @, @, @, @, @]"),
    ],
    ids=["lists", "mappings", "merges", "long text"],
)
def test_aliases_that_explode_are_refused(first: str, item: str, tmp_path: Path) -> None:
    assert "once its aliases are filled in" in refusal(HEAD + bomb(30, first, item), tmp_path)


def test_what_refers_to_itself_is_refused(tmp_path: Path) -> None:
    said = refusal(HEAD + "spec: &a {storage: {claim: c}, podTemplate: *a}\n", tmp_path)
    assert said == "error: FILE: an anchor of the document refers to itself\n"


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str, tmp_path: Path) -> None:
    assert "nested too deeply" in refusal(f"{HEAD}spec: \n {opening * 20_000}", tmp_path)


def test_a_file_that_no_api_server_takes_is_not_read_to_its_end(tmp_path: Path) -> None:
    said = refusal(HEAD + "#" * (4 << 20), tmp_path)
    assert said == "error: FILE: is larger than 3 MiB, too large for a job\n"


def test_a_file_without_an_end_is_refused() -> None:
    result = CliRunner().invoke(app, ["validate", "/dev/zero"])
    assert result.exit_code == 2
    assert "is larger than 3 MiB" in result.stderr


def test_a_megabyte_in_one_field_is_refused_with_the_limit_of_the_field(tmp_path: Path) -> None:
    program = "x = 1  # " + "ü" * (1 << 20)
    text = f'{HEAD}spec: {{storage: {{claim: c}}, script: {{inline: "{program}"}}}}\n'
    said = refusal(text, tmp_path)
    assert "spec.script.inline: " in said
    assert "has more than 262144 characters" in said
    assert len(said) < 300


def test_a_program_for_which_a_config_map_has_no_room_is_refused(tmp_path: Path) -> None:
    program = "x = 1  # " + "🦊" * (1 << 17)
    said = refusal(
        f'{HEAD}spec: {{storage: {{claim: c}}, script: {{inline: "{program}"}}}}\n', tmp_path
    )
    assert "spec.script: " in said
    assert "inline has more than 524288 bytes; put the program on the volume" in said


def test_aliases_that_repeat_a_little_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(
        HEAD + "spec: {storage: {claim: c}, resources: {limits: &r {cpu: 1}, requests: *r},"
        " script: {inline: 'print(1)'}}\n"
    )
    assert CliRunner().invoke(app, ["validate", str(file)]).exit_code == 0


@pytest.mark.parametrize(
    "name", ["digits\n", "zïffern", "数字", "a\u202eb", "a/../b", "-x", "$(id)"]
)
def test_names_that_are_no_host_names_are_refused(name: str, tmp_path: Path) -> None:
    text = HEAD.replace("hostile", json.dumps(name))
    said = refusal(text + "spec: {storage: {claim: c}, script: {inline: x}}\n", tmp_path)
    assert "metadata.name: at most" in said
