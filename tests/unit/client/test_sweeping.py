"""Sweeps carried out on a cluster whose trainings are made up, and on this machine."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from kubefit import ClientError, TrainingClient
from kubefit.cli import app
from kubefit.client.on_cluster import OnCluster
from kubefit.client.refusals import NotFoundError
from kubefit.client.sweeping import read_sweep, run_sweep
from kubefit.sweep import State, Trial, child, values_of

RATES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
EPOCHS = 4


def document(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubefit.dev/v1alpha1",
        "kind": "Sweep",
        "metadata": {"name": "rates"},
        "spec": {
            "search": "grid",
            "parameters": [{"path": "spec.script.args[0]", "values": RATES}],
            "objective": {"metric": "accuracy", "goal": "maximize"},
            "job": {
                "spec": {
                    "storage": {"claim": "training"},
                    "script": {"path": "missing.py", "args": ["0"]},
                }
            },
            **spec,
        },
    }


class World:
    """Trains what is on the cluster by an epoch a step; the accuracy is the rate."""

    def __init__(self, stored) -> None:
        self.stored = stored
        self.most = 0
        self.broken: set[str] = set()

    def step(self, trials: list[Trial]) -> None:
        running = 0
        for name, job in self.stored.jobs.items():
            if job["spec"].get("runPolicy", {}).get("suspend"):
                self.stored.end(name, "Suspended")
                self.stored.logs.pop(name, None)
            elif job["status"].get("phase") not in ("Succeeded", "Failed"):
                running += 1
                self._train(name, job)
        self.most = max(self.most, running)

    def _train(self, name: str, job: dict[str, Any]) -> None:
        if name in self.broken:
            self.stored.end(name, "Failed", failure={"reason": "UserError", "message": "broken"})
            return
        lines = self.stored.logs.get(name, "")
        epoch = lines.count("\n") + 1
        rate = job["spec"]["script"]["args"][0]
        self.stored.logs[name] = f"{lines}epoch={epoch}/{EPOCHS} loss=1 accuracy={rate}\n"
        phase = "Succeeded" if epoch == EPOCHS else "Running"
        self.stored.end(name, phase, progress={"epoch": min(epoch + 1, EPOCHS)})


def run(stored, world: World, given: dict[str, Any], on_trials=None) -> list[Trial]:
    client = TrainingClient(kubeconfig=stored.kubeconfig)
    sweep = read_sweep("sweep.yaml", given)
    return run_sweep(sweep, client.backend, on_trials=on_trials or world.step, poll_seconds=0.001)


def test_all_trials_run_a_few_at_a_time_and_the_best_is_found(stored):
    world = World(stored)
    client = TrainingClient(kubeconfig=stored.kubeconfig)
    seen: list[Any] = []

    def look(trials) -> None:
        world.step(trials)
        seen.append(trials)

    result = client.sweep(document(parallel=2), on_trials=look)
    assert [trial.state for trial in result.trials] == [State.SUCCEEDED] * len(RATES)
    assert world.most == 2
    assert stored.submitted == [f"rates-{n}" for n in range(len(RATES))]
    assert result.best is not None
    assert (result.best.name, result.best.value, result.best.epochs) == ("rates-5", 0.6, EPOCHS)
    assert len(seen[0]) == len(RATES)


def test_losers_are_suspended_with_their_curve_and_the_reason(stored):
    stopping = {"rule": "halving", "after": 2, "factor": 3}
    trials = run(stored, World(stored), document(parallel=6, stopping=stopping))
    stopped = [trial for trial in trials if trial.state is State.STOPPED]
    assert [trial.number for trial in stopped] == [0, 1, 2, 3]
    for trial in stopped:
        job = stored.jobs[f"rates-{trial.number}"]
        assert job["spec"]["runPolicy"]["suspend"] is True
        assert "of which 2 go on" in job["metadata"]["annotations"]["kubefit.dev/sweep-stopped"]
        assert trial.curve == {1: RATES[trial.number], 2: RATES[trial.number]}


def test_an_interrupted_sweep_goes_on_without_losing_or_doubling_anything(stored):
    world = World(stored)
    given = document(parallel=2, stopping={"rule": "median", "after": 1})
    looks = 0
    trials: list[Trial] | None = None
    for until in (2, 3, 5, 9, 100):
        left = until

        def look(found: list[Trial]) -> None:
            nonlocal left, looks
            world.step(found)
            left, looks = left - 1, looks + 1
            if left == 0:
                raise KeyboardInterrupt

        try:
            trials = run(stored, world, given, look)
        except KeyboardInterrupt:
            continue
    assert trials is not None
    assert sorted(stored.submitted) == [f"rates-{n}" for n in range(len(RATES))]
    over = [trial for trial in trials if trial.state in (State.SUCCEEDED, State.STOPPED)]
    assert len(over) == len(RATES)
    assert trials == run(stored, world, given)


def test_what_a_trial_has_shown_outlives_its_pods(stored):
    world = World(stored)
    before = run(stored, world, document(parallel=3))
    stored.logs.clear()
    assert run(stored, world, document(parallel=3)) == before


def test_trials_that_fail_are_told_and_the_others_go_on(stored):
    world = World(stored)
    world.broken = {"rates-5"}
    trials = run(stored, world, document(parallel=3))
    assert (trials[5].state, trials[5].note) == (State.FAILED, "broken")
    assert [trial.state for trial in trials[:5]] == [State.SUCCEEDED] * 5


def test_a_sweep_whose_trials_all_fail_ends_early(stored):
    world = World(stored)
    world.broken = {f"rates-{n}" for n in range(6)}
    trials = run(stored, world, document(maxFailed=1))
    assert [trial.state for trial in trials[:3]] == [State.FAILED, State.FAILED, State.WAITING]


def test_an_objective_that_nothing_measures_ends_the_sweep_with_what_is_measured(stored):
    given = document(objective={"metric": "val_accuracy", "goal": "maximize"})
    with pytest.raises(ClientError, match="val_accuracy is not among what rates-0 measures: loss,"):
        run(stored, World(stored), given)


def test_epochs_without_the_objective_are_passed_over(stored):
    class Seldom(World):
        """Measures the accuracy in the last epoch alone."""

        def _train(self, name: str, job: dict[str, Any]) -> None:
            super()._train(name, job)
            *first, last = self.stored.logs[name].splitlines()
            if last.startswith(f"epoch={EPOCHS}/"):
                first = [line.partition(" accuracy")[0] for line in first]
            else:
                last = last.partition(" accuracy")[0]
            self.stored.logs[name] = "".join(f"{line}\n" for line in [*first, last])

    trials = run(stored, Seldom(stored), document(parallel=3))
    assert [trial.curve for trial in trials] == [{EPOCHS: rate} for rate in RATES]


def test_a_trial_keeps_what_it_has_shown_when_its_pod_is_lost_or_replaced(stored, monkeypatch):
    """The second epoch ends with the pod; the next one begins its output anew."""

    class Moving(World):
        def __init__(self, stored) -> None:
            super().__init__(stored)
            self.epoch = 0

        def _train(self, name: str, job: dict[str, Any]) -> None:
            self.epoch += 1
            self.stored.logs[name] = f"epoch={self.epoch}/4 accuracy={self.epoch}\n"
            phase = "Succeeded" if self.epoch == EPOCHS else "Running"
            self.stored.end(name, phase, progress={"epoch": self.epoch + 1})

    logs = OnCluster.logs
    world = Moving(stored)

    def lost(self: OnCluster, name: str, **options: Any):
        if world.epoch == 2:
            raise NotFoundError("pods rates-0-0 not found")
        return logs(self, name, **options)

    monkeypatch.setattr(OnCluster, "logs", lost)
    one = [{"path": "spec.script.args[0]", "values": [0.1]}]
    (trial,) = run(stored, world, document(parameters=one))
    assert trial.state is State.SUCCEEDED
    assert trial.curve == {1: 1.0, 3: 3.0, 4: 4.0}


def test_a_program_that_prints_nothing_is_judged_by_its_last_status(stored):
    def end(trials: list[Trial]) -> None:
        for name, job in stored.jobs.items():
            rate = float(job["spec"]["script"]["args"][0])
            progress = {"epoch": 4, "loss": 1.0, "metrics": {"accuracy": rate}}
            stored.end(name, "Succeeded", progress=progress)

    trials = run(stored, World(stored), document(), end)
    assert [trial.curve for trial in trials] == [{4: rate} for rate in RATES]


def test_a_sweep_goes_on_with_another_objective(stored):
    world = World(stored)
    run(stored, world, document(parallel=6))
    given = document(objective={"metric": "loss", "goal": "minimize"})
    assert {trial.curve[EPOCHS] for trial in run(stored, world, given)} == {1.0}
    assert sorted(stored.submitted) == [f"rates-{n}" for n in range(len(RATES))]


def test_trials_of_another_sweep_of_that_name_are_left_alone(stored):
    world = World(stored)
    run(stored, world, document())
    other = document(parameters=[{"path": "spec.script.args[0]", "values": [7, 8]}])
    with pytest.raises(ClientError, match=r"rates-\d is of a sweep rates with other parameters"):
        run(stored, world, other)


def test_more_values_at_the_end_of_a_grid_make_more_trials_only(stored):
    world = World(stored)
    run(stored, world, document())
    more = document(parameters=[{"path": "spec.script.args[0]", "values": [*RATES, 0.7]}])
    assert len(run(stored, world, more)) == 7
    assert stored.submitted[6:] == ["rates-6"]


def test_trials_that_a_file_has_no_more_are_told(stored):
    run(stored, World(stored), document())
    fewer = document(parameters=[{"path": "spec.script.args[0]", "values": RATES[:3]}])
    with pytest.raises(ClientError, match=r"rates-3 is a trial .* with more than 3 trials") as told:
        run(stored, World(stored), fewer)
    assert "may only become more" in told.value.hint


def test_the_command_prints_one_table_with_the_best(stored, tmp_path: Path):
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(document()))
    run(stored, World(stored), document())
    ask = [app, ["sweep", str(file), "--kubeconfig", str(stored.kubeconfig)]]
    done = CliRunner().invoke(*ask)
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["TRIAL", "STATE", "args[0]", "EPOCHS", "accuracy"]
    assert rows[6] == ["rates-5", "Succeeded", "0.6", "4", "0.6", "*"]
    assert done.stdout.splitlines()[-1] == "best: rates-5, accuracy 0.6"
    ask[1] += ["-o", "json"]
    told = json.loads(CliRunner().invoke(*ask).stdout)
    assert [trial["best"] for trial in told] == [False] * 5 + [True]
    assert told[0]["values"] == {"spec.script.args[0]": 0.1}


def test_a_dry_run_shows_the_trials_and_submits_none(stored, tmp_path: Path):
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(document()))
    done = CliRunner().invoke(
        app, ["sweep", str(file), "--dry-run", "--kubeconfig", str(stored.kubeconfig)]
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.count("Waiting") == len(RATES)
    assert stored.jobs == {}


def test_a_sweep_on_this_machine_tells_what_became_of_its_trials(tmp_path: Path):
    file = tmp_path / "sweep.yaml"
    parameters = [{"path": "spec.script.args[0]", "values": RATES[:2]}]
    file.write_text(yaml.safe_dump(document(parameters=parameters, parallel=2)))
    runs = tmp_path / "runs"
    done = CliRunner().invoke(app, ["sweep", str(file), "--local", "--runs-dir", str(runs)])
    assert done.exit_code == 1
    assert "rates-1 Failed: spec.script.path: " in done.stderr
    assert done.stdout.count("Failed") == 2


def test_a_local_trial_that_was_interrupted_is_started_again(tmp_path: Path):
    given = document(parameters=[{"path": "spec.script.args[0]", "values": [0.1]}])
    given["spec"]["job"]["spec"]["script"] = {"inline": "print(1)", "args": ["0"]}
    sweep = read_sweep("s", given)
    with TrainingClient("local", runs_dir=tmp_path) as client:
        client.submit(child(sweep, 0, values_of(sweep)[0]))
    states: list[State] = []

    def look(trials: list[Trial]) -> None:
        states.append(trials[0].state)
        if len(states) == 2:
            raise KeyboardInterrupt

    with TrainingClient("local", runs_dir=tmp_path) as client, pytest.raises(KeyboardInterrupt):
        run_sweep(sweep, client.backend, on_trials=look, poll_seconds=0.001)
    assert states == [State.WAITING, State.RUNNING]
