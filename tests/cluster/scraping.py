"""A real Prometheus that scrapes ports of this machine."""

import json
import re
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import yaml

Query = Callable[[str], list[Any]]
NONE: Mapping[str, dict[str, str]] = {}


@contextmanager
def prometheus(
    folder: Path, targets: dict[str, list[int]], *, labels: Mapping[str, dict[str, str]] = NONE
) -> Iterator[Query]:
    """Scrapes every second, with labels of targets by name; yields a function that runs a query."""
    config = {
        "global": {"scrape_interval": "1s"},
        "scrape_configs": [
            {
                "job_name": name,
                "static_configs": [
                    {
                        "targets": [f"127.0.0.1:{port}" for port in ports],
                        "labels": labels.get(name, {}),
                    }
                ],
            }
            for name, ports in targets.items()
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"

    def query(expression: str) -> list[Any]:
        url = f"http://{listen}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found: list[Any] = json.load(answer)["data"]["result"]
                return found
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                return []  # it starts
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        except urllib.error.URLError:
            return []

    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={listen}",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield query
        finally:
            process.terminate()


def panel_queries(board: Path, **variables: str) -> list[str]:
    """The queries of a dashboard, as Grafana sends them for that choice of variables."""
    chosen = {"__rate_interval": "30s", **variables}
    return [
        re.sub(r"\$(\w+)", lambda match: chosen[match[1]], target["expr"])
        for panel in json.loads(board.read_text())["panels"]
        for target in panel.get("targets", ())
    ]
