"""Answers what the agents of all trainers answer: a chief trains.

    python bench/fake_agents.py [--progress]

With `--progress` it is a step farther each time.
"""

import argparse
import asyncio
import time

from aiohttp import web

from kubefit.api.contract import AGENT_PORT, AgentPhase, TrainerPhase, TrainerReport, WorkerStatus


async def _serve(progress: bool) -> None:
    begun = time.time()

    async def status(_: web.Request) -> web.Response:
        now = time.time()
        steps = {
            "epoch": 1,
            "epochs": 10,
            "steps_per_epoch": 100_000,
            "loss": 1 / (1 + now - begun),
        }
        moved = {**steps, "step": int(10 * (now - begun)), "updated": now} if progress else {}
        report = TrainerReport(phase=TrainerPhase.TRAINING, **{"updated": begun, **moved})
        chief = WorkerStatus(rank=0, workers=4, attempt=1, phase=AgentPhase.RUNNING, report=report)
        return web.Response(
            text=chief.model_dump_json(by_alias=True), content_type="application/json"
        )

    app = web.Application()
    app.add_routes([web.get("/status", status)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", AGENT_PORT).start()
    await asyncio.Event().wait()


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--progress", action="store_true")
    asyncio.run(_serve(made.parse_args().progress))


if __name__ == "__main__":
    main()
