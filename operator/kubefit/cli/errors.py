"""How a command ends badly: sentences for people, an exit code for programs."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every command."""

    OK = 0
    FAILED = 1
    """The job failed, or a check of the cluster did."""
    USAGE = 2
    """The command line, the file or its data cannot be used."""
    CLUSTER = 3
    """The cluster cannot be reached, refuses, or lacks the job."""
    INTERRUPTED = 130


class CommandError(Exception):
    """Ends a command; each sentence is printed on a line of its own, then the hint."""

    def __init__(self, *sentences: str, code: Exit = Exit.USAGE, hint: str = "") -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
        self.code = code
        self.hint = hint
