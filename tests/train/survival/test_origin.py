"""What a job starts from that is applied again, or after another one."""

import ctypes
import hashlib
import io
import json
import shutil
import subprocess
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from launched import PROGRAM, Desk, Done
from shades import write_images

from kubefit_trainer.checkpoints import store

pytestmark = pytest.mark.train

DEADLINE_SECONDS = 300.0
REACHED = 41
LIBC = ctypes.CDLL(None)
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def without_rights_of_root() -> None:
    """Makes the rights of files hold for root too."""
    LIBC.prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE)


def kill_in_the_middle(desk: Desk) -> None:
    reached = desk.folder / "reached"
    given = {"reached": str(reached), "at": REACHED, "checkpoints": str(desk.checkpoints("killed"))}
    command = desk.command("killed", given)
    with subprocess.Popen(command, cwd=desk.folder, stderr=subprocess.DEVNULL) as launcher:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not reached.exists():
            assert launcher.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        launcher.kill()


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Desk:
    """With one run that ended, and one that was killed as a whole in the middle."""
    made = Desk(tmp_path_factory.mktemp("desk"))
    (made.folder / "program.py").write_text(PROGRAM)
    write_images(made.folder / "train", each=4)
    with ThreadPoolExecutor() as both:
        whole, killed = both.submit(made.run, "whole", {}), both.submit(kill_in_the_middle, made)
        killed.result()
        assert whole.result().code == 0, whole.result().errors
    assert len(store.found(made.checkpoints("killed"))) >= 3
    return made


@pytest.fixture(scope="module")
def again(desk: Desk) -> dict[str, Done]:
    """Runs that find on the volume what was killed, in different states; two at a time."""
    newest, *_ = store.found(desk.copy("again"))
    damage(newest.path)
    newer = newest.path.with_name(store.name_of(10**9))
    with zipfile.ZipFile(newer, "w") as archive:
        archive.writestr(store.META, json.dumps({"format": store.FORMAT + 1}))
    (newest.path.parent / f".partial-{newest.path.name}.1").write_bytes(b"half")
    for saved in store.found(unwritable := desk.copy("unwritable")):
        damage(saved.path)
    unwritable.chmod(0o555)
    desk.copy("fresh")
    desk.copy("changed")
    with ThreadPoolExecutor(2) as two:
        runs = {
            "again": two.submit(desk.run, "again", {"patience": 99}),
            "unwritable": two.submit(desk.run, "unwritable", {}, preexec_fn=without_rights_of_root),
            "fresh": two.submit(desk.run, "fresh", {}, "--fresh"),
            "changed": two.submit(desk.run, "changed", {"filters": 5}),
        }
        done = {name: run.result() for name, run in runs.items()}
    unwritable.chmod(0o755)
    return done


@pytest.fixture(scope="module")
def whole(desk: Desk) -> dict[str, Any]:
    return Done(desk.runs / "whole", 0, "").result


def test_a_job_that_is_run_again_ends_as_if_it_had_not_been_killed(again, whole) -> None:
    assert "going on from step" in again["again"].said
    found = again["again"].result
    assert (found["weights"], found["best"]) == (whole["weights"], whole["best"])


def test_settings_that_were_changed_meanwhile_hold(again, whole) -> None:
    assert (whole["patience"], again["again"].result["patience"]) == (50, 99)


def test_checkpoints_that_cannot_be_read_are_told_and_older_ones_used(again) -> None:
    said = again["again"].said
    assert f"has format {store.FORMAT + 1}, and this KubeFit reads format {store.FORMAT}" in said
    assert "is damaged" in said
    kept = again["again"].folder / "checkpoints"
    assert len(list(kept.glob("*.unreadable"))) == 2
    assert not list(kept.glob(".partial-*"))
    assert len(store.found(kept)) == 4, "three, and the end"


def test_training_begins_anew_where_no_checkpoint_can_be_read_and_goes_on_where_none_can_be_written(
    again, whole
) -> None:
    said = again["unwritable"].said
    assert said.count("is damaged") == len(store.found(again["unwritable"].folder / "checkpoints"))
    assert "going on from step" not in said
    assert "no checkpoint can be written to" in said
    assert "Permission denied; training goes on" in said
    assert again["unwritable"].result["weights"] == whole["weights"]


def test_fresh_begins_anew(again, whole) -> None:
    assert "going on from step" not in again["fresh"].said
    assert again["fresh"].result["weights"] == whole["weights"]
    firsts = json.loads((again["fresh"].folder / "attempts.json").read_text())["attempts"]
    assert [attempt["firstStep"] for attempt in firsts] == [0, 0]


def test_a_changed_model_is_refused_with_the_first_weight_that_differs(again) -> None:
    assert again["changed"].code == 1
    (sentence,) = [x for x in again["changed"].errors.splitlines() if x.startswith("error: ")]
    assert (
        "is that of another model: its weight 'sequential/conv2d/kernel' has the shape" in sentence
    )
    assert "(3, 3, 1, 4)" in sentence
    assert "of this model has (3, 3, 1, 5)" in sentence
    assert "kubefit run --fresh" in sentence


@pytest.fixture(scope="module")
def after_another(desk: Desk, again) -> dict[str, Done]:
    """Jobs that start from the weights of `whole`, as a recipe of the same network and a program.

    They do not learn: what they end with is what they started from.
    """
    shutil.copytree(desk.runs / "whole", desk.runs / "gone")
    recipe = {
        "data": {"train": {"folder": "train"}, "imageSize": [8, 8], "channels": 1},
        "model": {"blocks": [{"conv": 4}, {"globalPool": True}]},
        "training": {
            "epochs": 1,
            "globalBatchSize": 4,
            "optimizer": "sgd",
            "learningRate": 1e-12,
        },
    }
    manifest = desk.folder / "recipe.yaml"
    spec = {
        "workers": 2,
        "storage": {"claim": "none"},
        "initialWeights": {"job": "whole"},
        "recipe": recipe,
    }
    job = {"kind": "TrainingJob", "metadata": {"name": "recipe"}, "spec": spec}
    manifest.write_text(yaml.safe_dump({"apiVersion": "kubefit.dev/v1alpha1", **job}))
    program = {
        "spec": {"workers": 2, "initialWeights": {"path": "runs/gone"}},
        "rate": 0.0,
        "dies": str(desk.folder / "died"),
        "source": str(desk.runs / "gone"),
        "checkpoints": str(desk.checkpoints("program")),
    }
    return {"recipe": desk.run("recipe", manifest), "program": desk.run("program", program)}


def test_a_program_starts_from_another_job_and_then_from_what_it_has_reached(
    after_another, whole
) -> None:
    said = after_another["program"].said
    assert "initial_weights=" in said
    assert "going on from step" in said
    assert after_another["program"].result["weights"] == whole["weights"]


def test_a_recipe_starts_from_the_checkpoint_of_another_job(desk: Desk, after_another) -> None:
    done = after_another["recipe"]
    assert done.code == 0, done.said
    saved = store.newest(desk.checkpoints("whole"), warn=print)
    assert saved is not None
    assert f"initial_weights={saved.path} " in done.said
    assert digest_of_export(done.folder / "export" / "model.keras") == digest_of(saved.path)


def digest_of(checkpoint: Path) -> str:
    with np.load(checkpoint) as archive:
        keys = json.loads(archive.zip.read(store.META))["arrays"]
        found = [archive[f"array-{i:05d}"] for i, k in enumerate(keys) if k.startswith("model/")]
    return hashlib.sha256(b"".join(array.tobytes() for array in found)).hexdigest()


def digest_of_export(model: Path) -> str:
    with zipfile.ZipFile(model) as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")
    names = [f"layers/{layer}/vars/{i}" for layer in ("conv2d", "dense") for i in (0, 1)]
    return hashlib.sha256(
        b"".join(np.asarray(weights[name]).tobytes() for name in names)
    ).hexdigest()
