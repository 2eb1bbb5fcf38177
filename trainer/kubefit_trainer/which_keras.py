"""The Keras that a program is for, where that is not the one that its runtime has.

Seen in the source before anything starts, and of modules beside the program when they are imported.
Imports nothing heavy.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from kubefit.api.v1alpha1 import Runtime

LEGACY = "TF_USE_LEGACY_KERAS"
"""Environment variable by which TensorFlow decides what `tf.keras` is."""
ON = ("1", "true", "True")
"""Values with which it asks for Keras 2."""
_OTHER = {Runtime.KERAS: "tf_keras", Runtime.TF_KERAS: "keras"}
"""The package that a program of the other runtime imports."""
_REMEDY = {
    Runtime.KERAS: (
        "is for Keras 2: set spec.script.runtime to tf-keras (kubefit run --runtime tf-keras),"
        " or import keras"
    ),
    Runtime.TF_KERAS: (
        "is for Keras 3, but spec.script.runtime is tf-keras: import tf_keras or use tf.keras,"
        " or set the runtime to keras"
    ),
}


class WrongKerasError(ImportError):
    """The program imports the Keras that its runtime does not have; one sentence."""


def check(source: bytes, runtime: Runtime) -> str | None:
    """`line 3: import keras is for Keras 3, …`: what shows that a program is for the other Keras.

    Only statements that surely run count: an import within `try` or `if` may have an alternative.

    Args:
        source: A program without faults of syntax.
        runtime: The runtime it is to have.

    """
    for statement in ast.parse(source).body:
        sign = _sign(statement, runtime)
        if sign is not None:
            return f"line {statement.lineno}: {sign} {_REMEDY[runtime]}"
    return None


def _sign(statement: ast.stmt, runtime: Runtime) -> str | None:
    other = _OTHER[runtime]
    if isinstance(statement, ast.Import):
        names = [alias.name for alias in statement.names]
        return next((f"import {name}" for name in names if _package(name) == other), None)
    if isinstance(statement, ast.ImportFrom) and not statement.level:
        module = statement.module or ""
        return f"from {module} import" if _package(module) == other else None
    sets_variable = runtime is Runtime.KERAS and isinstance(statement, ast.Assign | ast.Expr)
    if sets_variable and _sets_legacy(statement):
        return f"setting {LEGACY}"
    return None


def _package(module: str) -> str:
    return module.partition(".")[0]


def _sets_legacy(statement: ast.stmt) -> bool:
    """`os.environ[LEGACY] = "1"`, `os.environ.setdefault(LEGACY, "1")` and their like."""
    constants = {node.value for node in ast.walk(statement) if isinstance(node, ast.Constant)}
    return LEGACY in constants and not constants.isdisjoint(ON)


def refuse_imports(runtime: Runtime, program: Path) -> None:
    """Refuses the other Keras from now on to the program and the modules that lie beside it.

    Libraries may import it: what they do with it is not the program's.
    """
    sys.meta_path.insert(0, _Refusing(runtime, program.parent))


class _Refusing(MetaPathFinder):
    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._runtime = runtime
        self._folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Never finds a module; raises `WrongKerasError` for the one that is refused."""
        if name != _OTHER[self._runtime]:
            return None
        file, line = next(_importers(sys._getframe(1)))
        if self._is_programs(Path(file)):
            raise WrongKerasError(
                f"{Path(file).name}: line {line}: import {name} {_REMEDY[self._runtime]}"
            )
        return None

    def _is_programs(self, file: Path) -> bool:
        installed = {"site-packages", "dist-packages"} & set(file.parts)
        return file.is_relative_to(self._folder) and not installed


def _importers(frame: Any) -> Iterator[tuple[str, int]]:
    """File and line of who imports, innermost first, without Python's import machinery."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith("<frozen importlib"):
            yield file, frame.f_lineno
        frame = frame.f_back
    yield "", 0
