"""Arguments of Keras' `ImageDataGenerator` as parts of a recipe; the program is read, never run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_FILLS = ("reflect", "nearest", "wrap", "constant")
_FLOWS = ("flow_from_directory", "flow_from_dataframe", "flow")
_AUGMENTS = frozenset(
    {
        "rotation_range",
        "width_shift_range",
        "height_shift_range",
        "shear_range",
        "zoom_range",
        "horizontal_flip",
        "vertical_flip",
        "brightness_range",
        "channel_shift_range",
    }
)
_ORDER = (
    "rotation_range",
    "width_shift_range",
    "height_shift_range",
    "brightness_range",
    "shear_range",
    "zoom_range",
    "channel_shift_range",
    "fill_mode",
    "cval",
    "horizontal_flip",
    "vertical_flip",
    "rescale",
    "preprocessing_function",
    "data_format",
    "validation_split",
)
"""Arguments that have an equivalent or need none, or are told apart in `_notes`."""


class NoGeneratorError(ValueError):
    """The program makes no ImageDataGenerator."""


@dataclass(slots=True)
class Translation:
    """`data`, `augmentation` and `training` of a recipe, as on the wire, as far as is known."""

    recipe: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What differs, or could not be taken over; a sentence each."""


def translate(source: str) -> Translation:
    """Translates the generator that augments, and the folders that generators of a program read.

    Raises:
        SyntaxError: the program is not Python.
        NoGeneratorError: it has no `ImageDataGenerator(...)`.

    """
    tree = ast.parse(source)
    names = _constants(tree)
    generators = [_arguments(call, names) for call in _calls(tree, "ImageDataGenerator")]
    if not generators:
        raise NoGeneratorError("has no ImageDataGenerator(...)")
    result = Translation()
    # The generator for validation usually rescales only.
    given = max(generators, key=lambda arguments: len(_AUGMENTS & arguments.keys()))
    _translate_data(tree, names, given, result)
    augmentation = _augmentation(given, result)
    if augmentation:
        result.recipe["augmentation"] = augmentation
    return result


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if (isinstance(called, ast.Name) and called.id == name) or (
                isinstance(called, ast.Attribute) and called.attr == name
            ):
                yield node


def _constants(tree: ast.Module) -> dict[str, Any]:
    """Values of names that are assigned a literal once, at the top of the program."""
    found: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            value = _value(statement.value, found)
            if isinstance(target, ast.Name) and value is not _UNKNOWN:
                found[target.id] = value
    return found


_UNKNOWN = object()


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    """The value of a literal, a known name, or a tuple, list or quotient of such."""
    match node:
        case ast.Name(id=name):
            return names.get(name, _UNKNOWN)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            values = [_value(part, names) for part in parts]
            return _UNKNOWN if _UNKNOWN in values else values
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            a, b = _value(left, names), _value(right, names)
            numbers = isinstance(a, int | float) and isinstance(b, int | float) and b
            return a / b if numbers else _UNKNOWN
        case _:
            try:
                return ast.literal_eval(node)
            except ValueError:
                return _UNKNOWN


def _arguments(call: ast.Call, names: dict[str, Any]) -> dict[str, Any]:
    return {word.arg: _value(word.value, names) for word in call.keywords if word.arg is not None}


def _translate_data(
    tree: ast.Module, names: dict[str, Any], given: dict[str, Any], result: Translation
) -> None:
    data: dict[str, Any] = {}
    flows = []
    for call in _calls(tree, "flow_from_directory"):
        arguments = _arguments(call, names)
        if call.args:
            arguments.setdefault("directory", _value(call.args[0], names))
        flows.append(arguments)
    folders = list(dict.fromkeys(f["directory"] for f in flows if _known(f, "directory")))
    if folders:
        data["train"] = {"folder": folders[0]}
    if len(folders) > 1:
        data["validation"] = {"folder": folders[1]}
        result.notes.append(f"{folders[1]} is taken as data.validation")
    if any(True for name in _FLOWS[1:] for _ in _calls(tree, name)):
        result.notes.append("flow and flow_from_dataframe are not taken over; name data.train")
    if _known(given, "validation_split") and given["validation_split"]:
        data["validationSplit"] = given["validation_split"]
        result.notes.append("the validation split is drawn by the seed, not the first files")
    if flows:
        size = flows[0].get("target_size", [256, 256])
        if size is not _UNKNOWN:
            data["imageSize"] = list(size)
        if flows[0].get("color_mode") == "grayscale":
            data["channels"] = 1
        batch = flows[0].get("batch_size", 32)
        if batch is not _UNKNOWN:
            result.recipe["training"] = {"globalBatchSize": batch}
        if flows[0].get("class_mode") == "binary":
            result.recipe["model"] = {"output": "sigmoid"}
    if data:
        result.recipe = {"data": data, **result.recipe}


def _known(arguments: dict[str, Any], name: str) -> bool:
    return arguments.get(name, _UNKNOWN) is not _UNKNOWN


def _augmentation(given: dict[str, Any], result: Translation) -> dict[str, Any]:
    for name, value in given.items():
        if value is _UNKNOWN and name != "preprocessing_function":
            result.notes.append(f"{name} is computed by the program and was not taken over")
        elif name not in _ORDER and value:
            result.notes.append(f"{name} has no equivalent and was not taken over")
    arguments = {name: value for name, value in given.items() if value is not _UNKNOWN and value}
    found: dict[str, Any] = {}
    flips = [bool(arguments.get(f"{axis}_flip")) for axis in ("horizontal", "vertical")]
    if any(flips):
        found["flip"] = "both" if all(flips) else "horizontal" if flips[0] else "vertical"
    for theirs, ours in (("rotation_range", "rotation"), ("shear_range", "shear")):
        if theirs in arguments:
            found[ours] = float(arguments[theirs])
    if "zoom_range" in arguments:
        found["zoom"] = _spread(arguments["zoom_range"])
        result.notes.append("zoom keeps the ratio of height and width")
    _shift(arguments, found, result)
    if "brightness_range" in arguments:
        found["brightness"] = _spread(arguments["brightness_range"])
        result.notes.append("brightness is added to the pixels, not multiplied")
    if "channel_shift_range" in arguments:
        found["channelShift"] = min(1.0, round(arguments["channel_shift_range"] / 255, 6))
    if found.keys() & {"rotation", "shear", "zoom", "translation"}:
        fill = arguments.get("fill_mode", "nearest")
        found["fill"] = fill
        if fill == "constant" and arguments.get("cval"):
            result.notes.append("constant fill is black")
    if "rescale" in arguments or "preprocessing_function" in given:
        result.notes.append("rescale and preprocessing_function fall away: the network does that")
    return found


def _shift(arguments: dict[str, Any], found: dict[str, Any], result: Translation) -> None:
    shifts = [arguments.get(f"{axis}_shift_range", 0.0) for axis in ("width", "height")]
    if not any(shifts):
        return
    if any(not isinstance(shift, int | float) or shift >= 1 for shift in shifts):
        result.notes.append("shifts in pixels were not taken over; give translation as a share")
        return
    found["translation"] = max(shifts)
    if shifts[0] != shifts[1]:
        result.notes.append("translation is the same along both axes; the larger one was taken")


def _spread(value: Any) -> float:
    """Largest distance from 1 of a range, or the range itself if it is one number."""
    if isinstance(value, int | float):
        return float(value)
    return round(max(abs(float(bound) - 1.0) for bound in value), 6)
