"""Seconds from the start of an agent's process until it answers, as after pulling the image.

    python bench/agent_start.py [--rounds 10]

The agent waits for a second worker that never comes, so TensorFlow has no part in it.
Byte code is there, as in the images. Prints one JSON object: the median of the wall time, and of
the processor time, which other programs on the machine disturb less.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kubefit.api.contract import RunConfig
from kubefit.api.names import Env
from kubefit.client.gang import HOST, free_ports


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--rounds", type=int, default=10)
    rounds = made.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        start(Path(folder))
        found = [start(Path(folder)) for _ in range(rounds)]
    wall, processor = (statistics.median(column) for column in zip(*found, strict=True))
    measured = {"seconds": round(wall, 3), "processor_seconds": round(processor, 3)}
    print(json.dumps({"bench": "agent_start", "rounds": rounds, **measured}))


def start(folder: Path) -> tuple[float, float]:
    """Wall and processor time of one agent until its first answer."""
    ports = free_ports(2)
    config = RunConfig.model_validate(
        {
            "namespace": "bench",
            "name": "start",
            "workers": 2,
            "hosts": HOST,
            "agentPorts": ports,
            "volumeDir": str(folder),
            "jobDir": str(folder / "job"),
            "script": {"inline": "pass"},
        }
    )
    (folder / "run.json").write_text(config.model_dump_json(by_alias=True))
    (folder / "token").write_text("token")
    environment = {
        Env.RUN_CONFIG: str(folder / "run.json"),
        Env.TOKEN_FILE: str(folder / "token"),
        Env.OUTCOME_FILE: str(folder / "outcome"),
        Env.RANK: "0",
        "PYTHONPYCACHEPREFIX": str(folder / "byte-code"),
        "PYTHONDONTWRITEBYTECODE": "",
    }
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "kubefit_trainer.agent"],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as agent:
        answered(agent, ports[0])
        wall = time.perf_counter() - begun
        processor = used(agent.pid)
        agent.kill()
    return wall, processor


def answered(agent: "subprocess.Popen[bytes]", port: int) -> None:
    """Returns once the agent has answered."""
    while True:
        if agent.poll() is not None:
            sys.exit(f"the agent ended with {agent.returncode} before it answered")
        connection = http.client.HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        except OSError:
            time.sleep(0.005)
        finally:
            connection.close()


def used(process: int) -> float:
    """Seconds of processors that it has used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
