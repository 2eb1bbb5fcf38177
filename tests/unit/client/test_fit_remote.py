"""What `fit_remote` makes of a function and data, and what it refuses; nothing trains here."""

import ast
import contextlib
import json
from pathlib import Path

import numpy as np
import pytest

from kubefit import ClientError, InvalidJobError, NotShippableError, TrainingClient
from kubefit.client.fit import FitJob, document_of
from kubefit.client.fit_program import HISTORY, RESERVED, history_in, program
from kubefit.client.shipping import shipped

X, Y = np.zeros((8, 2), "float32"), np.zeros(8, "int32")


def build_model(units: int = 2):
    import keras

    return keras.Sequential([keras.layers.Dense(units)])


def load_data():
    return np.zeros((8, 2)), np.zeros(8)


def build_model_of(units):
    return units


@pytest.fixture
def there(stored) -> TrainingClient:
    return TrainingClient(kubeconfig=stored.kubeconfig)


def _submitted(stored, client: TrainingClient, *args, **options) -> dict:
    """The job that the cluster gets; nobody trains it."""
    with contextlib.suppress(TimeoutError):
        client.fit_remote(*args, claim="training", timeout=0, **options)
    (job,) = stored.jobs.values()
    ast.parse(job["spec"]["script"]["inline"])
    return job


def test_small_arrays_go_along_in_the_text_of_the_job(stored, there: TrainingClient):
    job = _submitted(stored, there, build_model, (X, Y), arguments={"units": 3}, name="small")
    text = job["spec"]["script"]["inline"]
    assert "def build_model(units: int = 2):" in text
    assert """json.loads('{"units": 3}')""" in text
    assert job["spec"]["storage"] == {"claim": "training"}
    assert job["spec"]["workers"] == 4


def test_a_file_on_the_volume_is_read_where_pods_see_it(stored, there: TrainingClient):
    spec = {"image": "mine:1", "resources": {"limits": {"cpu": 2}}}
    job = _submitted(stored, there, build_model, "digits.npz", workers=2, spec=spec)
    assert "_arrays('/mnt/kubefit/digits.npz')" in job["spec"]["script"]["inline"]
    assert job["spec"]["image"] == "mine:1"
    assert job["metadata"]["name"].startswith("build-model-")


def test_a_function_that_loads_the_data_goes_along(stored, there: TrainingClient):
    job = _submitted(stored, there, build_model, load_data, validation_data=load_data)
    text = job["spec"]["script"]["inline"]
    assert text.count("def load_data():") == 1
    assert "import numpy as np\n" in text
    assert text.count("    load_data(),\n") == 2


def test_the_history_of_a_finished_job_is_read_from_its_chief(stored, there: TrainingClient):
    _submitted(stored, there, build_model, (X, Y), name="done")
    stored.logs["done"] = f'epoch=1/1 loss=0.5\n{HISTORY}{{"loss": [0.123456789]}}\n'
    stored.end("done", "Succeeded")
    # The job is over when it is waited for; a client that asks again is told so.
    with pytest.raises(ClientError, match="is over"):
        there.fit_remote(build_model, (X, Y), name="done", claim="training")
    assert history_in(stored.logs["done"].splitlines()) == {"loss": [0.123456789]}
    assert history_in(["other"]) is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ((X, Y[:4]), "data: the arrays are not of one length, or are empty: x 8, y 4"),
        (X[:0], "data: the arrays are not of one length, or are empty: x 0"),
        (None, "data: is neither arrays"),
        ((X, Y, Y, Y), "data: is neither arrays"),
        ("digits.csv", "data: digits.csv is not the path of an .npz file"),
        (np.random.default_rng(0).normal(size=(60_000, 2)), "data: function and arrays make"),
        (lambda: X, "data: is a lambda"),
        ([X, Y], "data: holds a list of arrays; give a tuple (x, y)"),
        ([X, X], "data: holds a list of arrays; give a tuple (x, y)"),
        ([[1.0], [1.0, 2.0]], "data: is neither arrays"),
        (build_model_of, "data: none are given to build_model_of: missing"),
    ],
)
def test_data_that_cannot_go_along_are_refused(there: TrainingClient, data, told: str):
    with pytest.raises(ClientError) as refused:
        there.fit_remote(build_model, data, claim="training")
    assert told in str(refused.value)


def test_arguments_that_do_not_fit_are_refused_before_anything_is_sent(there: TrainingClient):
    with pytest.raises(ClientError, match=r"do not fit build_model: .*'depth'"):
        there.fit_remote(build_model, (X, Y), claim="c", arguments={"depth": 2})
    with pytest.raises(NotShippableError, match="only numbers, texts"):
        there.fit_remote(build_model, (X, Y), claim="c", arguments={"units": X})
    with pytest.raises(InvalidJobError, match=r"'\.\./x' does not match"):
        there.fit_remote(build_model, (X, Y), claim="c", name="../x")


def test_a_cluster_needs_a_volume_for_the_results(there: TrainingClient):
    with pytest.raises(ClientError, match="claim: a cluster needs a volume"):
        there.fit_remote(build_model, (X, Y))


def test_a_file_that_is_not_there_is_told_on_this_machine(tmp_path: Path):
    client = TrainingClient("local", runs_dir=tmp_path / "runs", volume=tmp_path)
    with pytest.raises(ClientError, match=r"data: .*/digits\.npz does not exist"):
        client.fit_remote(build_model, "digits.npz")
    assert not (tmp_path / "runs").exists()


def test_functions_of_one_name_are_refused_if_they_differ(there: TrainingClient):
    def load():
        return np.zeros((8, 2))

    first = load

    def load():  # type: ignore[no-redef]
        return np.ones((8, 2))

    with pytest.raises(NotShippableError, match="load: two different functions have this name"):
        there.fit_remote(build_model, first, validation_data=load, claim="c")


def test_a_function_with_a_name_of_the_program_itself_is_refused(there: TrainingClient):
    def _arrays():
        return np.zeros((8, 2))

    with pytest.raises(NotShippableError, match="_arrays: the program around it uses this name"):
        there.fit_remote(build_model, _arrays, claim="c")


def test_the_names_that_the_program_uses_are_reserved():
    build = shipped(build_model, "build_model")
    text = program(
        build, loaders=[], arguments={}, train="None", validation="None", options={}, seed=0
    )
    given: set[str] = set()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            given |= {one.asname or one.name for one in node.names}
        elif isinstance(node, ast.FunctionDef):
            given.add(node.name)
        elif isinstance(node, ast.Assign):
            given |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    assert given - {"annotations", "build_model"} == RESERVED


def test_arrays_of_a_job_that_is_there_stay_as_they_are(tmp_path: Path):
    with TrainingClient("local", runs_dir=tmp_path) as client:
        texts = [
            document_of(_fit_job(data), client.backend)["spec"]["script"]["inline"]
            for data in ((X, Y), (X + 1, Y), (X, Y))
        ]
    files = sorted((tmp_path / "same").iterdir())
    assert len(files) == 2
    assert texts[0] == texts[2] != texts[1]
    sums = {float(np.load(file)["x"].sum()) for file in files}
    assert sums == {0.0, 16.0}


def _fit_job(data) -> FitJob:
    return FitJob(
        build_model=build_model,
        data=data,
        validation_data=None,
        arguments={},
        options={"epochs": 1},
        seed=0,
        workers=1,
        claim=None,
        spec={},
        name="same",
    )


def test_a_history_is_one_line_of_json():
    line = HISTORY + json.dumps({"loss": [1.0, 0.1]})
    assert history_in(["first", line, "last"]) == {"loss": [1.0, 0.1]}
