"""Reads the logs that a job left on its volume, by a pod that lives only so long.

The pod is made with the rights of whoever asks, from the template of the job's workers.
"""

import time
from collections.abc import Iterator
from typing import Any

from kubefit.api.contract import job_dir
from kubefit.api.names import API_VERSION, KIND, LABEL_ROLE, ROLE_READER, VOLUME_DIR
from kubefit.api.v1alpha1 import TrainingJob
from kubefit.client.kubernetes import Cluster
from kubefit.client.refusals import ClusterError, ForbiddenError, NotFoundError
from kubefit.core.observed import Defaults
from kubefit.core.pods import container_security, pod_security, pod_template

CONTAINER = "reader"
_SECONDS = 300
"""So long it lives at most, though nobody takes it away."""
_START_SECONDS = 120.0
_POLL_SECONDS = 0.5
_BYTES = 8 << 20
"""Kubelets keep 10 MiB of a container's log."""
_KEPT = ("securityContext", "imagePullSecrets", "nodeSelector", "tolerations", "affinity")
"""Of the workers' pods: where the volume can be mounted, and whose files are on it."""
_END = "end"
"""What the program says when all is read; lines of logs begin with a number."""
_PROGRAM = """
import os, pathlib, re, sys
folder, attempt, rank, most = pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:])
numbers = [int(p.name[8:]) for p in folder.glob("attempt-*") if p.name[8:].isdecimal()]
if not numbers:
    sys.exit(f"{folder} has no logs")
attempt = attempt or max(numbers)
found = {}
for path in (folder / f"attempt-{attempt}").glob("worker-*.log"):
    number = re.fullmatch(r"worker-(\\d+)\\.log", path.name)
    if number and rank in (-1, int(number[1])):
        found[int(number[1])] = path
if not found:
    sys.exit(f"{folder} has no such log of attempt {attempt}; attempts are {sorted(numbers)}")
for number, path in sorted(found.items()):
    with path.open("rb") as file:
        left_out = max(0, os.fstat(file.fileno()).st_size - most // len(found))
        file.seek(left_out)
        if left_out:
            file.readline()
            print(f"{number} kubefit: what came before is left out ({left_out} bytes)")
        for line in file:
            print(number, line.decode(errors="replace").rstrip("\\r\\n"))
print("end")
"""


def read_volume(
    cluster: Cluster, job: TrainingJob, *, attempt: int | None, rank: int | None, image: str | None
) -> Iterator[tuple[int, str]]:
    """Lines of an attempt, by default the last one, with the ranks that wrote them.

    Raises:
        ClusterError: there is no such log, or the pod cannot be made or does not start.

    """
    base = f"/api/v1/namespaces/{cluster.namespace}/pods"
    pod = reader_pod(job, _workers(cluster, job), attempt=attempt, rank=rank, image=image)
    try:
        name = cluster.create(base, pod)["metadata"]["name"]
    except ForbiddenError as error:
        raise ClusterError(
            f"reading the volume takes a pod: {error.sentences[0]}", hint=error.hint
        ) from error
    path = f"{base}/{name}"
    try:
        _await_start(cluster, path)
        said = [f"pod {name} ended before it had read all of the volume"]
        for text in cluster.output(name, CONTAINER):
            number, _, line = text.partition(" ")
            if number.isdecimal():
                yield int(number), line
            else:
                said.append(text)
        # Beside it there may be warnings of the image's Python.
        if _END not in said:
            raise ClusterError(said[-1])
    finally:
        cluster.remove(path, gracePeriodSeconds="0")


def reader_pod(
    job: TrainingJob,
    workers: dict[str, Any] | None,
    *,
    attempt: int | None,
    rank: int | None,
    image: str | None,
) -> dict[str, Any]:
    """The pod; `workers` is the specification of those of the job, where it still has a Job.

    It goes with the TrainingJob, where nobody takes it away before.

    Raises:
        ClusterError: nothing says which image to take.

    """
    claim = job.spec.storage.claim or job.metadata.name
    template = pod_template(job, Defaults(image=""), labels={}, claim=claim)
    given = workers or template["spec"]
    own: dict[str, Any] = given["containers"][0]
    chosen = image or own.get("image")
    if not chosen:
        raise ClusterError(
            f"{job.metadata.name} has no Job whose image could read its volume",
            hint="--image names an image with Python",
        )
    folder = job_dir(VOLUME_DIR, job.metadata.namespace, job.metadata.name)
    numbers = [str(attempt or 0), str(-1 if rank is None else rank), str(_BYTES)]
    container = {
        "name": CONTAINER,
        "image": chosen,
        "imagePullPolicy": own.get("imagePullPolicy", "IfNotPresent"),
        "command": ["python", "-c", _PROGRAM, f"{folder}/logs", *numbers],
        "securityContext": own.get("securityContext") or container_security(),
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "50m"}},
        "volumeMounts": [{"name": "volume", "mountPath": VOLUME_DIR, "readOnly": True}],
    }
    # Of a volume that no container may write to, kubelets leave groups and modes as they are.
    volume = {"claimName": claim, "readOnly": True}
    owner = {"apiVersion": API_VERSION, "kind": KIND}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{job.metadata.name}-logs-",
            # Without that of the job, which is of its workers.
            "labels": {LABEL_ROLE: ROLE_READER},
            "ownerReferences": [owner | {"name": job.metadata.name, "uid": job.metadata.uid}],
        },
        "spec": {
            **pod_security(),
            **{name: given[name] for name in _KEPT if name in given},
            "restartPolicy": "Never",
            "activeDeadlineSeconds": _SECONDS,
            "containers": [container],
            "volumes": [{"name": "volume", "persistentVolumeClaim": volume}],
        },
    }


def _workers(cluster: Cluster, job: TrainingJob) -> dict[str, Any] | None:
    path = f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs/{job.metadata.name}"
    try:
        found: dict[str, Any] = cluster.read(path)["spec"]["template"]["spec"]
    except (ForbiddenError, NotFoundError):
        return None
    return found


def _await_start(cluster: Cluster, path: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        status = cluster.read(path).get("status", {})
        states = [one.get("state", {}) for one in status.get("containerStatuses", [])]
        if any("running" in state or "terminated" in state for state in states):
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                f"the pod that reads the volume does not start after {_START_SECONDS:.0f} s:"
                f" {_why(status, states)}"
            )
        time.sleep(_POLL_SECONDS)


def _why(status: dict[str, Any], states: list[dict[str, Any]]) -> str:
    waiting = [state["waiting"] for state in states if "waiting" in state]
    unmet = [one for one in status.get("conditions", []) if one["status"] == "False"]
    told = [one.get("message") or one.get("reason") for one in (*waiting, *unmet)]
    return next((text for text in told if text), "nothing tells why")
