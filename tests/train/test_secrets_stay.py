"""The token of a job is nowhere that people or programs look: output, statuses, files."""

from pathlib import Path

import pytest

from kubefit.api.contract import WorkerStatus
from kubefit.api.errors import read_job
from kubefit.api.names import Phase
from kubefit.client import gang
from kubefit.client.local import run_local

pytestmark = pytest.mark.train

TOKEN = "marker-9f3c0a77-of-the-token"
PROGRAM = """
import os, sys
import keras
import numpy as np

print("environment:", dict(os.environ), "arguments:", sys.argv)
model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((8, 2), "float32"), np.ones((8, 1), "float32"), batch_size=4, verbose=2)
raise RuntimeError("ended on purpose")
"""


def test_the_token_is_in_no_output_status_or_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gang.secrets, "token_hex", lambda: TOKEN)
    spec = {"workers": 2, "storage": {"claim": "local"}, "script": {"inline": PROGRAM}}
    job = read_job(
        {
            "apiVersion": "kubefit.dev/v1alpha1",
            "kind": "TrainingJob",
            "metadata": {"name": "secretive"},
            "spec": spec,
        }
    )
    said: list[str] = []

    def on_status(statuses: list[WorkerStatus]) -> None:
        said.extend(status.model_dump_json() for status in statuses)

    result = run_local(
        job,
        volume_dir=tmp_path,
        runs_dir=tmp_path / "runs",
        on_status=on_status,
        on_line=lambda rank, line: said.append(line),
    )
    assert result.phase is Phase.FAILED
    assert result.failure is not None
    assert "ended on purpose" in result.failure.message
    said.append(result.failure.model_dump_json())
    files = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert {"attempts.json", "result.json", "worker-0.log", "worker-1.log"} <= {
        path.name for path in files
    }
    environments = [line for line in said if line.startswith("environment:")]
    assert ["KUBEFIT_RANK" in line for line in environments] == [True, True]
    assert not [line for line in environments if "KUBEFIT_TOKEN_FILE" in line]
    assert not [line for line in said if TOKEN in line]
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
