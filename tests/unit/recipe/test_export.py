"""Every format predicts what the trained model does, or is told to be missing."""

import json
import signal
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kubefit.api.recipe import Backbone, ExportFormat, LabelKind, Recipe, resolve
from kubefit_trainer.export import formats, fresh, saved, serving
from kubefit_trainer.export.formats import Exported
from kubefit_trainer.recipe import network, preprocessing

SIZE = (32, 32)
CLASSES = ["a", "b", "c"]


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, *SIZE, 3), np.uint8)


def model_of(wanted: dict, **training: object) -> keras.Model:
    spec = Recipe.model_validate(
        {
            "data": {"train": {"folder": "x"}, "imageSize": list(SIZE)},
            "model": wanted,
            "training": {"epochs": 1, **training},
        }
    )
    spec = resolve(spec)
    model = network.build(spec, classes=3)
    network.prepare(model, spec, spec.training.phases[0], steps_per_epoch=1)
    if "blocks" in wanted:
        model.fit(pixels(4).astype(np.float32), np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    return network.for_export(model, spec)


BLOCKS = {"blocks": [{"conv": 4}, {"batchNorm": True}, {"flatten": True}, {"dropout": 0.5}]}


def preprocessing_of(name: Backbone) -> keras.Model:
    """The preprocessing of a backbone without the backbone."""
    inputs = keras.Input((*SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(
        preprocessing.preprocess(preprocessing.of_family(name), inputs)
    )
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(pooled))


MODELS = {
    "blocks": lambda: model_of(BLOCKS),
    "backbone": lambda: model_of({"backbone": {"name": "MobileNet", "weights": "none"}}),
    "caffe": lambda: preprocessing_of(Backbone.RESNET50),
    "torch": lambda: preprocessing_of(Backbone.DENSENET121),
    "symmetric": lambda: preprocessing_of(Backbone.XCEPTION),
}


@pytest.mark.parametrize("kind", MODELS)
def test_each_format_predicts_what_the_trained_model_predicts(tmp_path: Path, kind: str) -> None:
    model = MODELS[kind]()
    model.save(tmp_path / "model.keras")
    serving.write(model, tmp_path / "savedModel", classes=CLASSES, kind=LabelKind.SINGLE_LABEL)
    expected = model(pixels(5).astype(np.float32), training=False).numpy()
    np.savez(tmp_path / "samples.npz", samples=pixels(5), expected=expected)
    places = {one: str(tmp_path / one) for one in ExportFormat}
    request = fresh.Request(
        paths={**places, ExportFormat.KERAS: str(tmp_path / "model.keras")},
        saved_model=places[ExportFormat.SAVED_MODEL],
        samples=str(tmp_path / "samples.npz"),
        results=str(tmp_path / "results.json"),
    )
    fresh.main(request)
    found = fresh.Results.model_validate_json((tmp_path / "results.json").read_bytes()).exported
    assert {one.format: one.problem for one in found} == dict.fromkeys(ExportFormat, "")
    assert all(one.difference is not None and one.difference < 1e-3 for one in found)


def exported(folder: Path, model: keras.Model, *wanted: ExportFormat) -> dict[str, Exported]:
    as_asked = saved.Wanted(formats=wanted, classes=CLASSES, kind=LabelKind.SINGLE_LABEL)
    found = saved.begin(model, folder, as_asked, samples=pixels(2)).finish()
    return {one.format: one for one in found}


def test_formats_are_compared_by_processes_of_their_own_and_replace_those_before(
    tmp_path: Path,
) -> None:
    model = model_of(BLOCKS)
    found = exported(tmp_path, model, ExportFormat.SAVED_MODEL, ExportFormat.ONNX)
    assert {one.problem for one in found.values()} == {""}
    assert found[ExportFormat.ONNX].size == (tmp_path / "model.onnx").stat().st_size
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"model.keras", "saved_model", "model.onnx", "labels.json"}
    assert [path.name for path in (tmp_path / "saved_model").iterdir()] == ["1"]
    assert json.loads((tmp_path / "labels.json").read_text()) == CLASSES
    assert list(exported(tmp_path, model, ExportFormat.KERAS)) == [ExportFormat.KERAS]
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"model.keras", "labels.json"}


def test_a_converter_that_breaks_down_costs_its_format_only(tmp_path: Path, monkeypatch) -> None:
    def broken(request: Path) -> str:
        asked = fresh.Request.model_validate_json(request.read_bytes())
        if ExportFormat.KERAS not in asked.paths:
            return f"it ended with {signal.SIGSEGV.name}"
        ok = [Exported(format=f, path=p, difference=0.0) for f, p in asked.paths.items()]
        results = fresh.Results(exported=ok)
        Path(asked.results).write_text(results.model_dump_json(by_alias=True))
        return ""

    monkeypatch.setattr(saved, "_run", broken)
    found = exported(tmp_path, model_of(BLOCKS), *ExportFormat)
    assert saved.warnings_of(list(found.values())) == [
        "litert is not exported: it ended with SIGSEGV",
        "onnx is not exported: it ended with SIGSEGV",
    ]
    assert (tmp_path / "model.keras").exists()
    assert (tmp_path / "saved_model" / "1" / "saved_model.pb").exists()


def of_another_model(folder: Path) -> None:
    """What an export before has left."""
    (folder / "saved_model" / "1").mkdir(parents=True)
    for name in ("saved_model/1/saved_model.pb", "model.tflite", "model.onnx", "README.md"):
        (folder / name).write_text("of another model")


def test_what_a_process_said_last_is_told_with_its_end(tmp_path: Path) -> None:
    told = saved._run(tmp_path / "none.json")
    assert told.startswith("the process that writes and reloads it ended with exit code 1: ")
    assert told.endswith(f"No such file or directory: '{tmp_path}/none.json'")


def test_a_volume_that_is_full_after_the_model_is_told_and_the_model_stays(
    tmp_path: Path, monkeypatch
) -> None:
    def full(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved.np, "savez", full)
    of_another_model(tmp_path)
    found = exported(tmp_path, model_of(BLOCKS), ExportFormat.SAVED_MODEL)
    of_keras, of_servers = saved.warnings_of(list(found.values()))
    assert of_keras.startswith("keras is exported without a proof that it is right: OSError")
    assert of_servers.startswith("savedModel is not exported: OSError")
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"model.keras", "labels.json"}


def test_too_little_memory_for_a_process_is_told_and_the_model_stays(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(saved.cgroup, "free_memory", lambda: 100 << 20)
    found = exported(tmp_path, model_of(BLOCKS), ExportFormat.SAVED_MODEL, ExportFormat.ONNX)
    keras_, of_servers, onnx = saved.warnings_of(list(found.values()))
    assert keras_.startswith("keras is exported without a proof that it is right: ")
    assert of_servers.startswith("savedModel is exported without a proof that it is right: ")
    assert onnx.startswith("onnx is not exported: ")
    assert "100 are free" in onnx
    assert (tmp_path / "saved_model" / "1" / "saved_model.pb").exists()


def test_formats_without_half_precision_are_refused_with_what_to_set(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(saved, "_by_a_process", lambda folder, asked, modules: [])
    found = exported(tmp_path, model_of(BLOCKS, precision="bfloat16"), *ExportFormat)
    assert list(found) == [ExportFormat.LITERT, ExportFormat.ONNX]
    for text in saved.warnings_of(list(found.values())):
        assert "computes in bfloat16; set spec.recipe.training.precision to float32" in text


def test_a_missing_package_is_named_with_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None)
    missing = formats.lacking(list(ExportFormat))
    assert missing == {
        ExportFormat.LITERT: ["ai-edge-litert"],
        ExportFormat.ONNX: ["onnx", "tf2onnx", "onnxruntime"],
    }
    text = formats.lacks(ExportFormat.LITERT, missing[ExportFormat.LITERT])
    assert text.startswith("spec.recipe.export.formats: there will be no litert, as the image has")


def test_another_prediction_shape_or_number_is_told() -> None:
    expected = np.array([[0.2, 0.8], [np.nan, 1.0]], np.float32)
    assert fresh.compared(ExportFormat.KERAS, [expected], expected) == (0.0, "")
    difference, problem = fresh.compared(ExportFormat.ONNX, [expected * 1.01], expected)
    assert difference == pytest.approx(0.01, rel=1e-3)
    assert "predicts something else" in problem
    assert "the shape (2, 1)" in fresh.compared(ExportFormat.ONNX, [expected[:, :1]], expected)[1]
    numbered = np.nan_to_num(expected)
    assert "predicts something else" in fresh.compared(ExportFormat.ONNX, [numbered], expected)[1]


def test_servers_answer_raw_images_with_names_and_probabilities(tmp_path: Path) -> None:
    model = model_of(BLOCKS)
    serving.write(model, tmp_path / "1", classes=CLASSES, kind=LabelKind.SINGLE_LABEL)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    for count in (1, 7):
        found = served(image=tf.constant(pixels(count)))
        expected = model(pixels(count).astype(np.float32), training=False).numpy()
        np.testing.assert_allclose(found["probabilities"], expected, rtol=1e-4, atol=1e-6)
        likeliest = [CLASSES[i] for i in expected.argmax(axis=1)]
        assert [name.decode() for name in found["labels"].numpy()] == likeliest


def test_servers_answer_one_column_many_labels_and_numbers_as_they_are_meant() -> None:
    column = tf.constant([[0.3], [0.9]])
    found = serving.answers(column, classes=["cat", "dog"], kind=LabelKind.SINGLE_LABEL)
    np.testing.assert_allclose(found["probabilities"], [[0.7, 0.3], [0.1, 0.9]], rtol=1e-6)
    assert found["labels"].numpy().tolist() == [b"cat", b"dog"]
    several = tf.constant([[0.9, 0.8], [0.1, 0.7]])
    found = serving.answers(several, classes=["sun", "sea"], kind=LabelKind.MULTI_LABEL)
    assert found["labels"].numpy().tolist() == [[b"sun", b"sea"], [b"", b"sea"]]
    numbers = serving.answers(several, classes=["x", "y"], kind=LabelKind.REGRESSION)
    assert list(numbers) == ["numbers"]
