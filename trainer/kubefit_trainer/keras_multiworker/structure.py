"""What a model is made of, as facts that can be compared between processes.

Names of layers are left out: they count what a process made before. So are seeds, which the
workers' common state replaces.
"""

import hashlib
import json
from typing import Any

_LEFT_OUT = ("name", "seed")
_LONGEST = 160


def of_model(model: Any) -> dict[str, str]:
    """One fact per setting of each layer; the keys say where it is."""
    layers = list(model._flatten_layers(include_self=False))
    names = {layer.name: f"layer {i}" for i, layer in enumerate(layers)}
    facts = {"number of layers": str(len(layers))}
    for i, layer in enumerate(layers):
        facts[f"class of layer {i}"] = type(layer).__name__
        config = _config(layer)
        # A container repeats its layers; how they are joined is its own. Of other layers no setting
        # names a layer, but a layer may be named like a setting: softmax, relu.
        container = config.pop("layers", None) is not None
        for path, value in _settings(config, names if container else {}):
            facts[f"{path} of layer {i}"] = value
    for path, value in _settings(_joints(_config(model)), names):
        facts[f"connections of the model, {path}"] = value
    return facts


def of_config(config: Any, owner: str) -> dict[str, str]:
    """The settings of a configuration, by their path in it."""
    return {f"{path} of the {owner}": value for path, value in _settings(config, {})}


def _config(layer: Any) -> dict[str, Any]:
    try:
        return dict(layer.get_config())
    except Exception:
        # A class of the program's own that nobody can write down; its variables are compared.
        return {}


def _joints(config: dict[str, Any]) -> dict[str, Any]:
    layers = config.get("layers", ())
    kept: dict[str, Any] = {
        key: config[key] for key in ("input_layers", "output_layers") if key in config
    }
    if isinstance(layers, list | tuple):
        nodes = [one.get("inbound_nodes") for one in layers if isinstance(one, dict)]
        kept |= {str(i): node for i, node in enumerate(nodes) if node}
    return kept


def _settings(value: Any, names: dict[str, str], path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [
            found
            for key, inner in value.items()
            if key not in _LEFT_OUT
            for found in _settings(inner, names, f"{path}.{key}" if path else str(key))
        ]
    plain = json.dumps(_renamed(value, names), default=_plain, sort_keys=True)
    return [(path, _shortened(plain))]


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, list | tuple):
        return [_renamed(one, names) for one in value]
    if isinstance(value, dict):
        return {
            str(key): _renamed(inner, names) for key, inner in value.items() if key not in _LEFT_OUT
        }
    return value


def _plain(value: Any) -> str:
    return type(value).__name__


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:60]}... ({hashlib.sha256(text.encode()).hexdigest()[:16]})"
