"""The first container of a pod as a process: the chief fetches, the others wait for it."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubefit.api.contract import Outcome, RunConfig
from kubefit_trainer.fetch import turns


class Pods:
    """Starts the containers of one job; all of them share a volume."""

    def __init__(self, folder: Path, fetch: dict[str, Any], **environment: str) -> None:
        self.folder = folder
        self.volume = folder / "volume"
        self.volume.mkdir(exist_ok=True)
        self._environment = {**os.environ, **environment}
        config = RunConfig(
            namespace="team",
            name="pets",
            workers=2,
            hosts="pets-{rank}",
            volume_dir=str(self.volume),
            job_dir=str(self.volume / "team/pets"),
            peer_timeout_seconds=60,
        )
        document = config.model_dump(mode="json", by_alias=True) | {"fetch": [fetch]}
        (folder / "run.json").write_text(json.dumps(document))

    def start(self, rank: int, run: str = "first") -> "subprocess.Popen[str]":
        environment = {
            **self._environment,
            "KUBEFIT_RUN_CONFIG": str(self.folder / "run.json"),
            "KUBEFIT_RANK": str(rank),
            "KUBEFIT_RUN": run,
            "KUBEFIT_OUTCOME_FILE": str(self.folder / f"outcome-{rank}"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "kubefit_trainer.fetch"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def outcome(self, rank: int) -> Outcome:
        return Outcome.model_validate_json((self.folder / f"outcome-{rank}").read_bytes())


def test_one_fetches_over_tls_for_all_and_a_run_keeps_what_it_began_with(tls_web, tmp_path) -> None:
    web, certificate = tls_web
    (web.folder / "list.csv").write_text("path,label")
    fetch = {"from": f"{web.url}/list.csv", "to": "data/list.csv"}
    pods = Pods(tmp_path, fetch, SSL_CERT_FILE=str(certificate))
    waiting, chief = pods.start(1), pods.start(0)
    assert [p.wait(timeout=120) for p in (chief, waiting)] == [0, 0]
    assert (pods.volume / "data/list.csv").read_text() == "path,label"
    assert sum(line.startswith("GET") for line in web.asked) == 1

    (web.folder / "list.csv").write_text("path,label,split")
    assert [pods.start(rank).wait(timeout=120) for rank in (0, 1)] == [0, 0]
    assert (pods.volume / "data/list.csv").read_text() == "path,label"
    assert pods.start(0, run="second").wait(timeout=120) == 0
    assert (pods.volume / "data/list.csv").read_text() == "path,label,split"


def test_a_failure_is_the_last_word_and_no_traceback(web, tmp_path) -> None:
    fetch = {"from": f"{web.url}/none", "to": "x", "sha256": "0" * 64}
    pods = Pods(tmp_path, fetch)
    chief = pods.start(0)
    output, _ = chief.communicate(timeout=120)
    words = pods.outcome(0)
    assert (chief.returncode, words.exit_code, words.reason) == (11, 11, "ConfigurationError")
    assert words.message.startswith("spec.fetch[0].from: there is no http://127.0.0.1:")
    assert "Traceback" not in output


def _answer(server: socket.socket, content: bytes, *, sent: int) -> socket.socket:
    """Answers requests up to the one for the content, of which `sent` bytes go out."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    while True:
        connection, _ = server.accept()
        request = connection.recv(65536)
        connection.sendall(head.encode())
        if request.startswith(b"GET"):
            connection.sendall(content[:sent])
            return connection
        connection.close()


def test_a_download_that_is_killed_shows_nothing_and_is_done_again(tmp_path) -> None:
    content = bytes(1000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/big"
        checksum = hashlib.sha256(content).hexdigest()
        pods = Pods(tmp_path, {"from": url, "to": "big", "sha256": checksum})
        chief = pods.start(0)
        with _answer(server, content, sent=500):
            chief.send_signal(signal.SIGKILL)
            assert chief.wait(timeout=60) == -signal.SIGKILL
        assert not (pods.volume / "big").exists()
        again = pods.start(0)
        _answer(server, content, sent=1000).close()
        assert again.wait(timeout=60) == 0
    assert (pods.volume / "big").read_bytes() == content
    left = [file.name for file in (pods.volume / ".kubefit/fetch").rglob("*") if file.is_file()]
    assert sorted(left) == ["lock", "record.json"]


def test_a_worker_whose_chief_is_silent_gives_up_with_a_word(tmp_path) -> None:
    with pytest.raises(turns.ChiefLostError, match="worker 0 has not been heard of"):
        turns.wait(tmp_path / "fetch.json", run="a", patience=0.0)
