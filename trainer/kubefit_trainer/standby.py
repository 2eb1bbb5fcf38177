"""A trainer in waiting: imports what training needs, then waits for the environment to train in.

Started by the agent with `spec.runPolicy.warmSpare`. No context of TensorFlow is made here: no
thread pool has a size yet, and no accelerator is touched. One line of JSON on standard input makes
it the trainer; its end makes it leave.
"""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.names import Env
from kubefit_trainer import lifeline


def main() -> None:
    """Imports, waits, trains."""
    lifeline.watch(lambda: os.killpg(0, signal.SIGKILL))
    config = RunConfig.model_validate_json(Path(os.environ[Env.RUN_CONFIG]).read_bytes())
    _import(config)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(json.loads(line))
    from kubefit_trainer import main as trainer

    trainer.main()


def _import(config: RunConfig) -> None:
    # What cannot be imported is told by the trainer, which imports it again.
    with contextlib.suppress(Exception):
        from kubefit_trainer import classify, runtimes  # noqa: F401

        runtimes.load(config.runtime)
        if config.recipe is not None:
            from kubefit_trainer import recipe  # noqa: F401


if __name__ == "__main__":
    main()
