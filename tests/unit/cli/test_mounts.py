"""`--mount NAME=DIR`: a folder of this machine stands for a volume that only pods can mount."""

import base64
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kubefit.api.errors import read_job
from kubefit.cli import app
from kubefit.cli.mounts import mounted

IMAGE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
JOB = """\
apiVersion: kubefit.dev/v1alpha1
kind: TrainingJob
metadata: {name: pets}
spec:
  storage: {claim: training}
  volumes:
    - {name: pets, claim: pets, mountPath: /mnt/no-such-pets}
  recipe:
    data: {train: {folder: /mnt/no-such-pets/train}, imageSize: [8, 8], channels: 1}
    model: {blocks: [{conv: 4}, {flatten: true}]}
    training: {epochs: 1, globalBatchSize: 2}
"""


@pytest.fixture
def job(tmp_path: Path) -> str:
    file = tmp_path / "job.yaml"
    file.write_text(JOB)
    return str(file)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in ("a/1.png", "a/2.png", "b/1.png"):
        file = tmp_path / "pets/train" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(IMAGE)
    return tmp_path / "pets"


def _kubefit(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_the_data_of_a_volume_are_checked_in_the_folder_that_stands_for_it(job, pets) -> None:
    done = _kubefit("validate", job, "--mount", f"pets={pets}")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "not looked at" not in done.stdout
    (pets / "train/a/1.png").write_bytes(b"torn")
    done = _kubefit("validate", job, "--mount", f"pets={pets}")
    assert done.exit_code == 2
    assert f"{pets}/train/a/1.png" in done.stderr


def test_without_a_folder_validate_leaves_the_data_out_and_run_refuses(job, tmp_path) -> None:
    done = _kubefit("validate", job, "--volume", str(tmp_path))
    assert done.exit_code == 0
    assert "--mount pets=DIR" in done.stdout
    done = _kubefit("run", job, "--runs-dir", str(tmp_path / "runs"))
    assert done.exit_code == 2
    assert "spec.volumes[0].mountPath: there is no /mnt/no-such-pets" in done.stderr
    assert "--mount pets=DIR" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ("pets", "'pets' is not NAME=DIR"),
        ("birds=.", "'birds' is not a volume of"),
        ("pets=/no/such/folder", "/no/such/folder is not a folder"),
    ],
)
def test_a_mount_that_cannot_be_is_refused(job, mount, words) -> None:
    done = _kubefit("validate", job, "--mount", mount)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: --mount: ")
    assert words in done.stderr


def test_a_program_gets_the_folder_in_its_path_and_arguments_and_nothing_else_moves(
    tmp_path,
) -> None:
    job = read_job(
        {
            "metadata": {"name": "a"},
            "spec": {
                "storage": {"claim": "training"},
                "volumes": [{"name": "a", "claim": "a", "mountPath": "/a"}],
                "script": {"path": "/a/train.py", "args": ["/a", "/ab", "--data=/a"]},
            },
        }
    )
    script = mounted(tmp_path / "job.yaml", job, [f"a={tmp_path}"]).spec.script
    assert script is not None
    assert script.path == f"{tmp_path}/train.py"
    assert script.args == [str(tmp_path), "/ab", "--data=/a"]
