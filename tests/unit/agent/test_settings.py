"""What an agent is told, and what it says when it is told nonsense."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kubefit.api.contract import ExitCode, Outcome, RunConfig
from kubefit.api.names import Env
from kubefit_trainer.agent import settings
from kubefit_trainer.failure import ConfigurationError

CONFIG = RunConfig(namespace="ml", name="digits", workers=2, hosts="h-{rank}", job_dir="/")


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    file = tmp_path / "run.json"
    file.write_text(CONFIG.model_dump_json(by_alias=True))
    return file


def test_the_rank_of_a_pod_is_its_completion_index(config_file: Path):
    given = settings.read({Env.RUN_CONFIG: str(config_file), "JOB_COMPLETION_INDEX": "1"})
    assert (given.rank, given.config) == (1, CONFIG)


def test_a_launcher_gives_the_rank(config_file: Path):
    environment = {Env.RUN_CONFIG: str(config_file), Env.RANK: "0"}
    assert settings.read({**environment, "JOB_COMPLETION_INDEX": "1"}).rank == 0


def test_the_token_is_read_from_its_file(tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("of this job\n")
    assert settings.token({Env.TOKEN_FILE: str(file)}, CONFIG) == "of this job"


def test_without_a_token_a_worker_that_has_peers_is_refused(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="the token of this job"):
        settings.token({Env.TOKEN_FILE: str(tmp_path / "none")}, CONFIG)


@pytest.mark.parametrize("written", ["", " \n"])
def test_an_empty_token_is_refused(tmp_path: Path, written: str):
    file = tmp_path / "token"
    file.write_text(written)
    for workers in (1, 2):
        config = CONFIG.model_copy(update={"workers": workers})
        with pytest.raises(ConfigurationError, match=f"the token of this job, {file}, is empty"):
            settings.token({Env.TOKEN_FILE: str(file)}, config)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({Env.RANK: "two"}, "KUBEFIT_RANK: 'two' is not a rank, a whole number from 0"),
        ({Env.RANK: "2"}, "rank 2 is not one of the 2 workers of"),
        ({}, "neither KUBEFIT_RANK nor JOB_COMPLETION_INDEX is set"),
        ({Env.RUN_CONFIG: "/nowhere/run.json"}, "/nowhere/run.json cannot be read: No such file"),
    ],
)
def test_a_wrong_environment_is_named(config_file: Path, changes: dict[str, str], sentence: str):
    with pytest.raises(ConfigurationError) as raised:
        settings.read({Env.RUN_CONFIG: str(config_file), **changes})
    assert sentence in str(raised.value)


def test_a_wrong_configuration_is_named_with_its_field(config_file: Path):
    config_file.write_text(json.dumps({**json.loads(config_file.read_text()), "workers": 0}))
    with pytest.raises(ConfigurationError, match="workers: 0 is less than 1"):
        settings.read({Env.RUN_CONFIG: str(config_file), Env.RANK: "0"})


def test_an_agent_that_cannot_start_says_why_in_one_line(tmp_path: Path):
    outcome = tmp_path / "outcome.json"
    agent = subprocess.run(
        [sys.executable, "-m", "kubefit_trainer.agent"],
        env={
            **os.environ,
            Env.RUN_CONFIG: "/nowhere/run.json",
            Env.RANK: "1",
            Env.OUTCOME_FILE: str(outcome),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert agent.returncode == ExitCode.CONFIGURATION_ERROR
    assert len(agent.stderr.splitlines()) == 1
    assert "/nowhere/run.json cannot be read" in agent.stderr
    told = Outcome.model_validate_json(outcome.read_bytes())
    assert (told.rank, told.reason) == (1, "ConfigurationError")


def test_the_agent_imports_nothing_heavy():
    code = (
        "import sys, kubefit_trainer.agent.starting;"
        "print([m for m in ('tensorflow', 'keras', 'numpy') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
