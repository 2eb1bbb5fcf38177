"""Which file a backbone's weights are in; no Keras."""

import re
from pathlib import Path

from kubefit.api.recipe import PretrainedBackbone
from kubefit_trainer.failure import ConfigurationError

_FIELD = "spec.recipe.model.backbone"
_ENDINGS = (".h5", ".keras")


def needs_file(spec: PretrainedBackbone) -> bool:
    """Whether the backbone starts from a file of the user."""
    return spec.saved is not None or spec.weights not in (None, "none", "imagenet")


def find(spec: PretrainedBackbone, volume: Path) -> Path:
    """The file of `saved` or `weights`.

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
    path = volume / str(spec.weights)
    if path.is_dir():
        return _in_folder(path, spec.label)
    if not path.is_file():
        raise ConfigurationError(
            f"{_FIELD}.weights: {path} is not a file; name a weights file on the volume, imagenet"
            " or none"
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
