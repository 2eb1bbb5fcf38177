"""A sweep of two trials, of which one loses: the good one ends by itself, the bad one never does.

Trials on this machine and on a cluster differ in their storage alone.
"""

from typing import Any

_PROGRAM = """
import sys, time

accuracy, epoch = sys.argv[1], 0
while accuracy == "0.1" or epoch < 2:
    epoch += 1
    print(f"epoch={{epoch}}/1000000 loss=1 accuracy={{accuracy}}", flush=True)
    time.sleep({pause})
"""


def sweep(storage: dict[str, Any], *, pause: float) -> dict[str, Any]:
    """Its document; an epoch of a trial lasts `pause` seconds."""
    script = {"inline": _PROGRAM.format(pause=pause), "args": ["0"]}
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "Sweep",
        "metadata": {"name": "two"},
        "spec": {
            "parameters": [{"path": "spec.script.args[0]", "values": ["0.1", "0.9"]}],
            "search": "grid",
            "parallel": 2,
            "objective": {"metric": "accuracy", "goal": "maximize"},
            "stopping": {"rule": "halving", "after": 2, "factor": 2},
            "job": {"spec": {"storage": storage, "script": script}},
        },
    }
