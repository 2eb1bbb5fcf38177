"""The user's own program: where it is, whether it can start, and running it as Python would.

Imports nothing heavy: the agent checks with it before any accelerator is taken.
"""

import sys
import types
import warnings
from dataclasses import dataclass
from pathlib import Path

from kubefit.api.contract import ExitCode, Failure, RunConfig
from kubefit.api.v1alpha1 import Runtime, Script
from kubefit_trainer import which_keras


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program and the field that gives it; `path` is None where the field holds the source."""

    field: str
    path: Path | None
    source: bytes

    @property
    def label(self) -> str:
        """How people call it: the name of its file, or the field."""
        return self.path.name if self.path else self.field

    @property
    def where(self) -> str:
        """`spec.script.path: train.py: `, the beginning of a sentence about its source."""
        return f"{self.field}: {self.path.name}: " if self.path else f"{self.field}: "


def check(config: RunConfig) -> Failure | None:
    """What keeps the program of `config.script` from starting; None if nothing does."""
    if config.script is None:
        return None
    field, path = _place(config.script, Path(config.volume_dir))
    if path is not None and not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        return Failure(exit_code=ExitCode.CONFIGURATION_ERROR, message=f"{field}: {path} {what}")
    try:
        program = load(config)
    except OSError as error:
        return Failure(
            exit_code=ExitCode.CONFIGURATION_ERROR,
            message=f"{field}: {path} cannot be read: {error.strerror}",
        )
    return _check_syntax(program) or _check_keras(program, config.script.runtime)


def load(config: RunConfig) -> Program:
    """Reads the program.

    Raises:
        OSError: its file cannot be read.
        ValueError: the run configuration has no script.

    """
    if config.script is None:
        raise ValueError("the run configuration has no script")
    field, path = _place(config.script, Path(config.volume_dir))
    source = path.read_bytes() if path else (config.script.inline or "").encode()
    return Program(field=field, path=path, source=source)


def _place(script: Script, volume: Path) -> tuple[str, Path | None]:
    if script.inline is not None:
        return "spec.script.inline", None
    if script.path is not None:
        return "spec.script.path", Path(script.path).absolute()
    return "spec.script.volumePath", volume / (script.volume_path or "")


def _check_keras(program: Program, runtime: Runtime) -> Failure | None:
    fault = which_keras.check(program.source, runtime)
    if fault is None:
        return None
    return Failure(exit_code=ExitCode.USER_ERROR, message=f"{program.where}{fault}")


def _check_syntax(program: Program) -> Failure | None:
    where = program.where
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(program.source, program.label, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f"line {error.lineno}: " if error.lineno else ""
        text = (error.text or "").strip()
        return Failure(
            exit_code=ExitCode.USER_ERROR,
            message=f"{where}{line}{error.msg}",
            details=text,
        )
    except ValueError as error:
        return Failure(exit_code=ExitCode.USER_ERROR, message=f"{where}{error}")
    return None


def place(program: Program, folder: Path) -> Path:
    """The file of the program; source without one gets it in `folder`, for tracebacks."""
    if program.path is not None:
        return program.path
    path = folder / "script.py"
    path.write_bytes(program.source)
    return path


def run(source: bytes, path: Path, args: list[str]) -> None:
    """Runs a program as `python path args` would: `__main__`, `sys.argv`, `sys.path[0]`.

    Whatever the program raises, `SystemExit` included, goes to the caller.
    """
    code = compile(source, str(path), "exec", dont_inherit=True)
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=str(path), __builtins__=__builtins__)
    sys.modules["__main__"] = module
    sys.argv = [str(path), *args]
    sys.path[0] = str(path.parent)
    exec(code, module.__dict__)
