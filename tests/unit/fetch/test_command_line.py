"""`kubefit run` fetches before it checks the data, with the credentials of this machine."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kubefit.cli import app

JOB = """\
apiVersion: kubefit.dev/v1alpha1
kind: TrainingJob
metadata: {name: pets}
spec:
  storage: {claim: training}
  fetch:
    - {from: "s3://pets/photos", to: data/pets, endpoint: "ENDPOINT", secretName: of-the-cluster}
  recipe:
    data: {train: {folder: data/pets}, imageSize: [8, 8], channels: 1}
    model: {blocks: [{conv: 4}, {flatten: true}]}
    training: {epochs: 1, globalBatchSize: 2}
"""


@pytest.fixture
def kubefit(store, tmp_path: Path, monkeypatch):
    """Runs a command on the job, with a folder as its volume."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "much-too-secret")
    file = tmp_path / "job.yaml"
    file.write_text(JOB.replace("ENDPOINT", store.endpoint))

    def run(command: str, *options: str) -> Result:
        arguments = [command, str(file), "--volume", str(tmp_path), *options]
        return CliRunner().invoke(app, arguments)

    return run


def test_what_is_fetched_first_is_not_missed_by_validate(kubefit) -> None:
    done = kubefit("validate")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "data/pets was not looked at: it is fetched first" in done.stdout


def test_the_data_are_checked_after_they_were_fetched(kubefit, store, tmp_path) -> None:
    for name in ("a/1.png", "b/1.png"):
        store.put(f"photos/{name}", b"torn")
    done = kubefit("run", "--runs-dir", str(tmp_path / "runs"))
    assert done.exit_code == 2
    assert "fetches s3://pets/photos: 2 files, 8 bytes" in done.stderr
    assert f"{tmp_path}/data/pets/a/1.png cannot be read" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_what_cannot_be_fetched_is_one_sentence(kubefit, tmp_path) -> None:
    done = kubefit("run")
    assert done.exit_code == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: {tmp_path}/job.yaml: spec.fetch[0].from: there is no s3://pets/photos, or it is"
        " hidden from these credentials"
    ]
