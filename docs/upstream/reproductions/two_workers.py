"""python two_workers.py REPRODUCTION.py: runs it as two workers here, for a minute at most."""

import json
import os
import subprocess
import sys

PORTS = (23456, 23457)
CLUSTER = {"worker": [f"127.0.0.1:{port}" for port in PORTS]}


def start(index):
    config = {"cluster": CLUSTER, "task": {"type": "worker", "index": index}}
    environment = {**os.environ, "TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": "-1"}
    return subprocess.Popen([sys.executable, *sys.argv[1:]], env=environment)


workers = [start(index) for index in range(2)]
for index, worker in enumerate(workers):
    try:
        print(f"worker {index} ended with exit code {worker.wait(60)}")
    except subprocess.TimeoutExpired:
        print(f"worker {index} hangs")
        worker.kill()
