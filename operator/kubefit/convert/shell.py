"""The lines of `sh -c`: the simple commands they consist of, as far as they are simple."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_SPECIAL = re.compile(r"&&|\|\||[;&|()<>`]")
_PATTERN = re.compile(r"[*?\[]")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_COMPOUND = frozenset({"if", "for", "while", "until", "case", "function", "{", "[[", "select"})


class NotSimpleError(ValueError):
    """What in a line goes beyond commands one after the other."""


@dataclass(slots=True)
class Command:
    """A simple command, or the first of a pipeline."""

    words: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Redirections, what it is piped into, and variables that are not known, as they stand."""


def commands(line: str, known: Callable[[str], str | None]) -> list[Command]:
    """The commands of the line that run one after the other.

    Args:
        line: The argument of `sh -c`.
        known: The value of an environment variable, where it can be told.

    Raises:
        NotSimpleError: the line does more than that.

    """
    found = [Command()]
    piped = False
    for kind, text in _tokens(line.replace("\\\n", " "), known, found):
        if kind == "end":
            piped = False
            found.append(Command())
        elif kind == "aside" or piped:
            found[-1].unread.append(text)
        elif kind == "pipe":
            piped = True
            found[-1].unread.append("|")
        elif not found[-1].words and text in _COMPOUND:
            raise NotSimpleError(text)
        else:
            found[-1].words.append(text)
    return [command for command in found if command.words]


def _tokens(
    line: str, known: Callable[[str], str | None], found: list[Command]
) -> Iterator[tuple[str, str]]:
    """`word`, `end` of a command, `pipe`, or a redirection `aside`."""
    at = 0
    while at < len(line):
        character = line[at]
        if character in " \t\r":
            at += 1
        elif character == "\n":
            yield "end", character
            at += 1
        elif character == "#":
            at = (line.find("\n", at) + 1 or len(line) + 1) - 1
        elif redirection := re.match(r"[0-9&]?>{1,2}(&[0-9-]|\s*[^\s;&|<>()]+)", line[at:]):
            yield "aside", redirection[0]
            at += redirection.end()
        elif special := _SPECIAL.match(line, at):
            operator = special[0]
            if operator not in (";", "&&", "|"):
                raise NotSimpleError(operator)
            yield ("pipe" if operator == "|" else "end"), operator
            at = special.end()
        else:
            word, at = _word(line, at, known, found)
            yield "word", word


def _word(
    line: str, at: int, known: Callable[[str], str | None], found: list[Command]
) -> tuple[str, int]:
    text, quote = "", ""
    while at < len(line):
        character = line[at]
        if quote == "'" and character != "'":
            text += character
        elif character == quote:
            quote = ""
        elif character in "'\"" and not quote:
            quote = character
        elif character == "\\" and at + 1 < len(line):
            at += 1
            text += line[at] if not quote or line[at] in '"\\$`' else "\\" + line[at]
        elif character == "~" and not quote and not text:
            # The shell would put the home folder in its place.
            raise NotSimpleError(character)
        elif not quote and (character.isspace() or _SPECIAL.match(line, at)):
            break
        elif character == "$":
            variable = _VARIABLE.match(line, at)
            if variable is None:
                raise NotSimpleError(line[at : at + 2])
            value = known(variable[1] or variable[2])
            if value is None:
                found[-1].unread.append(variable[0])
            elif not quote and (len(value.split()) != 1 or _PATTERN.search(value)):
                # A shell would make several words of it, or none.
                raise NotSimpleError(variable[0])
            text += variable[0] if value is None else value
            at = variable.end() - 1
        elif character == "`" or (not quote and _PATTERN.match(character)):
            raise NotSimpleError(character)
        else:
            text += character
        at += 1
    if quote:
        raise NotSimpleError(f"{quote} without an end")
    return text, at
