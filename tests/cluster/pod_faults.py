"""Jobs that tell every step they do, and what can happen to them on a cluster."""

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubefit.api.names import LABEL_JOB, VOLUME_DIR, Env

AGENT, TRAINER = "kubefit_trainer.agent", "kubefit_trainer.main"
EPOCHS, FEW_STEPS = 36, 80

TRAINS = f"""
import hashlib, json, os, sys, time
from pathlib import Path

import keras
import numpy as np

folder = Path(sys.argv[1])
attempt, rank = (os.environ[name] for name in ("{Env.ATTEMPT}", "{Env.RANK}"))


class Told(keras.callbacks.Callback):
    # One line a step of either worker; waits until told that all faults have happened, or a while.
    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.optimizer.iterations.numpy())
        with (folder / "steps").open("a") as file:
            file.write(f"{{attempt}} {{rank}} {{step}}\\n")
        until = time.monotonic() + (0.2 if step < {FEW_STEPS} else 3.0)
        while time.monotonic() < until and not (folder / "hurry").exists():
            time.sleep(0.1)


keras.utils.set_random_seed(5)
x = np.random.default_rng(0).normal(size=(96, 8, 8, 1)).astype("float32")
y = (x[:, :4].mean((1, 2, 3)) > x[:, 4:].mean((1, 2, 3))).astype("int32")
layers = keras.layers
network = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dropout(0.2)]
model = keras.Sequential([keras.Input((8, 8, 1)), *network, layers.Dense(2, "softmax")])
model.compile(
    keras.optimizers.Adam(0.002, use_ema=True),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
plateau = keras.callbacks.ReduceLROnPlateau("val_loss", patience=2)
callbacks = [plateau, Told()]
history = model.fit(
    x, y, batch_size=8, epochs={EPOCHS}, validation_split=0.25, verbose=0, callbacks=callbacks
)
arrays = [*model.get_weights(), *(variable.numpy() for variable in model.optimizer.variables)]
digest = hashlib.sha256(b"".join(np.asarray(array).tobytes() for array in arrays))
end = {{"weights": digest.hexdigest(), "history": history.history, "epochs": history.epoch}}
(folder / f"end-{{rank}}").write_text(json.dumps(end))
"""

_SENDS = """
import os, sys
from pathlib import Path

for entry in Path("/proc").glob("[0-9]*"):
    command = (entry / "cmdline").read_text().split("\\0")
    if command[1:2] == ["-m"] and command[2] in sys.argv[2:]:
        os.kill(int(entry.name), int(sys.argv[1]))
"""


def send(cluster: Any, namespace: str, pod: str, number: int, *modules: str) -> None:
    """Sends a signal to the processes of a pod that run these modules; it may end of that."""
    command = ("python", "-c", _SENDS, str(int(number)), *modules)
    cluster.try_kubectl("-n", namespace, "exec", pod, "--", *command)


@dataclass(frozen=True)
class Job:
    """A TrainingJob on two workers, and what can be done to it."""

    cluster: Any
    eventually: Callable[..., Any]
    namespace: str
    claim: str
    name: str

    def submit(self) -> None:
        self.at_desk("mkdir", "-p", self.folder)
        self.cluster.apply(
            {
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": {
                    "workers": 2,
                    "storage": {"claim": self.claim},
                    "checkpoint": {"everySteps": 20, "memoryEverySteps": 3},
                    "script": {"inline": TRAINS, "args": [self.folder]},
                },
            }
        )

    def hurry(self) -> None:
        """Has it train at full speed from now on."""
        self.at_desk("touch", f"{self.folder}/hurry")

    @property
    def folder(self) -> str:
        return f"{VOLUME_DIR}/told/{self.name}"

    def at_desk(self, *command: str) -> str:
        return self.cluster.kubectl("-n", self.namespace, "exec", "desk", "--", *command)

    def phase(self) -> str:
        return self.status().get("phase", "")

    def status(self) -> dict[str, Any]:
        found = self.cluster.get("trainingjob", self.name, namespace=self.namespace)
        return found.get("status", {})

    def steps(self) -> list[tuple[int, int, int]]:
        """Attempt, rank and step of every step of every worker, in the order of time."""
        text = self.at_desk("sh", "-c", f"cat {self.folder}/steps 2>/dev/null || true")
        lines = [tuple(map(int, line.split())) for line in text.splitlines()]
        return [(attempt, rank, step) for attempt, rank, step in lines]

    def attempts(self) -> list[dict[str, Any]]:
        file = f"{VOLUME_DIR}/{self.namespace}/{self.name}/attempts.json"
        return json.loads(self.at_desk("cat", file))["attempts"]

    def end(self, rank: int) -> dict[str, Any]:
        return json.loads(self.at_desk("cat", f"{self.folder}/end-{rank}"))

    def await_training(self, after: int) -> int:
        """Waits until a later attempt than that has done five steps; returns its number."""

        def number() -> int | None:
            done = [attempt for attempt, rank, _ in self.steps() if rank == 0]
            return done[-1] if done and done[-1] > after and done.count(done[-1]) >= 5 else None

        return self.eventually(number, 600)

    def await_end_of_attempt(self) -> None:
        self.eventually(lambda: self.attempts()[-1].get("ended"), 120)

    def pod(self, rank: int) -> dict[str, Any]:
        """The pod of a worker that is not being deleted."""
        selector = f"{LABEL_JOB}={self.name},batch.kubernetes.io/job-completion-index={rank}"
        pods = self.cluster.get("pods", namespace=self.namespace, selector=selector)["items"]
        (found,) = [
            pod
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
        ]
        return found

    def delete(self, rank: int, *flags: str) -> None:
        name = self.pod(rank)["metadata"]["name"]
        self.cluster.kubectl("-n", self.namespace, "delete", "pod", name, "--wait=false", *flags)

    def evict(self, rank: int) -> None:
        name = self.pod(rank)["metadata"]["name"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self.namespace},
        }
        path = f"/api/v1/namespaces/{self.namespace}/pods/{name}/eviction"
        self.cluster.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction))

    def drain_node(self) -> None:
        node = self.pod(0)["spec"]["nodeName"]
        flags = (f"--pod-selector={LABEL_JOB}={self.name}", "--delete-emptydir-data")
        try:
            self.cluster.kubectl("drain", node, *flags, "--timeout=120s")
        finally:
            self.cluster.kubectl("uncordon", node)

    def send(self, rank: int, number: int, *modules: str) -> None:
        """Sends a signal to processes of a worker; its container may end of that."""
        name = self.pod(rank)["metadata"]["name"]
        send(self.cluster, self.namespace, name, number, *modules)

    def cut_off(self, rank: int, node: Any) -> None:
        """Takes the network of a pod away until the others have given it up."""
        uid = self.pod(rank)["metadata"]["uid"]
        rules = (("INPUT", "!", "-i", "lo"), ("OUTPUT", "!", "-o", "lo"))
        for rule in rules:
            node.run_in_network_of(uid, "iptables", "-A", *rule, "-j", "DROP")
        self.await_end_of_attempt()
        for rule in rules:
            node.run_in_network_of(uid, "iptables", "-D", *rule, "-j", "DROP")

    def freeze(self, rank: int) -> None:
        """Stops a whole worker until the others have given it up."""
        self.send(rank, signal.SIGSTOP, AGENT, TRAINER)
        self.await_end_of_attempt()
        self.send(rank, signal.SIGCONT, AGENT, TRAINER)
