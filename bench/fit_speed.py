"""Milliseconds of a step inside `fit`, and seconds from process start to the first finished step.

    python bench/fit_speed.py [CASE ...] [--steps 12] [--rounds 2]

Cases: `mobilenetv2`, `resnet50`, `cnn` (one worker, all cores) and the same with `-2w` (two
workers, one core each). Baselines: `stock-fit` (Keras 3; on two workers with the two first-order
faults patched), `tf-keras` and, for `-2w`, `one-process` (stock Keras 3, all cores). All variants
run in turn, as often as there are rounds. Prints one JSON line per case and baseline; `ratio` says
how many times faster a step of ours is, `start_ratio` how many times sooner the first is finished.
"""

import argparse
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASES = {"mobilenetv2": (96, 64), "resnet50": (96, 32), "cnn": (224, 32)}


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("cases", nargs="*", default=[n + w for w in ("", "-2w") for n in CASES])
    made.add_argument("--steps", type=int, default=12)
    made.add_argument("--rounds", type=int, default=2)
    made.add_argument("--worker", nargs=2, metavar=("VARIANT", "FILE"), help=argparse.SUPPRESS)
    arguments = made.parse_args()
    if arguments.worker:
        worker(arguments.cases[0], arguments.steps, *arguments.worker)
        return
    for case in arguments.cases:
        for line in measure(case, arguments.steps, arguments.rounds):
            print(json.dumps(line), flush=True)


def measure(case: str, steps: int, rounds: int) -> Iterator[dict[str, object]]:
    name, two = case.removesuffix("-2w"), case.endswith("-2w")
    variants = dict.fromkeys(("ours", "stock-fit", "tf-keras"), 2 if two else 1)
    if two:
        variants["one-process"] = 1
    found: dict[str, list[dict[str, list[float]]]] = {variant: [] for variant in variants}
    for _ in range(rounds):
        for variant, workers in variants.items():
            found[variant].append(run(name, steps, variant, workers))
    step = {
        v: statistics.median(ms for one in runs for ms in one["ms"]) for v, runs in found.items()
    }
    first = {v: min(one["first"][0] for one in runs) for v, runs in found.items()}
    for baseline in list(variants)[1:]:
        yield {
            "bench": "fit_speed",
            "case": case,
            "baseline": baseline,
            "ratio": round(step[baseline] / step["ours"], 2),
            "ms_per_step": round(step["ours"]),
            "baseline_ms_per_step": round(step[baseline]),
            "start_ratio": round(first[baseline] / first["ours"], 2),
            "seconds_to_first_step": round(first["ours"], 1),
            "baseline_seconds_to_first_step": round(first[baseline], 1),
        }


def run(name: str, steps: int, variant: str, workers: int) -> dict[str, list[float]]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(workers)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for rank in range(workers):
            mine = cores[rank::workers][: max(1, len(cores) // workers)]
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            environment = {
                **os.environ,
                "PYTHONPATH": str(ROOT / "trainer"),
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "CUDA_VISIBLE_DEVICES": "-1",
                "TF_CONFIG": json.dumps(task) if workers > 1 else "{}",
                "TF_USE_LEGACY_KERAS": "1" if variant == "tf-keras" else "0",
                "BENCH_STARTED": repr(time.time()),
            }
            command = [sys.executable, __file__, name, "--steps", str(steps)]
            command += ["--worker", variant, f"{folder}/{rank}.json"]
            pinned = ["taskset", "-c", ",".join(map(str, mine)), *command]
            processes.append(subprocess.Popen(pinned, env=environment))
        if any(process.wait() for process in processes):
            sys.exit(f"{name}, {variant}: a worker failed; its output is above")
        return json.loads(Path(folder, "0.json").read_text())


def worker(name: str, steps: int, variant: str, file: str) -> None:
    import contextlib

    size, batch = CASES[name]
    scope: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if variant == "ours":
        from kubefit_trainer import keras_multiworker

        scope = keras_multiworker.start()
    elif os.environ["TF_CONFIG"] != "{}":
        import tensorflow as tf

        if variant == "stock-fit":
            patch_first_order_faults()
        scope = tf.distribute.MultiWorkerMirroredStrategy().scope()
    with scope:
        times = fit(name, size, batch, steps, variant)
    steady = [b - a for a, b in itertools.pairwise(times[2:])]
    Path(file).write_text(
        json.dumps(
            {
                "ms": [1000 * seconds for seconds in steady],
                "first": [times[0] - float(os.environ["BENCH_STARTED"])],
            }
        )
    )
    sys.stdout.flush()
    if variant != "ours":
        # The others may wait for a minute in the deletion of an iterator.
        time.sleep(1)
        os._exit(0)


def fit(name: str, size: int, batch: int, steps: int, variant: str) -> list[float]:
    import numpy as np
    import tensorflow as tf

    if variant == "tf-keras":
        import tf_keras as keras
    else:
        import keras

    times: list[float] = []
    rows = batch * steps
    x = np.random.default_rng(0).random((rows, size, size, 3), "float32")
    y = (np.arange(rows) % 2).astype("float32")[:, None]
    model = network(keras, name, size)
    model.compile("adam", "binary_crossentropy")
    options = tf.data.Options()
    policy = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policy.DATA
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(batch, drop_remainder=True)
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.time())
    )
    model.fit(data.with_options(options), epochs=1, verbose=0, callbacks=[callback])
    return times


def network(keras: object, name: str, size: int) -> object:
    layers = keras.layers
    shape = (size, size, 3)
    if name != "cnn":
        make = {"mobilenetv2": "MobileNetV2", "resnet50": "ResNet50"}[name]
        base = getattr(keras.applications, make)(
            input_shape=shape, include_top=False, weights=None, pooling="avg"
        )
        return keras.Sequential([base, layers.Dense(1, activation="sigmoid")])
    blocks = [
        layer
        for filters in (32, 64, 128)
        for layer in (layers.Conv2D(filters, 3, activation="relu"), layers.MaxPooling2D())
    ]
    head = [
        layers.Flatten(),
        layers.Dense(512, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    ]
    return keras.Sequential([layers.Input(shape), *blocks, *head])


def patch_first_order_faults() -> None:
    """What stock Keras 3 needs to run at all on several workers, and no more."""
    from keras.src import tree
    from keras.src.backend.tensorflow import trainer

    def build(self, iterator=None, data_batch=None):
        strategy = self.distribute_strategy
        mine = strategy.experimental_local_results
        for _, _, it in iterator:
            batch = tree.map_structure(lambda value: mine(value)[0], next(it))
            break
        with strategy.scope():
            self._symbolic_build(data_batch=batch)

    def reduce_per_replica(values, strategy, reduction):
        return tree.map_structure(lambda v: strategy.reduce("MEAN", v, axis=None), values)

    trainer.TensorFlowTrainer._maybe_symbolic_build = build
    trainer.reduce_per_replica = reduce_per_replica


if __name__ == "__main__":
    main()
