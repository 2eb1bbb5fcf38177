"""Whether the parts of a document have the shape that the API server asks of them."""

from typing import Any

from kubefit.convert.fields import UnconvertibleError

_NAMED = frozenset(
    {"containers", "env", "initContainers", "volumeDevices", "volumeMounts", "volumes"}
)
_LISTS = _NAMED | {"add", "args", "command", "podTemplateOverrides", "ports", "runtimePatches"}
_TEXTS = frozenset({"annotations", "labels", "matchLabels"})
_MAPPINGS = _TEXTS | {
    "capabilities",
    "limits",
    "metadata",
    "persistentVolumeClaim",
    "requests",
    "resources",
    "securityContext",
    "template",
}


def check(value: Any, path: str) -> None:
    """Looks at lists and mappings wherever they stand below.

    Raises:
        UnconvertibleError: one has another shape.

    """
    if isinstance(value, list):
        for i, item in enumerate(value):
            check(item, f"{path}[{i}]")
    if not isinstance(value, dict):
        return
    for key, part in value.items():
        where = f"{path}.{key}"
        if part is None:
            continue
        if key in _MAPPINGS and not isinstance(part, dict):
            raise UnconvertibleError(f"{where}: is not a mapping")
        if key in _LISTS and not isinstance(part, list):
            raise UnconvertibleError(f"{where}: is not a list")
        if key in _NAMED:
            _check_names(part, where)
        if key == "env":
            _check_values(part, where)
        if key == "ports" and not all(isinstance(item, dict) for item in part):
            raise UnconvertibleError(f"{where}: is not a list of mappings")
        if key not in _TEXTS:
            check(part, where)


def _check_values(items: list[dict[str, Any]], path: str) -> None:
    """YAML reads `1` and `1:30` as numbers, and Kubernetes wants texts."""
    for i, item in enumerate(items):
        value = item.get("value")
        if not isinstance(value, str | None):
            raise UnconvertibleError(
                f"{path}[{i}].value: {value!r} is not a text: put it in quotes"
            )


def _check_names(items: list[Any], path: str) -> None:
    for i, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise UnconvertibleError(f"{path}[{i}]: has no name")
