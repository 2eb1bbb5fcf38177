"""Trainers that are killed are replaced by forks of a process that stands by."""

import json
from pathlib import Path

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import run_local

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
import keras, numpy as np

out, attempt = Path(sys.argv[1]), int(os.environ["KUBEFIT_ATTEMPT"])

def standing_by():
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            parent = (comm.parent / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == agent and comm.read_text().strip() == "kubefit-spare":
                return True
        except OSError:
            pass
    return False

# The parent of a fork is the one that stands by.
agent = os.getppid()
forked = Path("/proc/self/comm").read_text().strip() == "kubefit-trainer"

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if attempt < 3 and (forked or standing_by()):
            os.kill(os.getpid(), signal.SIGKILL)

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.zeros((100, 2), "float32")
# Without end until there is one that stands by; the timeout of the test is the end of that.
epochs = 2 if attempt == 3 else 1_000_000
model.fit(x, x[:, :1], epochs=epochs, batch_size=1, callbacks=[Kill()], verbose=0)
out.write_text(json.dumps({
    "forked": forked,
    "arguments": sys.argv[1:],
    "stdin": sys.stdin.read(),
}))
"""


def test_killed_trainers_are_replaced_by_forks_of_the_one_that_stands_by(tmp_path: Path):
    job = TrainingJob.model_validate(
        {
            "metadata": {"name": "spare"},
            "spec": {
                "script": {"inline": PROGRAM, "args": [str(tmp_path / "told.json")]},
                "storage": {"claim": "unused"},
                "runPolicy": {"warmSpare": True},
            },
        }
    )
    result = run_local(job, volume_dir=tmp_path, runs_dir=tmp_path, on_status=lambda _: None)
    assert result.phase is Phase.SUCCEEDED, result.failure
    assert result.restarts == 2
    assert json.loads((tmp_path / "told.json").read_text()) == {
        "forked": True,
        "arguments": [str(tmp_path / "told.json")],
        "stdin": "",
    }
