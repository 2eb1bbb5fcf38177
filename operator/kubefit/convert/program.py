"""From the command of a container to `spec.script`."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubefit.convert.fields import Fields
from kubefit.convert.shell import Command, NotSimpleError, commands

_PYTHON = re.compile(r"python(\d(\.\d+)*)?")
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_EXPANSION = re.compile(r"\$\$\(|\$\(([\w.-]+)\)")
_UNNOTED_FLAGS = frozenset({"-u", "-B", "-uB", "-Bu"})
_FLAGS_WITH_VALUE = frozenset({"-W", "-X"})
_JOINED_FLAGS = re.compile(r"-([uBEIOsSv]+)([mc])")
_HOW = "name the Python file in the image that trains with --script PATH"
_MODULE = """\
import runpy
import sys

sys.path.insert(0, "")
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""


@dataclass(slots=True)
class Program:
    """What a container runs."""

    script: dict[str, Any]
    env: dict[str, str] = field(default_factory=dict)
    """Variables that the command line sets."""
    folder: str = ""
    """Where it runs, if not where the container starts."""


def read(container: Fields, env: Mapping[str, str], script: str | None) -> Program:
    """The program of the container.

    Args:
        container: Its `command`, `args` and `workingDir` are taken.
        env: The variables of the container whose values stand in the document.
        script: The program, where the document does not tell it.

    Raises:
        UnconvertibleError: it cannot be told from the document, nor is it given.

    """
    command, args = (_words(container, name, env) for name in ("command", "args"))
    folder = container.text("workingDir")
    if script is not None:
        if command:
            container.note("command", f"--script is run in place of {' '.join(command)!r}")
        found = Program(_script({"path": script}, args))
    elif not command and not args:
        raise container.refusal(
            "command",
            "is not set, and the image's own command is not in the document"
            f" (docker inspect IMAGE tells it): {_HOW}",
        )
    else:
        if not command:
            container.note(
                "args", "are taken for the whole command: the image should have no ENTRYPOINT"
            )
        field = "command" if command else "args"
        found = _program(container, field, [*command, *args], env)
    found.folder = posixpath.join(folder, found.folder) if found.folder else folder
    path = found.script.get("path")
    if path and not path.startswith("/"):
        if found.folder.startswith("/"):
            found.script["path"] = posixpath.normpath(posixpath.join(found.folder, path))
        else:
            container.note(
                "command",
                f"{path} is looked for in the WORKDIR of the image; an absolute path"
                " in spec.script.path is safer",
            )
    return found


def _words(container: Fields, name: str, env: Mapping[str, str]) -> list[str]:
    """The words, in which Kubernetes puts the values of variables for `$(NAME)`."""
    found = []
    for i, text in enumerate(container.items(name)):
        if not isinstance(text, str):
            raise container.refusal(f"{name}[{i}]", f"{text!r} is not a text: put it in quotes")
        for variable in _EXPANSION.findall(text):
            if variable and variable not in env:
                container.note(
                    f"{name}[{i}]",
                    f"$({variable}) is not put in: read the variable in the program",
                )
        found.append(_EXPANSION.sub(lambda match: _expanded(match, env), text))
    return found


def _expanded(match: re.Match[str], env: Mapping[str, str]) -> str:
    return "$(" if match[1] is None else env.get(match[1], match[0])


def _program(container: Fields, field: str, words: list[str], env: Mapping[str, str]) -> Program:
    assigned: dict[str, str] = {}
    while words:
        first = posixpath.basename(words[0])
        if first in ("exec", "env", "nohup") or words[0] == "--":
            words = words[1:]
        elif first in ("tini", "dumb-init"):
            words = _after_flags(words[1:])
        elif _ASSIGNMENT.match(words[0]):
            name, _, assigned[name] = words[0].partition("=")
            words = words[1:]
        else:
            break
    name = posixpath.basename(words[0]) if words else ""
    if name in _SHELLS and len(words) > 2 and re.fullmatch(r"-[a-z]*c", words[1]):
        found = _of_line(container, field, words[2], {**env, **assigned})
    elif _PYTHON.fullmatch(name):
        found = _of_python(container, field, words[1:])
    elif name.endswith(".py"):
        found = Program(_script({"path": words[0]}, words[1:]))
    else:
        raise container.refusal(field, f"{name!r} is not a Python program: {_HOW}")
    found.env = {**assigned, **found.env}
    return found


def _after_flags(words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        words = words[1:]
    return words


def _of_python(container: Fields, field: str, words: list[str]) -> Program:
    while words:
        word, rest = words[0], words[1:]
        if (joined := _JOINED_FLAGS.fullmatch(word)) is not None:
            words = [*(f"-{flag}" for flag in joined[1]), f"-{joined[2]}", *rest]
            continue
        if word == "-m" and rest:
            return Program(_script({"inline": _MODULE.format(module=rest[0])}, rest[1:]))
        if word == "-c" and rest:
            return Program(_script({"inline": rest[0]}, rest[1:]))
        if not word.startswith("-"):
            return Program(_script({"path": word}, rest))
        if word not in _UNNOTED_FLAGS:
            container.note(
                field,
                f"{word} of Python is left out: set a variable such as PYTHONWARNINGS in its place",
            )
        words = rest[1:] if word in _FLAGS_WITH_VALUE else rest
    raise container.refusal(field, f"Python is given no program: {_HOW}")


def _script(source: dict[str, Any], args: list[str]) -> dict[str, Any]:
    return {**source, **({"args": args} if args else {})}


def _of_line(container: Fields, field: str, line: str, env: Mapping[str, str]) -> Program:
    """Of several commands the one that is a Python program; the others are told."""
    variables = dict(env)
    try:
        found = commands(line, variables.get)
    except NotSimpleError as error:
        raise container.refusal(
            field, f"{error} of the shell cannot be converted: {_HOW}"
        ) from error
    program: Program | None = None
    assigned: dict[str, str] = {}
    folder = ""
    for command in found:
        words = command.words
        if words[0] == "cd" and len(words) == 2 and program is None:
            folder = posixpath.join(folder, words[1])
        elif words[0] == "export" and all(_ASSIGNMENT.match(word) for word in words[1:]):
            assigned |= dict(word.split("=", 1) for word in words[1:])
        elif words[0] == "set":
            continue
        elif not _is_program(words):
            when = "before" if program is None else "after"
            container.note(
                field,
                f"{' '.join(words)!r} is not run {when} the program: do it in the image, or in"
                " the program",
            )
        elif program is not None:
            raise container.refusal(
                field, f"runs more than one Python program, and a TrainingJob has one: {_HOW}"
            )
        else:
            program = _program(container, field, words, env)
            _tell_unread(container, field, command)
    if program is None:
        raise container.refusal(field, f"no Python program is seen in {line!r}: {_HOW}")
    program.env = {**assigned, **program.env}
    program.folder = folder
    return program


def _is_program(words: list[str]) -> bool:
    rest = [word for word in words if not _ASSIGNMENT.match(word)]
    while rest and rest[0] in ("exec", "env", "nohup"):
        rest = rest[1:]
    name = posixpath.basename(rest[0]) if rest else ""
    installs = rest[1:3] == ["-m", "pip"]
    return not installs and (bool(_PYTHON.fullmatch(name)) or name.endswith(".py"))


def _tell_unread(container: Fields, field: str, command: Command) -> None:
    variables = [text for text in command.unread if text.startswith("$")]
    others = [text for text in command.unread if not text.startswith("$")]
    for text in variables:
        container.note(field, f"{text} is not put in: read the variable in the program")
    if others:
        container.note(
            field,
            f"{' '.join(others)!r} is left out: what workers print is in logs/ of the job's"
            " folder on the volume",
        )
