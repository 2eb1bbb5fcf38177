"""What lines of logs look like to programs, and how people get them back as text."""

import datetime
import json

import pytest

from kubefit.api.log_lines import Source, as_text, json_line

NOW = datetime.datetime(
    2026, 1, 1, 13, 0, 0, 250000, datetime.timezone(datetime.timedelta(hours=1))
)


def test_a_line_is_one_object_with_the_time_in_utc_and_what_is_known() -> None:
    line = json_line(NOW, "info", 'two\nlines and "quotes"', job="digits", rank=0, step=None)
    assert "\n" not in line
    assert list(json.loads(line).items()) == [
        ("time", "2026-01-01T12:00:00.250Z"),
        ("level", "info"),
        ("message", 'two\nlines and "quotes"'),
        ("job", "digits"),
        ("rank", 0),
    ]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (json_line(NOW, "info", "hello", source=Source.TRAINER), "hello"),
        (json_line(NOW, "error", "no space", source=Source.AGENT), "kubefit: no space"),
        ("hello", "hello"),
        ('{"time": 1, "message": "of the program"}', '{"time": 1, "message": "of the program"}'),
        ('{"time": broken off', '{"time": broken off'),
    ],
)
def test_lines_of_a_worker_are_text_again_for_people(line: str, text: str) -> None:
    assert as_text(line) == text
