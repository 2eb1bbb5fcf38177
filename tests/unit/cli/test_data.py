"""`kubefit data`, as people call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from kubefit.cli import app


def kubefit(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["data", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name, count in (("cats", 3), ("dogs", 2)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (40, 30), (i, 9, 9)).save(tmp_path / "pets" / name / f"{i}.png")
    return tmp_path / "pets"


def test_inspect_shows_a_table(pets: Path) -> None:
    code, out, _ = kubefit("inspect", pets)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "5 images in 2 classes (folder)"
    assert [line.split() for line in lines[3:]] == [
        ["CLASS", "IMAGES", "SHARE"],
        ["cats", "3", "60.0", "%"],
        ["dogs", "2", "40.0", "%"],
    ]


def test_inspect_reads_a_manifest(pets: Path) -> None:
    lines = ["path,label", "cats/0.png,old", "cats/1.png,young", "dogs/0.png,old", "gone.png,old"]
    (pets / "list.csv").write_text("\n".join(lines))
    code, out, _ = kubefit("inspect", pets / "list.csv", "-o", "json")
    assert code == 1
    found = json.loads(out)
    assert found["kind"] == "manifest"
    assert found["classes"] == {"old": 2, "young": 1}
    assert list(found["unreadable"]) == [str(pets / "gone.png")]


def test_inspect_gives_programs_json_and_an_exit_code_for_bad_files(pets: Path) -> None:
    (pets / "cats" / "0.png").write_bytes(b"")
    code, out, _ = kubefit("inspect", pets, "-o", "json")
    assert code == 1
    found = json.loads(out)
    assert found["classes"] == {"cats": 2, "dogs": 2}
    assert found["unreadable"] == {str(pets / "cats" / "0.png"): "the file is empty"}


def test_pack_and_inspect_what_was_packed(pets: Path) -> None:
    target = pets.parent / "packed"
    code, out, _ = kubefit("pack", pets, target, "--size", 16)
    assert code == 0
    assert out.startswith(f"{target}: 5 images of 2 classes in 1 shard, ")
    code, out, _ = kubefit("inspect", target, "-o", "yaml")
    assert code == 0
    assert yaml.safe_load(out)["sizes"]["largest"] == "16x21"


def test_pack_and_inspect_a_manifest_with_several_labels_an_image(pets: Path) -> None:
    lines = ["path;kind", "cats/0.png;old+wet", "cats/1.png;", "dogs/0.png;wet"]
    (pets / "list.csv").write_text("\n".join(lines).replace(";", ","))
    told = ("--labels", "multiLabel", "--label-column", "kind", "--label-separator", "+")
    target = pets.parent / "packed"
    code, out, err = kubefit("pack", pets / "list.csv", target, *told)
    assert code == 0, err
    assert out.startswith(f"{target}: 3 images of 2 classes in 1 shard, ")
    for words in ((pets / "list.csv", *told), (target,)):
        code, out, err = kubefit("inspect", *words, "-o", "json")
        assert code == 0, err
        assert json.loads(out)["classes"] == {"old": 1, "wet": 2}


def test_inspect_tells_the_range_of_numbers(pets: Path) -> None:
    (pets / "list.csv").write_text("path,age\ncats/0.png,1.5\ndogs/0.png,-30")
    told = ("--labels", "regression", "--label-column", "age")
    code, out, _ = kubefit("inspect", pets / "list.csv", *told)
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["2", "images", "with", "1", "number", "each", "(manifest)"]
    assert lines[-1] == ["age", "-30", "1.5"]


def test_pack_names_bad_files_and_ends(pets: Path) -> None:
    (pets / "cats" / "0.png").write_bytes(b"<html>")
    code, _, err = kubefit("pack", pets, pets.parent / "packed")
    assert code == 2
    assert f"{pets / 'cats' / '0.png'} cannot be read (not PNG" in err
    code, out, err = kubefit("pack", pets, pets.parent / "packed", "--skip-unreadable")
    assert code == 0
    assert "4 images" in out
    assert "1 left out" in out
    assert f"left out: {pets / 'cats' / '0.png'}: not PNG" in err


@pytest.mark.parametrize("command", [["inspect"], ["pack", "OUT"]])
def test_a_path_without_images_is_refused_in_one_sentence(tmp_path: Path, command) -> None:
    words = [tmp_path / word if word == "OUT" else word for word in command[1:]]
    code, _, err = kubefit(command[0], tmp_path / "nothing", *words)
    assert code == 2
    assert err.startswith(f"error: PATH: {tmp_path / 'nothing'} does not exist")


def test_import_generator_prints_a_recipe_and_says_what_differs(tmp_path: Path) -> None:
    program = tmp_path / "train.py"
    program.write_text("ImageDataGenerator(rotation_range=10, zca_whitening=True)")
    code, out, err = kubefit("import-generator", program)
    assert code == 0
    assert yaml.safe_load(out) == {"augmentation": {"rotation": 10.0, "fill": "nearest"}}
    assert "zca_whitening has no equivalent" in err
    program.write_text("print(1)")
    code, _, err = kubefit("import-generator", program)
    assert code == 2
    assert "has no ImageDataGenerator" in err


def test_images_are_read_without_tensorflow(pets: Path) -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from kubefit.cli import app;"
        f" result = CliRunner().invoke(app, ['data', 'inspect', {str(pets)!r}]);"
        " print(result.exit_code, 'tensorflow' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.split() == ["0", "False"]
