"""Lines of workers: in the worker's colour on a terminal, plain elsewhere and where asked for."""

import pytest

from kubefit.cli import screen


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({"FORCE_COLOR": "1"}, True),
        ({}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_prefixes_have_colours_on_a_terminal_only(
    variables: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    screen.worker_line(1, "[bold] is what the program printed")
    printed = capsys.readouterr().out
    assert ("\x1b[32m" in printed) is coloured
    assert "[bold] is what the program printed" in printed
