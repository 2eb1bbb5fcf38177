"""What is told of the weights to start from, before TensorFlow starts."""

import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from kubefit.api.contract import RunConfig
from kubefit.api.initial_weights import InitialWeights
from kubefit_trainer import preflight
from kubefit_trainer.checkpoints import store
from kubefit_trainer.preflight import initial_weights


def config(volume: Path, **spec: Any) -> RunConfig:
    return RunConfig(
        namespace="ml",
        name="next",
        workers=2,
        hosts="localhost",
        volume_dir=str(volume),
        job_dir=str(volume / "ml" / "next"),
        initial_weights=InitialWeights(**spec),
    )


def found(volume: Path, **spec: Any) -> tuple[Path, list[str]]:
    told: list[str] = []
    given = config(volume, **spec)
    assert given.initial_weights is not None
    return initial_weights.find(given.initial_weights, given, warn=told.append), told


def fault(volume: Path, **spec: Any) -> str:
    said = preflight.check(config(volume, **spec), 0)
    assert said is not None
    return said


def checkpoint(folder: Path, step: int, **meta: Any) -> Path:
    path = folder / store.name_of(step)
    store.write(path, {"run": "", **meta}, {"weights": lambda file: file.write(b"1234")})
    return path


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1234", b"1235"))


def weights_file(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((64, 64), np.float32)
    return path


def saved_model(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = weights_file(path.with_suffix(".weights.h5"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(weights, "model.weights.h5")
    return path


def test_a_job_gives_its_newest_checkpoint(tmp_path: Path) -> None:
    saved_model(tmp_path / "ml/before/export/model.keras")
    checkpoint(tmp_path / "ml/before/checkpoints", 5)
    newest = checkpoint(tmp_path / "ml/before/checkpoints", 9)
    assert found(tmp_path, job="before") == (newest, [])


def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    older = checkpoint(tmp_path / "before", 5)
    damage(newer := checkpoint(tmp_path / "before", 9))
    path, told = found(tmp_path, path="before")
    assert path == older
    assert len(told) == 1
    assert f"{newer} is damaged" in told[0]


def test_a_job_without_checkpoints_gives_its_export(tmp_path: Path) -> None:
    export = saved_model(tmp_path / "ml/before/export/model.keras")
    damage(checkpoint(tmp_path / "ml/before/checkpoints", 9))
    assert found(tmp_path, job="before")[0] == export


def test_a_folder_of_a_job_may_lie_elsewhere(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "other/before/checkpoints", 9)
    assert found(tmp_path, path="other/before")[0] == path


def test_only_the_chief_looks(tmp_path: Path) -> None:
    assert preflight.check(config(tmp_path, job="none"), 1) is None


def test_a_job_that_has_checkpoints_itself_does_not_need_them(tmp_path: Path) -> None:
    checkpoint(tmp_path / "ml/next/checkpoints", 3)
    assert preflight.check(config(tmp_path, job="gone"), 0) is None


def test_a_job_that_never_was_is_told(tmp_path: Path) -> None:
    said = fault(tmp_path, job="none")
    assert said.startswith(
        f"spec.initialWeights.job: {tmp_path}/ml/none does not exist; name a job"
    )


def test_a_folder_with_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "ml/before").mkdir(parents=True)
    assert "before has neither checkpoints nor an exported model" in fault(tmp_path, job="before")


def test_a_folder_of_damaged_checkpoints_is_told(tmp_path: Path) -> None:
    for step in (5, 9):
        damage(checkpoint(tmp_path / "before", step))
    said = fault(tmp_path, path="before")
    assert said.startswith(f"spec.initialWeights.path: {tmp_path}/before/{store.name_of(9)} is dam")
    assert said.endswith(f"; nor can the other files of {tmp_path}/before")


def test_a_checkpoint_of_a_newer_format_is_told(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(store, "FORMAT", store.FORMAT + 1)
    path = checkpoint(tmp_path, 9)
    monkeypatch.undo()
    said = fault(tmp_path, path=path.name)
    assert said.endswith(
        f"{path} has format {store.FORMAT + 1}, and this KubeFit reads format {store.FORMAT}"
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"weights", "is none of .npz, .keras, .weights.h5"),
        ("a.h5", b"weights", "is none of .npz, .keras, .weights.h5"),
        ("a.weights.h5", b"", "is empty"),
        ("a.weights.h5", b"weights", "is no HDF5 file"),
        ("a.keras", b"weights", "is no model that Keras 3 saved as .keras"),
        ("a.npz", b"weights", "is damaged or cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_told(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    said = fault(tmp_path, path=name)
    assert said.startswith(f"spec.initialWeights.path: {tmp_path}/{name} {words}")


def test_a_weights_file_that_breaks_off_is_told(tmp_path: Path) -> None:
    path = weights_file(tmp_path / "a.weights.h5")
    assert preflight.check(config(tmp_path, path=path.name), 0) is None
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:5000])
    assert f"breaks off after 5000 of {whole} bytes" in fault(tmp_path, path=path.name)


def test_a_weights_file_of_the_newer_layout_that_breaks_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w", libver="latest") as file:
        file["weights"] = np.zeros(2000)
    assert preflight.check(config(tmp_path, path=path.name), 0) is None
    path.write_bytes(path.read_bytes()[:5000])
    assert "breaks off after 5000 of" in fault(tmp_path, path=path.name)


def test_a_saved_model_with_a_wrong_byte_is_told(tmp_path: Path) -> None:
    path = saved_model(tmp_path / "a.keras")
    assert preflight.check(config(tmp_path, path=path.name), 0) is None
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "model.weights.h5 has another checksum" in fault(tmp_path, path=path.name)
