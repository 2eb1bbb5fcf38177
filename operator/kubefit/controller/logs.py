"""The operator's log: text, or one JSON object a line with the fields of all of KubeFit's logs."""

import datetime
import logging
from collections.abc import Mapping
from typing import Any

import kopf

from kubefit.api.log_lines import LogFormat, json_line
from kubefit.api.names import KIND
from kubefit.controller.worklist import Key

_TEXT = "%(asctime)s %(levelname)-7s %(message)s"


def of_job(logger: logging.Logger, key: Key) -> "logging.LoggerAdapter[logging.Logger]":
    """The logger for what happens to one job."""
    namespace, job = key
    return logging.LoggerAdapter(logger, {"namespace": namespace, "job": job})


def configure(level: str, log_format: LogFormat) -> None:
    """Sends all records of this process to stderr in that format; other people's from warnings."""
    kopf.configure(quiet=True)
    formatter = JsonFormatter() if log_format is LogFormat.JSON else TextFormatter(_TEXT)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)
    logging.getLogger("kubefit").setLevel(level.upper())


def _job(record: logging.LogRecord) -> Mapping[str, Any]:
    """Namespace and job that a record is about, as far as it tells; kopf tells it by reference."""
    about: Mapping[str, Any] = getattr(record, "k8s_ref", None) or {}
    return {
        "namespace": getattr(record, "namespace", None) or about.get("namespace"),
        "job": getattr(record, "job", None)
        or (about.get("kind") == KIND and about["name"])
        or None,
    }


class TextFormatter(logging.Formatter):
    """Time, level and message, after the job that it is about."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line."""
        about = _job(record)
        if about["job"]:
            record.message = f"{about['namespace']}/{about['job']}: {record.message}"
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return json_line(
            datetime.datetime.fromtimestamp(record.created, datetime.UTC),
            record.levelname.lower(),
            record.getMessage(),
            **_job(record),
            logger=record.name,
            error=self.formatException(record.exc_info) if record.exc_info else None,
        )
