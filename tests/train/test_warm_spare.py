"""A process that stands by takes the place of a trainer that is killed."""

import json
from pathlib import Path

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import run_local

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
import keras, numpy as np

out, again = Path(sys.argv[1]), os.environ["KUBEFIT_ATTEMPT"] != "1"

def standing_by():
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            parent = (cmdline.parent / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getppid() and b"kubefit_trainer.standby" in cmdline.read_bytes():
                return True
        except OSError:
            pass
    return False

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if not again and standing_by():
            os.kill(os.getpid(), signal.SIGKILL)

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.zeros((100, 2), "float32")
# Without end until there is one that stands by; the timeout of the test is the end of that.
epochs = 2 if again else 1_000_000
model.fit(x, x[:, :1], epochs=epochs, batch_size=1, callbacks=[Kill()], verbose=0)
out.write_text(json.dumps({
    "command": Path("/proc/self/cmdline").read_text().split("\\0")[1:3],
    "arguments": sys.argv[1:],
    "stdin": sys.stdin.read(),
}))
"""


def test_a_killed_trainer_is_replaced_by_the_one_that_stood_by(tmp_path: Path):
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
    assert result.restarts == 1
    assert json.loads((tmp_path / "told.json").read_text()) == {
        "command": ["-m", "kubefit_trainer.standby"],
        "arguments": [str(tmp_path / "told.json")],
        "stdin": "",
    }
