"""Milliseconds of a step of a small network, with 20 steps per execution and with one.

    python bench/steps_per_execution.py [--epochs 6]

Cases: `1w` and `2w`, one and two workers. Baseline: `one-step`, `steps_per_execution=1` of the same
program. Both run in turn in one process tree; the time is that of whole epochs after the first,
between their ends. Prints one JSON line per case.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STEPS = 200


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--epochs", type=int, default=6)
    made.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = made.parse_args()
    if arguments.worker:
        worker(arguments.epochs)
        return
    for workers in (1, 2):
        run(workers, arguments.epochs)


def run(workers: int, epochs: int) -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    processes = []
    for rank in range(workers):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "trainer"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CONFIG": json.dumps(task) if workers > 1 else "{}",
        }
        command = [sys.executable, __file__, "--worker", "--epochs", str(epochs)]
        processes.append(subprocess.Popen(command, env=environment))
    if max(process.wait() for process in processes):
        sys.exit(f"{workers} workers: one failed; its output is above")


def worker(epochs: int) -> None:
    from kubefit_trainer import keras_multiworker

    with keras_multiworker.start():
        measured: dict[int, list[float]] = {1: [], 20: []}
        for _ in range(2):
            for size, times in measured.items():
                times.extend(epoch_seconds(size, epochs))
        if keras_multiworker.is_chief():
            ms = {size: 1000 * statistics.median(t) / STEPS for size, t in measured.items()}
            line = {
                "bench": "steps_per_execution",
                "case": f"{keras_multiworker.workers()}w",
                "baseline": "one-step",
                "ratio": round(ms[1] / ms[20], 2),
                "ms_per_step": round(ms[20], 2),
                "baseline_ms_per_step": round(ms[1], 2),
            }
            print(json.dumps(line), flush=True)


def epoch_seconds(size: int, epochs: int) -> list[float]:
    import keras
    import numpy as np

    model = keras.Sequential(
        [keras.Input((20,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse", steps_per_execution=size)
    x = np.random.default_rng(0).random((32 * STEPS, 20), "float32")
    ends: list[float] = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter())
    )
    model.fit(x, x[:, :1], batch_size=32, epochs=epochs, verbose=0, callbacks=[callback])
    return [end - begin for begin, end in itertools.pairwise(ends)]


if __name__ == "__main__":
    main()
