"""Reliability: of predictions that are 80 % sure, about 80 % should be right."""

import numpy as np
from numpy.typing import NDArray

from kubefit_trainer.evaluation.chunks import chunks
from kubefit_trainer.evaluation.findings import Bin, Calibration

BINS = 10


def calibration(
    confidence: NDArray[np.floating], right: NDArray[np.bool_], *, bins: int = BINS
) -> Calibration:
    """Reliability in bins of equal width; `confidence` from 0 to 1."""
    counts, sure, hits = np.zeros(bins, np.int64), np.zeros(bins), np.zeros(bins)
    for rows in chunks(len(confidence)):
        number = np.clip(np.ceil(confidence[rows] * bins).astype(np.int64) - 1, 0, bins - 1)
        counts += np.bincount(number, minlength=bins)
        sure += np.bincount(number, weights=confidence[rows], minlength=bins)
        hits += np.bincount(number, weights=right[rows], minlength=bins)
    found = [
        Bin(
            lower=i / bins,
            upper=(i + 1) / bins,
            predictions=int(counts[i]),
            confidence=float(sure[i] / counts[i]),
            share=float(hits[i] / counts[i]),
        )
        for i in range(bins)
        if counts[i]
    ]
    error = float(np.abs(sure - hits).sum() / max(1, len(confidence)))
    return Calibration(expected_error=error, bins=found)
