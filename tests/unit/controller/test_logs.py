"""The operator's log, as text and for programs."""

import json
import logging
from collections.abc import Callable

import pytest

from kubefit.controller.logs import JsonFormatter, TextFormatter, of_job

KEY = ("team", "digits")


def _records(log: Callable[[logging.Logger], None]) -> list[logging.LogRecord]:
    """What was logged, as a handler gets it."""
    found: list[logging.LogRecord] = []
    logger = logging.Logger("kubefit")
    handler = logging.Handler()
    handler.emit = found.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    log(logger)
    return found


def test_a_record_about_a_job_has_its_namespace_and_name() -> None:
    (record,) = _records(lambda logger: of_job(logger, KEY).warning("said %s", 503))
    told = json.loads(JsonFormatter().format(record))
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "warning",
        "message": "said 503",
        "namespace": "team",
        "job": "digits",
        "logger": "kubefit",
    }
    assert TextFormatter("%(message)s").format(record) == "team/digits: said 503"


def test_a_record_about_no_job_has_none() -> None:
    (record,) = _records(lambda logger: logger.info("this operator leads"))
    told = json.loads(JsonFormatter().format(record))
    assert "job" not in told
    assert "namespace" not in told
    assert TextFormatter("%(message)s").format(record) == "this operator leads"


@pytest.mark.parametrize(("kind", "job"), [("TrainingJob", "digits"), ("Pod", None)])
def test_what_kopf_says_of_an_object_is_about_its_job(kind: str, job: str | None) -> None:
    about = {"kind": kind, "namespace": "team", "name": "digits"}
    (record,) = _records(lambda logger: logger.warning("odd", extra={"k8s_ref": about}))
    assert json.loads(JsonFormatter().format(record)).get("job") == job


def test_a_fault_of_the_operator_is_one_line_with_its_traceback() -> None:
    def fail(logger: logging.Logger) -> None:
        try:
            raise KeyError("nothing")
        except KeyError:
            of_job(logger, KEY).exception("a pass failed")

    (record,) = _records(fail)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert "KeyError: 'nothing'" in json.loads(line)["error"]
