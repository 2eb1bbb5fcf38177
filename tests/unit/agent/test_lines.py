"""Lines of a worker's log: as they are, or with what they are about."""

import json

import pytest

from kubefit.api.log_lines import LogFormat
from kubefit.api.names import Env
from kubefit_trainer.agent import settings
from kubefit_trainer.agent.lines import Lines
from kubefit_trainer.failure import ConfigurationError

KNOWN = {"namespace": "team", "job": "digits", "rank": 1, "attempt": 2, "step": 30}


def test_text_stays_as_the_program_wrote_it() -> None:
    lines = Lines(format=LogFormat.TEXT, rank=1)
    assert lines.of_trainer(b"\xff\r\n") == b"\xff\r\n"
    assert lines.of_agent("no space") == "kubefit: no space"


def test_every_line_tells_job_rank_attempt_and_step() -> None:
    lines = Lines(format=LogFormat.JSON, **KNOWN)
    line = lines.of_trainer(b"loss 0.5 \xff\r\n")
    assert line.endswith(b"\n")
    told = json.loads(line) | {"time": ""}
    assert told == KNOWN | {
        "time": "",
        "level": "info",
        "message": "loss 0.5 \ufffd",
        "source": "trainer",
    }
    told = json.loads(lines.of_agent("no space", level="warning"))
    assert {**told, **KNOWN} == told
    assert (told["level"], told["source"]) == ("warning", "agent")


def test_the_format_is_text_unless_told_otherwise() -> None:
    assert settings.log_format({}) is LogFormat.TEXT
    assert settings.log_format({Env.LOG_FORMAT: "json"}) is LogFormat.JSON
    with pytest.raises(ConfigurationError, match="KUBEFIT_LOG_FORMAT: 'xml' is not text or json"):
        settings.log_format({Env.LOG_FORMAT: "xml"})
