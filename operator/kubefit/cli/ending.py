"""The last words of a local run: figures and places, or the first cause and its last lines."""

from collections import deque
from pathlib import Path

from kubefit.api.v1alpha1 import TrainingJob
from kubefit.cli import output, screen
from kubefit.client.local import LocalResult

_LAST_LINES = 20
_MODELS = {
    "model": "model.keras",
    "SavedModel": "saved_model/1",
    "LiteRT": "model.tflite",
    "ONNX": "model.onnx",
}


def print_success(job: TrainingJob, result: LocalResult) -> None:
    """Evaluation, and where model and logs are."""
    restarts = f" and {result.restarts} restarts" if result.restarts else ""
    screen.out(f"{job.metadata.name}: succeeded in {result.seconds:.0f} s{restarts}")
    for name, value in sorted(result.evaluation.items()):
        screen.out(f"  {f'{_of_what(job)} {name}':<18} {value:.4f}")
    if result.skipped_images:
        screen.out(f"  {'skipped images':<18} {result.skipped_images}")
    for warning in result.warnings:
        screen.out(f"  {'warning':<18} {warning}")
    for label, path in _places(result):
        screen.out(f"  {label:<18} {_short(path)}")


def print_failure(job: TrainingJob, result: LocalResult) -> None:
    """The first cause in one sentence, then what its worker printed last."""
    cause = result.failure
    message = cause.message if cause else "no worker told why"
    last = cause.details.splitlines() if cause and cause.details else _tail(result.log)
    rank = cause.rank if cause else 0
    for line in last[-_LAST_LINES:]:
        screen.note(output.prefixed(rank, line))
    screen.print_error(f"{job.metadata.name} failed: {message}", hint=f"see {_short(result.log)}")


def _of_what(job: TrainingJob) -> str:
    recipe = job.spec.recipe
    return "validation" if recipe is not None and recipe.samples.test is None else "test"


def _places(result: LocalResult) -> list[tuple[str, Path]]:
    export = Path(result.files.export)
    found = [(label, export / name) for label, name in _MODELS.items() if (export / name).exists()]
    page = Path(result.files.report) / "index.html"
    if page.exists():
        found.append(("report", page))
    if Path(result.files.tensorboard).exists():
        found.append(("TensorBoard logs", Path(result.files.tensorboard)))
    if result.skipped_images:
        found.append(("skipped", Path(result.files.skipped)))
    return [*found, ("result", Path(result.files.result))]


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _tail(log: Path) -> list[str]:
    try:
        with log.open(encoding="utf-8", errors="replace") as file:
            return [line.rstrip("\n") for line in deque(file, _LAST_LINES)]
    except OSError:
        return []
