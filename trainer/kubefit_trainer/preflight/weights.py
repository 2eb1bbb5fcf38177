"""Which file a backbone's weights are in; no Keras."""

import json
import re
from pathlib import Path

from kubefit.api.recipe import PretrainedBackbone
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import keras_files

_FIELD = "spec.recipe.model.backbone"
_PRESET, _PRESET_WEIGHTS = "config.json", "model.weights.h5"
_ENDINGS = (".h5", ".keras")


def needs_file(spec: PretrainedBackbone) -> bool:
    """Whether the backbone starts from a file of the user."""
    return spec.stored or spec.weights not in (None, "none", "imagenet")


def check(spec: PretrainedBackbone, volume: Path) -> None:
    """Looks at where the weights file begins and, if it is a saved model, what is in it.

    Raises:
        ConfigurationError: there is no such file, or it is of another kind or breaks off.

    """
    path = find(spec, volume)
    if spec.keras_hub is not None and not spec.pretrained:
        return
    field = f"{_FIELD}.{'saved' if spec.saved else 'kerasHub' if spec.keras_hub else 'weights'}"
    keras_files.check(path, field=field)


def find(spec: PretrainedBackbone, volume: Path) -> Path:
    """The file of `saved`, `weights` or the weights of a preset.

    In a folder it is the only weights file, or else the only one with the network's name in its
    own, as `keras.applications` names them.

    Raises:
        ConfigurationError: there is no such file, or more than one.

    """
    if spec.saved is not None:
        path = volume / spec.saved
        if not path.is_file():
            raise ConfigurationError(
                f"{_FIELD}.saved: {path} is not a file; name a model saved as .keras on the volume"
            )
        return path
    if spec.keras_hub is not None:
        return _in_preset(volume / spec.keras_hub, load_weights=spec.pretrained)
    path = volume / str(spec.weights)
    if path.is_dir():
        return _in_folder(path, spec.label)
    if not path.is_file():
        raise ConfigurationError(
            f"{_FIELD}.weights: {path} is not a file; name a weights file on the volume, imagenet"
            " or none"
        )
    return path


def _in_preset(folder: Path, *, load_weights: bool) -> Path:
    try:
        config = json.loads((folder / _PRESET).read_bytes())
        name = config.get("registered_name") or ""
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"{_FIELD}.kerasHub: {folder} is no KerasHub preset, as its {_PRESET} cannot be read:"
            f" {error}; name a folder that save_to_preset of a backbone has written"
        ) from error
    if not name.startswith("keras_hub>"):
        raise ConfigurationError(
            f"{_FIELD}.kerasHub: {folder / _PRESET} describes {name or 'no model of Keras'}, not a"
            " backbone of KerasHub; name a folder that save_to_preset of a backbone has written"
        )
    path = folder / _PRESET_WEIGHTS
    if load_weights and not path.is_file():
        raise ConfigurationError(
            f"{_FIELD}.kerasHub: {folder} has no {_PRESET_WEIGHTS}; copy the whole folder that"
            " save_to_preset has written"
        )
    return path


def _in_folder(folder: Path, label: str) -> Path:
    found = sorted(path for path in folder.iterdir() if path.name.endswith(_ENDINGS))
    if len(found) > 1:
        wanted = _plain(label)
        found = [path for path in found if re.match(rf"{wanted}(?!\d|v\d)", _plain(path.name))]
        notop = [path for path in found if "notop" in _plain(path.name)]
        found = notop or found
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ConfigurationError(
            f"{_FIELD}.weights: {folder} should have one weights file (*.h5, *.keras) of {label},"
            f" but has {names}; name the file itself"
        )
    return found[0]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
