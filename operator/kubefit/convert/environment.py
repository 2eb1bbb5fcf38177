"""From the variables of a container to those of a worker."""

from typing import Any

from kubefit.convert.fields import Fields

_LEGACY = "TF_USE_LEGACY_KERAS"
_LEGACY_ON = ("1", "true", "True")
_SET = {
    "TF_CONFIG": "is set by KubeFit for each worker",
    "KERAS_BACKEND": "is set by KubeFit to tensorflow",
}


def known(container: Fields) -> dict[str, str]:
    """The variables whose values stand in the document; nothing is taken."""
    entries = container.left.get("env") or []
    return {
        entry["name"]: entry.get("value") or "" for entry in entries if "valueFrom" not in entry
    }


def of_container(
    container: Fields, set_by_command: dict[str, str]
) -> tuple[list[dict[str, Any]], bool]:
    """The variables for the pod template, and whether they ask for Keras 2."""
    kept: list[dict[str, Any]] = []
    keras_2 = False
    for i, entry in enumerate(container.items("env")):
        name = entry["name"]
        if name == _LEGACY:
            keras_2 = entry.get("value") in _LEGACY_ON
            container.note(f"env[{i}]", f"{name} follows from spec.script.runtime; it is left out")
        elif name in _SET:
            container.note(f"env[{i}]", f"{name} {_SET[name]}; it is left out")
        elif name not in set_by_command:
            kept.append(entry)
    kept += [{"name": name, "value": value} for name, value in set_by_command.items()]
    return kept, keras_2
