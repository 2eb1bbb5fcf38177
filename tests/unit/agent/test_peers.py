"""What agents tell and give each other, over a real server on loopback."""

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from typing import ClassVar

import pytest

from kubefit.api.contract import JobFiles, RunConfig
from kubefit_trainer.agent import guest, proof, server, snapshots
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.messages import Action, Directive, Member, Report
from kubefit_trainer.agent.server import ForPeers
from kubefit_trainer.agent.state import State
from kubefit_trainer.checkpoints import store

NAME = store.name_of(7)


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A folder with one snapshot and one other file."""
    folder = tmp_path / "held"
    store.write(folder / NAME, {"run": "this"}, {"weights": lambda file: file.write(b"1234")})
    (folder / "other").write_text("secret")
    return folder


@pytest.fixture
def config(tmp_path: Path, held: Path) -> RunConfig:
    """A run whose worker 0 has a server, which ends with the tests."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        made = run_at(one.getsockname()[1], tmp_path, workers=2)
    host = Host(made, JobFiles(PurePosixPath(tmp_path)), warn=pytest.fail)
    serve(made, ForPeers(token="right", snapshots=held, host=host))
    return made


def run_at(port: int, folder: Path, *, workers: int = 1) -> RunConfig:
    return RunConfig(
        namespace="ml",
        name="digits",
        workers=workers,
        hosts="127.0.0.1",
        agent_ports=[port],
        job_dir=str(folder),
    )


def serve(config: RunConfig, offers: ForPeers) -> None:
    file = Path(config.job_dir) / "progress.json"
    state = State(rank=0, workers=config.workers, attempt=1, progress_file=file)
    server.serve(config, 0, state, offers)


def serve_at(port: int, folder: Path) -> RunConfig:
    made = run_at(port, folder)
    serve(made, ForPeers(token="right", snapshots=folder))
    return made


def test_a_port_that_the_agent_before_still_has_is_waited_for(tmp_path: Path):
    before = socket.create_server(("127.0.0.1", 0))
    threading.Timer(0.5, before.close).start()
    made = serve_at(before.getsockname()[1], tmp_path)
    assert ask(made, "GET", "/healthz", {})[0] == 200


def test_connections_of_the_agent_before_do_not_keep_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "_PORT_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as before:
        port = before.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            # Whoever closes first has the connection left over, for a minute.
            before.accept()[0].close()
            assert client.recv(1) == b""
    assert ask(serve_at(port, tmp_path), "GET", "/healthz", {})[0] == 200


def test_a_client_that_leaves_before_the_answer_is_not_worth_a_line(
    config: RunConfig, held: Path, capfd: pytest.CaptureFixture[str]
):
    # More than the buffers of the connection hold, so that the agent is still writing.
    payload = bytes(32 << 20)
    store.write(held / store.name_of(8), {"run": "this"}, {"weights": lambda f: f.write(payload)})
    before = set(threading.enumerate())
    client = socket.create_connection(("127.0.0.1", config.agent_port(0)))
    path = f"/snapshots/{store.name_of(8)}"
    asked = [f"GET {path} HTTP/1.1", *map(": ".join, proofs("GET", path).items()), "", ""]
    client.sendall("\r\n".join(asked).encode())
    assert client.recv(1)
    (answering,) = set(threading.enumerate()) - before
    client.close()
    answering.join(timeout=60)
    assert not answering.is_alive()
    assert capfd.readouterr().err == ""


def holder(config: RunConfig) -> str:
    return f"127.0.0.1:{config.agent_port(0)}"


def ask(
    config: RunConfig, method: str, path: str, headers: Mapping[str, str], body: bytes = b"{}"
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", config.agent_port(0), timeout=10)
    sent = {name: value.encode() for name, value in headers.items()}
    connection.request(method, path, body=body if method == "POST" else None, headers=sent)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


REPORT = Report(rank=1, incarnation="one", state=Member.IDLE)


def meeting(config: RunConfig) -> str:
    """The name of the rendezvous, which a member is told first."""
    directive = guest.ask(config, REPORT, token="right")
    assert directive is not None
    return directive.meeting


def test_a_member_hears_what_to_do(config: RunConfig):
    report = REPORT.model_copy(update={"meeting": meeting(config)})
    directive = guest.ask(config, report, token="right")
    assert directive is not None
    assert directive.action is Action.WAIT
    assert directive.waiting_for == "worker 0"


def test_a_member_with_another_token_is_refused_in_one_sentence(config: RunConfig):
    with pytest.raises(guest.RefusedError, match="has another token than worker 1"):
        guest.ask(config, REPORT, token="wrong")


def proofs(method: str, path: str, body: bytes = b"", *, token: str = "right") -> dict[str, str]:
    """Headers of a request of somebody who knows the token."""
    nonce = proof.nonce()
    shown = proof.of_request(token, nonce, method, path, body)
    return {proof.NONCE: nonce, proof.PROOF: shown}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/rendezvous"), ("GET", f"/snapshots/{NAME}")]
)
def test_without_the_token_nothing_is_told(config: RunConfig, method: str, path: str):
    body = b"{}" if method == "POST" else b""
    good = proofs(method, path, body)
    refused = [
        {},
        {"Authorization": "Bearer right"},
        {proof.NONCE: good[proof.NONCE]},
        {**good, proof.PROOF: ""},
        {**good, proof.PROOF: "é" * proof.LENGTH},
        {**good, proof.NONCE: proof.nonce()},
        proofs(method, path, body, token="wrong"),
        proofs(method, path, body + b" "),
        proofs(method, path + "x", body),
        proofs("PUT", path, body),
    ]
    assert [ask(config, method, path, headers)[0] for headers in refused] == [401] * len(refused)


def test_every_path_but_three_asks_for_the_token(config: RunConfig):
    told = {
        path: ask(config, "GET", path, {})[0]
        for path in ("/status", "/metrics", "/healthz", "/rendezvous", "/snapshots/", "/", "/x")
    }
    assert told == {
        "/status": 200,
        "/metrics": 200,
        "/healthz": 200,
        "/rendezvous": 404,
        "/snapshots/": 401,
        "/": 404,
        "/x": 404,
    }


def test_a_report_that_cannot_be_read_is_refused(config: RunConfig):
    assert ask(config, "POST", "/rendezvous", proofs("POST", "/rendezvous", b"{}"))[0] == 400


class Impostor(BaseHTTPRequestHandler):
    """Answers every request as if all were well, and knows another token."""

    def do_POST(self) -> None:
        said = Directive(action=Action.FINISH, generation=1).model_dump_json().encode()
        proven = proof.of_answer("wrong", self.headers[proof.NONCE])
        proven.update(said)
        self.answer(said, {proof.PROOF: proven.hexdigest()})

    def do_GET(self) -> None:
        self.answer(b"weights" + b"0" * proof.LENGTH, {})

    def answer(self, said: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(said))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def impostor(config: RunConfig) -> Iterator[RunConfig]:
    """The run, where something else has taken the place of worker 0's agent."""
    with HTTPServer(("127.0.0.1", 0), Impostor) as false:
        threading.Thread(target=false.serve_forever, daemon=True).start()
        yield config.model_copy(update={"agent_ports": [false.server_port]})
        false.shutdown()


def test_what_somebody_says_who_does_not_know_the_token_is_not_done(
    impostor: RunConfig, tmp_path: Path
):
    assert guest.ask(impostor, REPORT, token="right") is None
    mine = tmp_path / "mine"
    mine.mkdir()
    assert snapshots.bring(NAME, [holder(impostor)], mine, token="right") is None
    assert list(mine.iterdir()) == []


class Flood(BaseHTTPRequestHandler):
    """Answers more than anybody can hold, under the headers that it is made with."""

    amount = 64 << 20
    headers_sent: ClassVar[dict[str, str]] = {}
    sent: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        for name, value in self.headers_sent.items():
            self.send_header(name, value)
        self.end_headers()
        piece = b"10000\r\n%s\r\n" % bytes(1 << 16)
        with contextlib.suppress(ConnectionError):
            for _ in range(0, self.amount, len(piece)):
                self.wfile.write(piece)
                self.sent.append(len(piece))
        self.close_connection = True

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    "headers",
    [{}, {"Transfer-Encoding": "chunked"}, {"Content-Length": str(1 << 60)}],
    ids=["without a length", "in chunks", "longer than the memory"],
)
def test_an_answer_that_is_not_proven_is_not_read_without_end(
    config: RunConfig, tmp_path: Path, headers: dict[str, str]
):
    mine = tmp_path / "mine"
    mine.mkdir()
    flood = type("Made", (Flood,), {"headers_sent": headers, "sent": []})
    with HTTPServer(("127.0.0.1", 0), flood) as false:
        threading.Thread(target=false.serve_forever, daemon=True).start()
        flooded = config.model_copy(update={"agent_ports": [false.server_port]})
        assert guest.ask(flooded, REPORT, token="right") is None
        assert snapshots.bring(NAME, [holder(flooded)], mine, token="right") is None
        false.shutdown()
    # What the buffers of two connections take, beside what is read.
    assert sum(flood.sent) < flood.amount // 2
    assert list(mine.iterdir()) == []


@pytest.fixture
def tapped(config: RunConfig) -> Iterator[tuple[RunConfig, list[bytes]]]:
    """The run with somebody on the way to worker 0, who is at 127.0.0.2, and what he hears."""
    heard: list[bytes] = []

    def pass_on(near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", config.agent_port(0)), None, ("127.0.0.2", 0))
        with near, far:
            there = threading.Thread(target=copy, args=(near, far))
            there.start()
            copy(far, near)
            there.join()

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := source.recv(1 << 16):
                heard.append(said)
                target.sendall(said)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def listen(door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=pass_on, args=(door.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=listen, args=(door,), daemon=True).start()
        port = door.getsockname()[1]
        yield config.model_copy(update={"agent_ports": [port]}), heard
        door.shutdown(socket.SHUT_RDWR)


def test_the_token_never_travels(tapped: tuple[RunConfig, list[bytes]], tmp_path: Path):
    config, heard = tapped
    assert guest.ask(config, REPORT, token="right") is not None
    mine = tmp_path / "mine"
    mine.mkdir()
    assert snapshots.bring(NAME, [holder(config)], mine, token="right") is not None
    said = b"".join(heard)
    assert b"POST /rendezvous" in said
    assert b"GET /snapshots/" in said
    assert b"right" not in said


def test_nobody_answers_where_no_agent_is(config: RunConfig):
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    gone = config.model_copy(update={"agent_ports": [port]})
    assert guest.ask(gone, REPORT, token="right") is None


def test_a_report_that_is_passed_on_from_elsewhere_leaves_a_worker_where_it_is(
    tapped: tuple[RunConfig, list[bytes]],
):
    config, _ = tapped
    heard = {"meeting": meeting(config)}
    chief = Report(rank=0, incarnation="zero", state=Member.IDLE, port=7)
    guest.ask(config, REPORT.model_copy(update={**heard, "port": 8}), token="right")
    directive = guest.ask(config, chief.model_copy(update=heard), token="right")
    assert directive is not None
    assert directive.addresses == ["127.0.0.1:7", "127.0.0.1:8"]


@pytest.mark.parametrize(
    "name", ["other", "../held/other", f"..%2Fheld%2F{NAME}", store.name_of(8)]
)
def test_only_snapshots_are_given(config: RunConfig, name: str):
    code, body = ask(config, "GET", f"/snapshots/{name}", proofs("GET", f"/snapshots/{name}"))
    assert code == 404
    assert b"secret" not in body


def test_a_snapshot_is_brought_whole(config: RunConfig, tmp_path: Path, held: Path):
    mine = tmp_path / "mine"
    mine.mkdir()
    path = snapshots.bring(NAME, ["127.0.0.1:9", holder(config)], mine, token="right")
    assert path == str(mine / NAME)
    assert Path(path).read_bytes() == (held / NAME).read_bytes()


def test_a_damaged_snapshot_is_not_kept(config: RunConfig, tmp_path: Path, held: Path):
    file = held / NAME
    file.write_bytes(file.read_bytes().replace(b"1234", b"1235"))
    mine = tmp_path / "mine"
    mine.mkdir()
    assert snapshots.bring(NAME, [holder(config)], mine, token="right") is None
    assert list(mine.iterdir()) == []


def read(memory: snapshots.Held) -> list[str]:
    while (names := memory.names()) is None:
        pass
    return names


def test_what_is_damaged_in_memory_is_not_offered_and_told_once(held: Path):
    damaged = held / store.name_of(9)
    damaged.write_bytes((held / NAME).read_bytes().replace(b"1234", b"1235"))
    told: list[str] = []
    memory = snapshots.Held(held, told.append)
    assert read(memory) == [NAME]
    assert read(memory) == [NAME]
    assert len(told) == 1
    assert told[0].startswith(f"{damaged} is damaged")
