"""A function as text that runs by itself in another process.

What it takes from around itself can only be modules that every worker has; everything else is
refused by name, here, rather than in the pods.
"""

import ast
import builtins
import dis
import inspect
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kubefit.client.errors import NotShippableError

EVERYWHERE = frozenset({"keras", "numpy", "tensorflow"}) | sys.stdlib_module_names
"""Packages of every worker."""


_PLAIN = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, types.BuiltinFunctionType)
    or getattr(value, "__module__", "") in ("builtins", "_sitebuiltins")
    or name in ("Ellipsis", "NotImplemented", "__debug__")
}
"""What every Python has by itself; notebooks add to it, such as `display`."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A function's text, and the import statements that it needs."""

    name: str
    imports: tuple[str, ...]
    source: str


def shipped(function: Callable[..., Any], role: str) -> Shipped:
    """The function as text; `role` is the argument that it was given as, for the errors.

    Raises:
        NotShippableError: one sentence per thing that cannot go along.

    """
    if not isinstance(function, types.FunctionType):
        kind = "a method" if inspect.ismethod(function) else f"a {type(function).__name__}"
        raise NotShippableError(f"{role}: is {kind}; give a function that is made with def")
    if function.__name__ == "<lambda>":
        raise NotShippableError(
            f"{role}: is a lambda, whose text stands amid others; make it a def"
        )
    where = f"{role}: {function.__name__}"
    source, tree = _source(function, where)
    faults = [*_bound(function, tree, where)]
    imports: list[str] = []
    for name in sorted(_globals(function, tree) - {function.__name__}):
        found = _import(name, function)
        if found.startswith("import "):
            imports.append(found)
        else:
            faults.append(f"{where} uses {name}, which {found}")
    if faults:
        raise NotShippableError(
            *faults, hint="see docs/how-to/notebooks.md for what can be shipped"
        )
    return Shipped(name=function.__name__, imports=tuple(imports), source=source)


def _source(function: types.FunctionType, where: str) -> tuple[str, ast.FunctionDef]:
    try:
        source = textwrap.dedent(inspect.getsource(function))
        body = ast.parse(source).body
    except (OSError, TypeError) as error:
        raise NotShippableError(
            f"{where} has no text that can be read; define it in a file or in a cell of a notebook"
        ) from error
    except SyntaxError as error:
        raise NotShippableError(
            f"{where} cannot be read by itself; define it at the top of a file or cell"
        ) from error
    if len(body) != 1 or not isinstance(body[0], ast.FunctionDef):
        raise NotShippableError(f"{where} is no plain def; define it at the top of a file or cell")
    return source, body[0]


def _bound(function: types.FunctionType, tree: ast.FunctionDef, where: str) -> Iterator[str]:
    """What ties the function to where it was made."""
    for name in function.__code__.co_freevars:
        yield (
            f"{where} uses {name} of the function around it (a closure); give it as an argument,"
            f" arguments={{{name!r}: ...}}"
        )
    for decorator in tree.decorator_list:
        yield f"{where} is decorated with @{ast.unparse(decorator)}; leave the decorator out"
    for code in _codes(function.__code__):
        for step in dis.get_instructions(code):
            if step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                yield f"{where} changes the global name {step.argval}; return what it makes instead"


def _globals(function: types.FunctionType, tree: ast.FunctionDef) -> set[str]:
    """Names that the text looks up outside of itself, those of builtins left out."""
    found = set()
    for code in _codes(function.__code__):
        looks_up = {"LOAD_GLOBAL", "LOAD_NAME"}
        inside = {"__name__", "__module__", "__qualname__"} | _assigned(code)
        steps = [step for step in dis.get_instructions(code) if step.opname in looks_up]
        found |= {step.argval for step in steps} - inside
    defaults = [*tree.args.defaults, *(value for value in tree.args.kw_defaults if value)]
    for value in defaults:
        found |= {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
    return {name for name in found if not _is_plain(name, function)}


def _is_plain(name: str, function: types.FunctionType) -> bool:
    """Whether that is Python's own there, or what a notebook has in its place, as for `open`."""
    if name not in _PLAIN:
        return False
    value = function.__globals__.get(name, _PLAIN[name])
    module = str(getattr(value, "__module__", "")).partition(".")[0]
    return value is _PLAIN[name] or module in ("IPython", "ipykernel")


def _assigned(code: types.CodeType) -> set[str]:
    """Names that the body of a class gives itself."""
    steps = dis.get_instructions(code)
    return {step.argval for step in steps if step.opname == "STORE_NAME"}


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of all that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _import(name: str, function: types.FunctionType) -> str:
    """The statement that imports what is called so, or why there is none."""
    if name not in function.__globals__:
        if hasattr(builtins, name):
            return "only this interpreter has among Python's own names; leave it out"
        return "is not defined anywhere"
    value = function.__globals__[name]
    if not isinstance(value, types.ModuleType):
        kind = "function" if inspect.isroutine(value) else type(value).__name__
        kind = "class" if inspect.isclass(value) else kind
        return (
            f"is a {kind} outside of it; define or import it in the function, or give an argument"
        )
    path = value.__name__
    if path.partition(".")[0] not in EVERYWHERE or sys.modules.get(path) is not value:
        return (
            f"is the module {path}, which workers may not have; import it in the function, if"
            " the image of the job has it"
        )
    return f"import {path}" if path == name else f"import {path} as {name}"
