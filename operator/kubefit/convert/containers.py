"""The containers of a pod: the one that trains, and those beside it."""

from typing import Any

from kubefit.api.contract import AGENT_PORT
from kubefit.api.names import CONTAINER, FETCH_CONTAINER, PORT_METRICS
from kubefit.convert.fields import Fields

_TF_PORT, _TF_PORT_NAME = 2222, "tfjob-port"
_SAME = ("imagePullPolicy", "envFrom", "lifecycle", "volumeDevices")
"""Fields of a container that mean the same in the pod template of a TrainingJob."""
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def of_pod(pod: Fields, training: str) -> tuple[Fields, list[dict[str, Any]]]:
    """The container that trains, and the others as they run beside KubeFit's.

    Args:
        pod: `containers` are taken.
        training: Name of the container that trains.

    Raises:
        UnconvertibleError: there is none.

    """
    containers = pod.list_of_parts("containers")
    named = [one for one in containers if one.left.get("name") == training]
    if not containers or (len(containers) > 1 and not named):
        raise pod.refusal("containers", f"none is named {training}, as the one that trains")
    main = (named or containers)[0]
    main.take("name")
    return main, [_beside(container) for container in containers if container is not main]


def _beside(container: Fields) -> dict[str, Any]:
    """A Job ends when all containers have; this kind of init container is ended with the others."""
    container.note(
        "name",
        "runs beside the program as an init container with restartPolicy Always, which is ended"
        " after it",
    )
    return {**container.carry_all(), "restartPolicy": "Always"}


def apart(container: dict[str, Any]) -> dict[str, Any]:
    """With another name, where the name is that of a container of KubeFit."""
    name = container.get("name")
    taken = name in (CONTAINER, FETCH_CONTAINER)
    return {**container, "name": f"tfjob-{name}"} if taken else container


def carried(container: Fields) -> dict[str, Any]:
    """What of the container that trains stays as it is; what KubeFit does by itself is told."""
    found = container.carry(_SAME)
    found["ports"] = _ports(container)
    for name in _PROBES:
        container.leave(
            name,
            "KubeFit's agent watches the program, and restarts one that makes no step for"
            " spec.runPolicy.stallSeconds; it is left out",
        )
    for name in ("terminationMessagePath", "terminationMessagePolicy"):
        container.leave(name, "KubeFit's agent writes the message; it is left out")
    return found


def _ports(container: Fields) -> list[dict[str, Any]]:
    """Named, so that they are merged with those of KubeFit; TensorFlow's own is not needed."""
    kept = []
    for i, port in enumerate(container.items("ports")):
        number, name = port.get("containerPort"), port.get("name")
        if name == _TF_PORT_NAME or number == _TF_PORT:
            if set(port) - {"name", "containerPort", "protocol"}:
                container.note(f"ports[{i}]", "TensorFlow has another port at each start; left out")
            continue
        if number == AGENT_PORT or name == PORT_METRICS:
            container.note(
                f"ports[{i}]",
                f"port {AGENT_PORT} and the name {PORT_METRICS} are of KubeFit's agent; it is left"
                " out, and the program needs another",
            )
        else:
            kept.append({"name": f"port-{number}", **port})
    return kept
