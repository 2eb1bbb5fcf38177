"""Pictures for TensorBoard after the evaluation: confusion matrix and worst mistakes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kubefit_trainer.evaluation import drawing
from kubefit_trainer.evaluation.drawing import Pixels
from kubefit_trainer.evaluation.findings import Evaluation, Mistake

RUN = "evaluation"
"""Folder beside those of training and validation."""


def write(
    folder: Path,
    evaluation: Evaluation,
    mistakes: Sequence[tuple[Mistake, Sequence[Pixels]]],
    *,
    step: int,
) -> None:
    """Writes them as of an epoch; each mistake comes with its pictures."""
    writer = tf.summary.create_file_writer(str(folder / RUN))
    with writer.as_default(step=step):
        matrix = drawing.matrix(evaluation)
        if matrix is not None:
            tf.summary.image("confusion matrix", matrix[None])
        for number, (mistake, pictures) in enumerate(mistakes, start=1):
            shown = drawing.mistake(mistake, pictures)
            about = f"{mistake.image}: {mistake.actual}, predicted {mistake.predicted}"
            name = f"worst mistakes/{number:02}"
            tf.summary.image(name, np.asarray(shown)[None], description=about)
    writer.close()
