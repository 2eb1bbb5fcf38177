"""What snapshots cost: MobileNetV2 with one snapshot to memory every ten seconds, and without.

    python bench/checkpoint_overhead.py [--windows 6] [--seconds 20]

One process trains, and takes snapshots in every other window of time; the first window is left out.
Prints one JSON line; `ratio` is the time of a step without snapshots over that with them, the
median of neighbouring windows.
"""

import argparse
import itertools
import json
import statistics
import tempfile
from pathlib import Path

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import run_local

_PROGRAM = """
import json, sys, time
import keras, numpy as np
from kubefit_trainer.checkpoints.keeper import Keeper

file, windows, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

class Windows(keras.callbacks.Callback):
    # Those with an odd number take snapshots.
    def __init__(self):
        super().__init__()
        self.done, self.steps, self.snapshots = [], 0, 0
        due = Keeper.due
        Keeper.due = lambda keeper, step: self.takes(due, keeper, step)

    def takes(self, due, keeper, step):
        taken = len(self.done) % 2 == 1 and due(keeper, step)
        self.snapshots += taken
        return taken

    def on_train_begin(self, logs=None):
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        now = time.perf_counter()
        if now - self.began >= seconds:
            self.done.append((now - self.began) / self.steps)
            self.began, self.steps = now, 0
            self.model.stop_training = len(self.done) > windows

own = Windows()
model = keras.applications.MobileNetV2(weights=None, input_shape=(96, 96, 3), classes=10)
model.compile("adam", "sparse_categorical_crossentropy")
x, y = np.zeros((640, 96, 96, 3), "float32"), np.zeros(640, "int32")
model.fit(x, y, batch_size=32, epochs=100_000, callbacks=[own], verbose=0)
with open(file, "w") as out:
    json.dump({"seconds_per_step": own.done[1:], "snapshots": own.snapshots}, out)
"""


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--windows", type=int, default=6)
    made.add_argument("--seconds", type=float, default=20.0)
    arguments = made.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "found.json"
        job = TrainingJob.model_validate(
            {
                "metadata": {"name": "overhead"},
                "spec": {
                    "workers": 1,
                    "script": {
                        "inline": _PROGRAM,
                        "args": [str(file), str(arguments.windows), str(arguments.seconds)],
                    },
                    "storage": {"claim": "unused"},
                    "checkpoint": {"memoryEverySeconds": 10},
                },
            }
        )
        result = run_local(
            job, volume_dir=Path(name), runs_dir=Path(name), on_status=lambda _: None
        )
        if result.phase is not Phase.SUCCEEDED:
            raise SystemExit(str(result.failure))
        found = json.loads(file.read_text())
    steps = found["seconds_per_step"]
    # The first of these has snapshots.
    ratios = [
        second / first if index % 2 == 0 else first / second
        for index, (first, second) in enumerate(itertools.pairwise(steps))
    ]
    line = {
        "bench": "checkpoint_overhead",
        "case": "mobilenetv2",
        "baseline": "no-checkpoint",
        "ratio": round(statistics.median(ratios), 3),
        "snapshots": found["snapshots"],
        "seconds_per_step": [round(step, 4) for step in steps],
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
