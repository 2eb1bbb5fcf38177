"""Seconds to exchange 177 MB of float32 gradients between two processes on loopback.

    python bench/gradient_exchange.py [--rounds 9] [--megabytes 177]

Cases: `exact` (what fit uses), `16-bit` (opt-in bfloat16). Baselines: `stock-mwms` (one all-reduce
of all gradients, as Keras asks for it) and `sockets` (both directions of one TCP connection, the
limit of loopback). All are measured in turn within one run. Prints one JSON line per case and
baseline; `ratio` says how many times faster ours is.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL = (896, 32, 18496, 64, 73856, 128, 513, 1)


def main() -> None:
    arguments = parser().parse_args()
    if arguments.rank is not None:
        worker(arguments)
        return
    ports = free_ports(3)
    command = [sys.executable, __file__, *sys.argv[1:], "--ports", *map(str, ports)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "trainer"),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    workers = [
        subprocess.Popen([*command, "--rank", str(rank)], env=environment) for rank in range(2)
    ]
    sys.exit(max(process.wait() for process in workers))


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--rounds", type=int, default=9)
    made.add_argument("--megabytes", type=float, default=177.0)
    made.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    made.add_argument("--ports", type=int, nargs=3, help=argparse.SUPPRESS)
    return made


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def worker(arguments: argparse.Namespace) -> None:
    addresses = [f"127.0.0.1:{port}" for port in arguments.ports[:2]]
    task = {"type": "worker", "index": arguments.rank}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    from kubefit_trainer import keras_multiworker

    with keras_multiworker.start() as strategy:
        cases = exchanges(strategy, arguments.megabytes)
        peer = connect(arguments.rank, arguments.ports[2])
        cases["sockets"] = over_sockets(peer, int(arguments.megabytes * 1e6))
        seconds: dict[str, list[float]] = {name: [] for name in cases}
        for turn in range(arguments.rounds + 2):
            for name, run in cases.items():
                keras_multiworker.barrier()
                begun = time.perf_counter()
                run()
                if turn >= 2:
                    seconds[name].append(time.perf_counter() - begun)
        if keras_multiworker.is_chief():
            report(seconds, arguments.megabytes)


def exchanges(strategy: object, megabytes: float) -> dict[str, Callable[[], object]]:
    import tensorflow as tf

    from kubefit_trainer.keras_multiworker import exchange

    large = max(1, (int(megabytes * 1e6 / 4) - sum(SMALL)) // 512)
    shapes = [*((size,) for size in SMALL), (large, 512)]
    gradients = [tf.random.normal(shape) for shape in shapes]

    def compiled(reduce: Callable[[list[object]], list[object]]) -> Callable[[], object]:
        def step(values: list[object]) -> object:
            reduced = strategy.run(reduce, args=(values,))
            # Something of every result is used, so that none is left out.
            return [tf.reshape(value, [-1])[0] for value in reduced]

        function = tf.function(step, autograph=False)
        return lambda: [one.numpy() for one in function(gradients)]

    def stock(values: list[object]) -> list[object]:
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, [tf.identity(v) for v in values])

    def ours(values: list[object]) -> list[object]:
        return exchange.plain_sum([tf.identity(value) for value in values])

    cases = {"stock-mwms": compiled(stock), "exact": compiled(ours)}
    cases["exact"]()
    os.environ[exchange.PRECISION] = "bfloat16"
    cases["16-bit"] = compiled(ours)
    cases["16-bit"]()
    del os.environ[exchange.PRECISION]
    return cases


def connect(rank: int, port: int) -> socket.socket:
    if rank == 0:
        with socket.create_server(("127.0.0.1", port)) as server:
            return server.accept()[0]
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise


def over_sockets(peer: socket.socket, size: int) -> Callable[[], object]:
    """Both processes send half and receive half twice, as a ring of two does."""
    outgoing, incoming = bytearray(size), bytearray(size)

    def run() -> None:
        sender = threading.Thread(target=peer.sendall, args=(outgoing,))
        sender.start()
        view, got = memoryview(incoming), 0
        while got < size:
            got += peer.recv_into(view[got:])
        sender.join()

    return run


def report(seconds: dict[str, list[float]], megabytes: float) -> None:
    for case in ("exact", "16-bit"):
        ours = statistics.median(seconds[case])
        for baseline in ("stock-mwms", "sockets"):
            theirs = statistics.median(seconds[baseline])
            line = {
                "bench": "gradient_exchange",
                "case": case,
                "baseline": baseline,
                "ratio": round(theirs / ours, 2),
                "seconds": round(ours, 3),
                "baseline_seconds": round(theirs, 3),
                "megabytes": megabytes,
                "rounds": len(seconds[case]),
            }
            print(json.dumps(line))


if __name__ == "__main__":
    main()
