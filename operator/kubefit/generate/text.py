"""How generated files look: the notice at their top, YAML and JSON."""

import json
from typing import Any

import yaml

NOTICE = "Generated from the models by `make generate`; edit those instead."
YAML_NOTICE = f"# {NOTICE}\n"
MARKDOWN_NOTICE = f"<!-- {NOTICE} -->\n"


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a literal block, text that Kubernetes takes for a boolean quoted."""


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # PyYAML writes `y` and `n` plain, kubectl and helm read them as true and false.
    quoted = "'" if value.lower() in ("y", "n") else None
    style = "|" if "\n" in value else quoted
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _string)


def to_yaml(value: Any) -> str:
    """Block style, in the order of the value, long lines folded."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True))


def to_json(value: Any) -> str:
    """Two spaces, one line feed at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
