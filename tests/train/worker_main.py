"""One worker of a group: runs the scenarios of a file and leaves their results.

    worker_main.py SCENARIOS.py DIRECTORY [NAMES,...]

A scenario is a function `scenario_<name>(directory)`; `directory` is shared by the group.
"""

import importlib.util
import pickle
import sys
import time
from pathlib import Path

from kubefit_trainer import keras_multiworker


def main() -> None:
    scenarios, directory = Path(sys.argv[1]), Path(sys.argv[2])
    wanted = [name for name in sys.argv[3].split(",") if name] if len(sys.argv) > 3 else []
    with keras_multiworker.start():
        sys.path.insert(0, str(scenarios.parent))
        spec = importlib.util.spec_from_file_location(scenarios.stem, scenarios)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        names = [name for name in vars(module) if name.startswith("scenario_")]
        results = {}
        for name in names:
            short = name.removeprefix("scenario_")
            if wanted and short not in wanted:
                continue
            begun = time.monotonic()
            print(f"===== {short}", flush=True)
            results[short] = getattr(module, name)(directory)
            print(f"===== {short}: {time.monotonic() - begun:.1f} s", flush=True)
    path = directory / f"result-{keras_multiworker.rank()}.pickle"
    path.write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
