"""What agents tell and give each other, over a real server on loopback."""

import http.client
import socket
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from kubefit.api.contract import JobFiles, RunConfig
from kubefit_trainer.agent import guest, server, snapshots
from kubefit_trainer.agent.host import Host
from kubefit_trainer.agent.messages import Action, Member, Report
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
        port = one.getsockname()[1]
    made = RunConfig(
        namespace="ml",
        name="digits",
        workers=2,
        hosts="127.0.0.1",
        agent_ports=[port],
        job_dir=str(tmp_path),
    )
    host = Host(made, JobFiles(PurePosixPath(tmp_path)), warn=pytest.fail)
    state = State(rank=0, workers=2, attempt=1, progress_file=tmp_path / "progress.json")
    server.serve(made, 0, state, ForPeers(token="right", snapshots=held, host=host))
    return made


def holder(config: RunConfig) -> str:
    return f"127.0.0.1:{config.agent_port(0)}"


def ask(config: RunConfig, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", config.agent_port(0), timeout=10)
    connection.request(
        method, path, body=b"{}" if method == "POST" else None, headers=dict(headers)
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


REPORT = Report(rank=1, incarnation="one", state=Member.IDLE)


def test_a_member_hears_what_to_do(config: RunConfig):
    directive = guest.ask(config, REPORT, token="right")
    assert directive is not None
    assert directive.action is Action.WAIT
    assert directive.waiting_for == "worker 0"


def test_a_member_with_another_token_is_refused_in_one_sentence(config: RunConfig):
    with pytest.raises(guest.RefusedError, match="has another token than worker 1"):
        guest.ask(config, REPORT, token="wrong")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "right"}, {"Authorization": "Bearer "}])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/rendezvous"), ("GET", f"/snapshots/{NAME}")]
)
def test_without_the_token_nothing_is_told(
    config: RunConfig, method: str, path: str, headers: dict[str, str]
):
    assert ask(config, method, path, headers)[0] == 401


def test_a_report_that_cannot_be_read_is_refused(config: RunConfig):
    assert ask(config, "POST", "/rendezvous", {"Authorization": "Bearer right"})[0] == 400


def test_nobody_answers_where_no_agent_is(config: RunConfig):
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    gone = config.model_copy(update={"agent_ports": [port]})
    assert guest.ask(gone, REPORT, token="right") is None


@pytest.mark.parametrize(
    "name", ["other", "../held/other", f"..%2Fheld%2F{NAME}", store.name_of(8)]
)
def test_only_snapshots_are_given(config: RunConfig, name: str):
    code, body = ask(config, "GET", f"/snapshots/{name}", {"Authorization": "Bearer right"})
    assert code == 404
    assert b"secret" not in body


def test_a_snapshot_is_brought_whole(config: RunConfig, tmp_path: Path, held: Path):
    mine = tmp_path / "mine"
    mine.mkdir()
    path = snapshots.bring(NAME, ["127.0.0.1:9", holder(config)], mine, token="right")
    assert path == mine / NAME
    assert path.read_bytes() == (held / NAME).read_bytes()


def test_a_damaged_snapshot_is_not_kept(config: RunConfig, tmp_path: Path, held: Path):
    file = held / NAME
    file.write_bytes(file.read_bytes().replace(b"1234", b"1235"))
    mine = tmp_path / "mine"
    mine.mkdir()
    assert snapshots.bring(NAME, [holder(config)], mine, token="right") is None
    assert list(mine.iterdir()) == []


def test_what_is_damaged_in_memory_is_not_offered_and_told_once(held: Path):
    damaged = held / store.name_of(9)
    damaged.write_bytes((held / NAME).read_bytes().replace(b"1234", b"1235"))
    told: list[str] = []
    memory = snapshots.Held(held, told.append)
    assert memory.names() == [NAME]
    assert memory.names() == [NAME]
    assert len(told) == 1
    assert told[0].startswith(f"{damaged} is damaged")
