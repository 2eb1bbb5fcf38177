"""The trainer of one worker with what its agent would give it; its argument is the job's folder."""

import json
import os
import sys
from pathlib import Path

from kubefit.api.names import Env
from kubefit_trainer.main import main

folder = Path(sys.argv[1])
rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
own = folder / f"worker-{rank}"
for name in ("memory", "files"):
    (own / name).mkdir(parents=True, exist_ok=True)
os.environ |= {
    Env.RUN_CONFIG: str(folder / "run.json"),
    Env.RANK: str(rank),
    Env.PROGRESS_FILE: str(own / "files" / "progress.json"),
    Env.FAILURE_FILE: str(own / "files" / "failure.json"),
    Env.SNAPSHOT_DIR: str(own / "memory"),
    "KERAS_BACKEND": "tensorflow",
}
main()
