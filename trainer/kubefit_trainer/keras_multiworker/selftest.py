"""Self-test: a tiny model on two real processes against one; run it when an image is built.

    python -m kubefit_trainer.keras_multiworker.selftest

Exits with 0 if two workers on loopback give the numbers of one, else with 1 and a sentence. Runs on
the CPU, takes some seconds, writes nowhere but in a temporary folder.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_MODULE = "kubefit_trainer.keras_multiworker.selftest"
_TOLERANCE = 1e-4
_TIMEOUT_SECONDS = 300.0


def main() -> None:
    """Runs the test, or in one of its own processes the program that is tested."""
    if len(sys.argv) > 1:
        _program(Path(sys.argv[1]))
        return
    problem = problem_found()
    if problem:
        sys.exit(f"self-test of Keras on two workers failed: {problem}")
    print("self-test: two workers train like one")


def problem_found() -> str:
    """What two workers do otherwise than one process, in a sentence; empty if nothing."""
    with tempfile.TemporaryDirectory(prefix="selftest-") as name:
        folder = Path(name)
        ports = _free_ports(2)
        running = {"one": _start(folder, "one", ports, None)}
        running |= {f"worker {r}": _start(folder, f"worker {r}", ports, r) for r in (0, 1)}
        try:
            for name, process in running.items():
                if process.wait(_TIMEOUT_SECONDS):
                    last = (folder / f"{name}.log").read_text(errors="replace")[-2000:]
                    return f"{name} ended with exit code {process.returncode}:\n{last}"
        except subprocess.TimeoutExpired:
            return f"{name} did not end within {_TIMEOUT_SECONDS:.0f} s"
        finally:
            for process in running.values():
                process.kill()
                process.wait()
        one, *workers = (json.loads((folder / f"{name}.json").read_text()) for name in running)
    for rank, mine in enumerate(workers):
        for what, expected in one.items():
            if not _close(mine[what], expected):
                return f"worker {rank} has other {what} than one process"
    return ""


def _program(result: Path) -> None:
    """Trains on shuffled rows that do not divide evenly, with a clipped and averaged optimizer."""
    from kubefit_trainer import keras_multiworker

    with keras_multiworker.start():
        import keras
        import numpy as np

        keras.utils.set_random_seed(1)
        rng = np.random.default_rng(1)
        x = rng.normal(size=(22, 4)).astype("float32")
        y = (x.sum(1) > 0).astype("float32")
        model = keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(5, activation="tanh"),
                keras.layers.Dense(1, activation="sigmoid"),
            ]
        )
        optimizer = keras.optimizers.Adam(0.05, global_clipnorm=0.05, gradient_accumulation_steps=2)
        model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
        history = model.fit(x, y, batch_size=5, epochs=3, verbose=0)
        numbers = {
            "losses": history.history["loss"],
            "accuracies": history.history["accuracy"],
            "weights": [weight.ravel().tolist() for weight in model.get_weights()],
            "evaluation": model.evaluate(x, y, batch_size=5, verbose=0),
            "predictions": model.predict(x, batch_size=5, verbose=0).ravel().tolist(),
        }
        result.write_text(json.dumps(numbers))


def _start(folder: Path, name: str, ports: list[int], rank: int | None) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment.pop("TF_CONFIG", None)
    if rank is not None:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
        task = {"type": "worker", "index": rank}
        environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(folder / f"{name}.json")],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _close(mine: Any, expected: Any) -> bool:
    a, b = list(_flat(mine)), list(_flat(expected))
    return len(a) == len(b) and all(
        abs(x - y) <= _TOLERANCE * max(1.0, abs(y)) for x, y in zip(a, b, strict=True)
    )


def _flat(value: Any) -> Iterable[float]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield float(value)


if __name__ == "__main__":
    main()
