"""`export/README.md`: the model card, for people and for hubs, which read its front matter."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from kubefit.api.recipe import ExportFormat, LabelKind, Recipe, Tokens
from kubefit_trainer.evaluation.course import Course
from kubefit_trainer.evaluation.findings import Evaluation

FILE = "README.md"
_CLASSES = 100
"""Classes that are listed at most; `labels.json` has all."""
_TAGS = {
    ExportFormat.KERAS: "keras",
    ExportFormat.SAVED_MODEL: "tf-saved-model",
    ExportFormat.LITERT: "tflite",
    ExportFormat.ONNX: "onnx",
}
_TASKS = {
    "data": "image-classification",
    "text": "text-classification",
    "speech": "audio-classification",
}
_WRITING = "text2text-generation"
_OF_KIND = {
    LabelKind.SINGLE_LABEL: "gives each {sample} one of {count} classes",
    LabelKind.MULTI_LABEL: "gives each {sample} any of {count} classes",
    LabelKind.REGRESSION: "predicts {count} numbers for each {sample}",
    LabelKind.TEXT: "writes a text for each {sample}, in {count} characters",
}
_NAMED = {
    LabelKind.SINGLE_LABEL: "Classes",
    LabelKind.MULTI_LABEL: "Classes",
    LabelKind.REGRESSION: "Numbers",
}
_IN_ORDER = "In the order of the outputs, as in `labels.json`"
_FRAMES = (
    "The outputs (batch, frames, characters) are logarithms of probabilities; neighbouring frames"
    " of the same character write one. In their order, as in `labels.json`, after the blank, which"
    " writes nothing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a model comes from."""

    classes: Sequence[str]
    """Names of the classes, or of the numbers."""
    trained_on: int
    """Samples."""
    digest: str
    """Of the training samples, see `recipe.digest`."""
    versions: Mapping[str, str]


def card(course: Course, origin: Origin) -> str:
    """The model card, Markdown with front matter in YAML."""
    recipe, evaluation = course.recipe, course.evaluation
    front = yaml.safe_dump(_front(course, evaluation), sort_keys=False, allow_unicode=True)
    labels = recipe.samples.labels
    # The blank is none.
    count = len(origin.classes) - (labels is LabelKind.TEXT)
    sample = recipe.kind.removesuffix("s")
    what = _OF_KIND[labels].format(count=count, sample=sample)
    if recipe.writes:
        what = f"writes a text for each {sample}"
    parts = [
        f"---\n{front}---\n\n# {course.job}\n\nA network that {what}, trained with KubeFit on"
        f" {course.workers} worker{'' if course.workers == 1 else 's'}.",
        _input(recipe),
        _outputs(origin.classes, recipe),
        _metrics(evaluation, recipe.kind, course.unjudged),
        _data(recipe, origin),
        *(_load(course, recipe)),
        _training(recipe, origin),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front(course: Course, evaluation: Evaluation | None) -> dict[str, object]:
    formats = [one.format for one in course.exported if one.size]
    front: dict[str, object] = {"library_name": "keras"}
    task = _WRITING if course.recipe.writes else _TASKS[course.recipe.subject]
    if course.recipe.samples.labels is LabelKind.TEXT:
        task = "automatic-speech-recognition"
    if course.recipe.samples.labels is not LabelKind.REGRESSION:
        front["pipeline_tag"] = task
    front["tags"] = ["kubefit", *(_TAGS[one] for one in formats)]
    known = {k: v for k, v in (evaluation.metrics if evaluation else {}).items() if v is not None}
    if evaluation is not None and known and "pipeline_tag" in front:
        data = {"type": "custom", "name": course.job, "split": evaluation.split}
        metrics = [{"type": name, "value": round(value, 6)} for name, value in known.items()]
        result = {"task": {"type": task}, "dataset": data, "metrics": metrics}
        front["model-index"] = [{"name": course.job, "results": [result]}]
    return front


def _input(recipe: Recipe) -> str:
    if recipe.text is not None and recipe.writes:
        told = (
            "Texts as strings, shape (batch,), and what is written of their targets already,"
            " alike: at first nothing. The network looks up tokens itself, and gives the"
            " probabilities of what follows upon each token, shape (batch, places, tokens)."
        )
    elif recipe.text is not None:
        told = "Texts as strings, shape (batch,). Words are looked up by the network itself."
    elif recipe.speech is not None:
        told = (
            f"Amplitudes of -1 to 1 at {recipe.speech.sample_rate} Hz, float32, shape (batch,"
            f" {recipe.speech.length}); shorter recordings are filled up with zeros. The network"
            " makes the spectrogram itself."
        )
    else:
        height, width, channels = _shape(recipe)
        told = (
            f"{'RGB' if channels == 3 else 'Grey'} pixels of 0 to 255, shape"
            f" (batch, {height}, {width}, {channels}): height, width, channels. Nothing is to be"
            " scaled, the network does that itself."
        )
    return f"## Input\n\n{told}"


def _shape(recipe: Recipe) -> tuple[int, int, int]:
    data = recipe.data
    if data is None:
        raise ValueError("a recipe without images has no size of them")
    return data.image_size[0], data.image_size[1], data.channels


def _outputs(classes: Sequence[str], recipe: Recipe) -> str:
    if recipe.writes:
        return _tokens(classes)
    if recipe.samples.labels is LabelKind.TEXT:
        return _classes(classes[1:], "Characters", _FRAMES)
    return _classes(classes, _NAMED[recipe.samples.labels])


def _classes(classes: Sequence[str], what: str, order: str = _IN_ORDER) -> str:
    listed = ", ".join(_plain(name) for name in classes[:_CLASSES])
    more = f", and {len(classes) - _CLASSES} more" if len(classes) > _CLASSES else ""
    return f"## {what}\n\n{order}: {listed}{more}."


def _tokens(names: Sequence[str]) -> str:
    """With quotes, as white space and nothing at all have places, too."""
    return _classes([json.dumps(name, ensure_ascii=False) for name in names], "Tokens")


def _plain(name: str) -> str:
    """A name of somebody's, so that it is neither markup nor a line of its own."""
    return "`" + (" ".join(name.replace("`", "'").split()) or " ") + "`"


def _metrics(evaluation: Evaluation | None, kind: str, unjudged: str) -> str:
    if evaluation is None and unjudged:
        return f"## Metrics\n\nThere are none: {unjudged}."
    if evaluation is None:
        return f"## Metrics\n\nNo {kind} were held out, so nothing is known of new ones."
    rows = [
        f"| {name} | {'–' if value is None else f'{value:.4f}'} |"
        for name, value in evaluation.metrics.items()
    ]
    head = f"On {evaluation.images} {evaluation.split} {kind}, which were not trained on:"
    if evaluation.split == "validation":
        head += " those of the validation, so that choices made by it make them look better."
    return "\n".join(["## Metrics", "", head, "", "| Metric | Value |", "| --- | --- |", *rows])


def _data(recipe: Recipe, origin: Origin) -> str:
    source = recipe.samples.train.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    text = yaml.safe_dump(source, sort_keys=False)
    return (
        f"## Data\n\n{origin.trained_on} {recipe.kind}, SHA-256 `{origin.digest}` over their names,"
        " labels and, of up to 100,000 files, sizes, not over their contents; from\n\n"
        f"```yaml\n{text}```"
    )


def _load(course: Course, recipe: Recipe) -> list[str]:
    there = [one for one in course.exported if one.size]
    table = [
        "## Files",
        "",
        "| Format | File | Largest difference | |",
        "| --- | --- | --- | --- |",
    ]
    for one in course.exported:
        difference = "–" if one.difference is None else f"{one.difference:.2g}"
        remark = " ".join(one.problem.replace("|", "/").split())
        table.append(
            f"| {one.format} | {f'`{one.path}`' if one.size else '–'} | {difference} | {remark} |"
        )
    about = (
        "Each was loaded by its own runtime, in a process of its own, and compared with the trained"
        " model; the difference is that of any output."
    )
    blocks = [
        f"{_HEADINGS[one.format]}\n\n```python\n{_program(one.format, recipe)}```" for one in there
    ]
    return ["\n".join(table), about, *blocks]


_HEADINGS = {
    ExportFormat.KERAS: "With Keras, here with TensorFlow:",
    ExportFormat.SAVED_MODEL: "As a server does it:",
    ExportFormat.LITERT: "With LiteRT (`pip install ai-edge-litert`):",
    ExportFormat.ONNX: "With ONNX Runtime (`pip install onnxruntime`):",
}
_PROGRAMS = {
    ExportFormat.KERAS: """\
import keras

model = keras.models.load_model("model.keras", compile=False)
outputs = model.predict(SAMPLES)
""",
    ExportFormat.SAVED_MODEL: """\
import tensorflow as tf

served = tf.saved_model.load("saved_model/1").signatures["serving_default"]
answer = served(NAME=tf.constant(SAMPLES))
outputs = answer["probabilities"].numpy()
""",
    ExportFormat.LITERT: """\
from ai_edge_litert.interpreter import Interpreter

runner = Interpreter(model_path="model.tflite").get_signature_runner("serve")
(outputs,) = runner(NAME=SAMPLES.astype("float32")).values()
""",
    ExportFormat.ONNX: """\
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
(outputs,) = session.run(None, {"NAME": SAMPLES.astype("float32")})
""",
}


_WRITERS = {
    ExportFormat.KERAS: """\
import json

import keras
import tensorflow as tf

model = keras.models.load_model("model.keras", compile=False)
tokens = json.load(open("labels.json"))
text, written = tf.constant(["some text"]), []
while len(written) < model.output.shape[1]:
    outputs = model([text, tf.constant([SPACE.join(written)])])
    # No padding, no unknown token, no start.
    token = tokens[3 + int(outputs[0, len(written), 3:].numpy().argmax())]
    if token == "[end of target]":
        break
    written.append(token)
print(SPACE.join(written))
""",
    ExportFormat.SAVED_MODEL: """\
import tensorflow as tf

served = tf.saved_model.load("saved_model/1").signatures["serving_default"]
print(served(text=tf.constant(["some text", "and another"]))["texts"])
""",
}


def _program(one: ExportFormat, recipe: Recipe) -> str:
    if recipe.text is not None and recipe.writes:
        space = '""' if recipe.text.tokens is Tokens.CHARACTERS else '" "'
        return _WRITERS[one].replace("SPACE", space)
    name, samples = _example(recipe)
    text = _PROGRAMS[one].replace("NAME", name).replace("SAMPLES", f"{name}s")
    if recipe.samples.labels is LabelKind.REGRESSION:
        text = text.replace("probabilities", "numbers")
    if recipe.samples.labels is LabelKind.TEXT:
        text = text.replace('"probabilities"', '"texts"')
    first, _, rest = text.partition("\n\n")
    library = "import tensorflow as tf" if samples.startswith("tf.") else "import numpy as np"
    imports = sorted({library, first}, key=lambda line: line.split()[1])
    return "\n".join(imports) + f"\n\n{name}s = {samples}\n{rest}"


def _example(recipe: Recipe) -> tuple[str, str]:
    """Name of the input, and an expression for two samples."""
    if recipe.text is not None:
        return "text", 'tf.constant(["some words", "and others"])'
    if recipe.speech is not None:
        return "wave", f"np.zeros((2, {recipe.speech.length}), np.float32)"
    return "image", f"np.zeros((2, {', '.join(map(str, _shape(recipe)))}), np.uint8)"


def _training(recipe: Recipe, origin: Origin) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(origin.versions.items()))
    wire = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    text = yaml.safe_dump(wire, sort_keys=False)
    return (
        f"## Training\n\nWith {versions}. The recipe, every default spelt out; it trains the same"
        f" again:\n\n```yaml\n{text}```"
    )
