"""Which functions can go to workers as text, and what is said of those that cannot."""

import functools
import math
import textwrap
from pathlib import Path

import numpy as np
import pydantic
import pytest

from kubefit.client.errors import NotShippableError
from kubefit.client.shipping import shipped

UNITS = 8


def test_a_function_goes_with_the_modules_that_it_uses():
    found = shipped(uses_modules, "build_model")
    assert found.imports == ("import math", "import numpy as np")
    space: dict = {"np": None}
    exec("\n".join([*found.imports, found.source]), space)
    assert space["uses_modules"](3) == [3.0, 3.0]


def uses_modules(size=2):
    def inner():
        return [np.float64(math.ceil(x)) for x in (size - 0.5,)] * 2

    return inner()


def test_a_function_that_calls_itself_and_one_that_makes_classes_can_be_shipped():
    assert shipped(recursive, "build_model").imports == ()
    assert shipped(makes_a_class, "build_model").imports == ("import math",)


def recursive(depth):
    return recursive(depth - 1) if depth else len([depth])


def makes_a_class() -> "Path":
    class Layer:
        rate = math.pi
        double = rate * 2

        def call(self):
            return self.rate

    return Layer


def uses_constant():
    return UNITS


def uses_function():
    return uses_constant()


def uses_class():
    return Path()


def uses_missing():
    return notthere  # noqa: F821


def uses_package():
    return pydantic.BaseModel


def changes_global():
    global UNITS
    UNITS = 3


def with_default(units=UNITS):
    return units


@functools.cache
def decorated():
    return 1


def plain_decorator(function):
    return function


@plain_decorator
def with_decorator():
    return 1


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (uses_constant, "uses_constant uses UNITS, which is a int outside of it"),
        (uses_function, "uses_function uses uses_constant, which is a function outside of it"),
        (uses_class, "uses_class uses Path, which is a class outside of it"),
        (uses_missing, "uses_missing uses notthere, which is not defined anywhere"),
        (uses_package, "uses pydantic, which is the module pydantic, which workers may not have"),
        (changes_global, "changes_global changes the global name UNITS"),
        (with_default, "with_default uses UNITS"),
        (with_decorator, "with_decorator is decorated with @plain_decorator"),
        (decorated, "build_model: is a _lru_cache_wrapper; give a function"),
        (lambda: 1, "build_model: is a lambda"),
        ("text".upper, "build_model: is a builtin_function_or_method"),
        (3, "build_model: is a int"),
    ],
)
def test_what_cannot_be_shipped_is_named(function, told: str):
    with pytest.raises(NotShippableError) as refused:
        shipped(function, "build_model")
    assert told in str(refused.value)


def test_what_a_notebook_adds_to_the_names_of_python_is_named(monkeypatch: pytest.MonkeyPatch):
    def show(model):
        print(model)
        raise ValueError(display(model), exit, NotImplemented)  # type: ignore[name-defined]  # noqa: F821

    monkeypatch.setattr("builtins.display", print, raising=False)
    with pytest.raises(NotShippableError) as refused:
        shipped(show, "build_model")
    (told,) = refused.value.sentences
    assert "show uses display, which only this interpreter has" in told


def test_a_name_that_hides_one_of_python_is_named(monkeypatch: pytest.MonkeyPatch):
    def build():
        return max(1, 2) + len([1]) + len([open])

    def open_of_notebook(*_):
        return None

    open_of_notebook.__module__ = "IPython.core.interactiveshell"
    monkeypatch.setitem(build.__globals__, "open", open_of_notebook)
    monkeypatch.setitem(build.__globals__, "max", lambda *_: 3)
    monkeypatch.setitem(build.__globals__, "len", len)
    with pytest.raises(NotShippableError) as refused:
        shipped(build, "build_model")
    (told,) = refused.value.sentences
    assert "build uses max, which is a function outside of it" in told


def test_a_closure_is_refused_with_the_argument_that_replaces_it():
    units = 4

    def build():
        return units

    with pytest.raises(NotShippableError, match=r"uses units of the function around it .*'units'"):
        shipped(build, "build_model")


def test_every_fault_of_a_function_is_told_at_once():
    def build():
        return UNITS + len(Path().parts) + inner

    inner = 3
    with pytest.raises(NotShippableError) as refused:
        shipped(build, "build_model")
    assert len(refused.value.sentences) == 3


def test_a_function_without_text_is_refused():
    space: dict = {}
    exec(textwrap.dedent("def build():\n    return 1\n"), space)
    with pytest.raises(NotShippableError, match="build has no text that can be read"):
        shipped(space["build"], "build_model")
