"""One worker of a group: runs the scenarios of a file and leaves their results.

    worker_main.py SCENARIOS.py DIRECTORY [NAMES,...]

A scenario is a function `scenario_<name>(directory)`; `directory` is shared by the group.
"""

import importlib.util
import os
import pickle
import sys
import time
import traceback
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
        results, failed = {}, []
        for name in names:
            short = name.removeprefix("scenario_")
            if wanted and short not in wanted:
                continue
            begun = time.monotonic()
            print(f"===== {short}", flush=True)
            try:
                results[short] = getattr(module, name)(directory)
            except Exception:
                if os.environ.get("RAISE"):
                    raise
                # The others fail alike or wait in vain; either way the group fails with this.
                traceback.print_exc()
                failed.append(short)
            print(f"===== {short}: {time.monotonic() - begun:.1f} s", flush=True)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    path = directory / f"result-{keras_multiworker.rank()}.pickle"
    path.write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main()
