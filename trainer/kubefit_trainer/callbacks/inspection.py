"""What `spec.tensorboard` asks the chief to write beside curves."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kubefit.api.contract import JobFiles, RunConfig
from kubefit_trainer.callbacks.histograms import HistogramFile
from kubefit_trainer.callbacks.profile import Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """That of one process, over all of its calls of `fit`; nothing by default."""

    histograms: HistogramFile | None = None
    tracer: Tracer | None = None


NOTHING = Inspection()


def asked(config: RunConfig) -> Inspection:
    """What the job asks for, written to its folder for TensorBoard."""
    folder = Path(JobFiles(PurePosixPath(config.job_dir)).tensorboard)
    histograms, profile = config.histograms, config.profile
    return Inspection(
        histograms=HistogramFile(folder, every_epochs=histograms.every_epochs)
        if histograms
        else None,
        tracer=Tracer(folder, first=profile.steps[0], last=profile.steps[1]) if profile else None,
    )
