"""Seconds from the death of a worker to the first step after those that were done before it.

    python bench/recovery.py [CASE ...] [--workers 2] [--rounds 2]

Cases: `spare` and `no-spare` kill the trainer of the last worker; all go on in place, from memory.
The baseline, `new-pod`, kills all agents with their trainers, as where a restart makes new pods:
new processes import everything and go on from the volume. Time for scheduling a pod and for
pulling an image is not in it. Prints one JSON line per case; `ratio` says how many times sooner
than the baseline training goes on.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from pathlib import Path

from kubefit.api.names import Phase
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.local import run_local

_BASELINE = "new-pod"
_GOING_SECONDS = 20.0
"""Training before the death: snapshots are taken, and the spare has imported everything."""
_PROGRAM = """
import os, sys, time
from pathlib import Path
import keras, numpy as np

folder, name = Path(sys.argv[1]), os.environ["KUBEFIT_RANK"] + "-" + os.environ["KUBEFIT_ATTEMPT"]

class Tell(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        (folder / f"pid-{name}").write_text(f"{os.getpid()} {os.getppid()}")
    def on_train_batch_end(self, batch, logs=None):
        with (folder / f"steps-{name}").open("a") as file:
            file.write(f"{int(self.model.optimizer.iterations)} {time.time()}\\n")
        time.sleep(0.05)
        if (folder / "enough").exists():
            self.model.stop_training = True

keras.utils.set_random_seed(1)
layers = [keras.layers.Conv2D(16, 3, activation="relu") for _ in range(4)]
head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
model = keras.Sequential([keras.Input((32, 32, 3)), *layers, *head])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
x, y = np.zeros((512, 32, 32, 3), "float32"), np.zeros(512, "int32")
model.fit(x, y, batch_size=32, epochs=100_000, callbacks=[Tell()], verbose=0)
"""


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("cases", nargs="*", default=["spare", "no-spare"])
    made.add_argument("--workers", type=int, default=2)
    made.add_argument("--rounds", type=int, default=2)
    arguments = made.parse_args()
    cases = [*arguments.cases, _BASELINE]
    found: dict[str, list[float]] = {case: [] for case in cases}
    for _ in range(arguments.rounds):
        for case in cases:
            found[case].append(seconds_to_recover(case, arguments.workers))
    baseline = statistics.median(found[_BASELINE])
    for case in arguments.cases:
        seconds = statistics.median(found[case])
        line = {
            "bench": "recovery",
            "case": case,
            "baseline": _BASELINE,
            "workers": arguments.workers,
            "ratio": round(baseline / seconds, 2),
            "seconds": round(seconds, 1),
            "baseline_seconds": round(baseline, 1),
        }
        print(json.dumps(line), flush=True)


def seconds_to_recover(case: str, workers: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times: list[float] = []
        watcher = threading.Thread(target=kill_and_watch, args=(case, workers, folder, times))
        watcher.start()
        job = TrainingJob.model_validate(
            {
                "metadata": {"name": "recovery"},
                "spec": {
                    "workers": workers,
                    "script": {"inline": _PROGRAM, "args": [name]},
                    "storage": {"claim": "unused"},
                    "runPolicy": {"warmSpare": case == "spare"},
                    "checkpoint": {"everySeconds": 2, "memoryEverySeconds": 2},
                },
            }
        )
        result = run_local(job, volume_dir=folder, runs_dir=folder, on_status=lambda _: None)
        watcher.join()
        if result.phase is not Phase.SUCCEEDED:
            raise SystemExit(f"{case}: {result.failure}")
        return times[1] - times[0]


def kill_and_watch(case: str, workers: int, folder: Path, times: list[float]) -> None:
    """Appends the time of the kill and that of the first step beyond."""
    while not steps(folder):
        time.sleep(0.5)
    time.sleep(_GOING_SECONDS)
    pids = [(folder / f"pid-{rank}-1").read_text().split() for rank in range(workers)]
    killed = [int(agent) for _, agent in pids] if case == _BASELINE else [int(pids[-1][0])]
    times.append(time.time())
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    done = max(step for step, told in steps(folder) if told <= times[0])
    while not (
        beyond := [told for step, told in steps(folder) if step > done and told > times[0] + 1]
    ):
        time.sleep(0.2)
    times.append(min(beyond))
    (folder / "enough").touch()


def steps(folder: Path) -> list[tuple[int, float]]:
    """What the chief has done, in all attempts: steps and Unix times."""
    lines = [line for file in folder.glob("steps-0-*") for line in file.read_text().splitlines()]
    pairs = [line.split() for line in lines]
    return [(int(pair[0]), float(pair[1])) for pair in pairs if len(pair) == 2]


if __name__ == "__main__":
    main()
