"""Command line of the generator.

`python -m kubefit.generate` writes; with `--check` it exits with 1 and a diff if anything drifted.
"""

import argparse
import difflib
import os
import subprocess
import sys
from pathlib import Path

from kubefit.generate.files import FILES, INSTALL
from kubefit.generate.install import is_current, rendered

_ROOT = Path(__file__).parents[3]
_PROVISION = "tests/cluster/provision"


def main() -> int:
    """Exit status of the command."""
    parser = argparse.ArgumentParser(prog="python -m kubefit.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 on drift")
    parser.add_argument("--root", type=Path, default=_ROOT, help="repository to write to")
    arguments = parser.parse_args()
    root: Path = arguments.root
    if not (root / "pyproject.toml").is_file():
        print(f"{root} is not a checkout of KubeFit: name one with --root", file=sys.stderr)
        return 2
    return check(root) if arguments.check else write(root)


def check(root: Path) -> int:
    """Prints what would change; 1 if anything would."""
    drifted = False
    for name, make in FILES.items():
        current, generated = _text(root / name), make()
        if current != generated:
            drifted = True
            print(_diff(name, current, generated))
    if not is_current(root, _text(root / INSTALL)):
        drifted = True
        print(f"{INSTALL} was not rendered from the chart as it is")
    if drifted:
        print("generated files are out of date: run `make generate`", file=sys.stderr)
    return int(drifted)


def write(root: Path) -> int:
    """Writes what changed and names it."""
    for name, make in FILES.items():
        _replace(root, name, make())
    if not is_current(root, _text(root / INSTALL)):
        _replace(root, INSTALL, rendered(root, _helm(root)))
    return 0


def _diff(name: str, current: str, generated: str) -> str:
    return "\n".join(
        difflib.unified_diff(
            current.splitlines(),
            generated.splitlines(),
            f"{name} (as it is)",
            f"{name} (as generated)",
            lineterm="",
        )
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _replace(root: Path, name: str, text: str) -> None:
    path = root / name
    if _text(path) != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {name}")


def _helm(root: Path) -> str:
    """$HELM, or the pinned one that the test cluster's provisioner builds once into the cache."""
    if "HELM" in os.environ:
        return os.environ["HELM"]
    provision = [sys.executable, str(root / _PROVISION)]
    subprocess.run([*provision, "tools"], check=True)
    path = subprocess.run([*provision, "tools-path"], check=True, stdout=subprocess.PIPE, text=True)
    return str(Path(path.stdout.strip()) / "helm")


if __name__ == "__main__":
    sys.exit(main())
