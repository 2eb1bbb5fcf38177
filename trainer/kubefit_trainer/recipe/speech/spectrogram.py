"""What the network hears: mel spectrograms by the layer that is exported with it, and stripes."""

import keras
import numpy as np
from numpy.typing import NDArray

from kubefit.api.recipe import SpecAugment, Speech
from kubefit_trainer.images.randomness import Stream, uniforms

LAYER = "spectrogram"
_WINDOW_SECONDS = 0.025
_QUIETEST = 1e-6
"""Power below which nothing is told apart."""
_WHOLE_RANGE = 1000.0
"""Decibels. Keras takes them from the loudest of a whole batch, which would depend on the batch."""


def layer(speech: Speech) -> keras.layers.MelSpectrogram:
    """The layer from amplitudes (batch, length) to decibels (batch, mels, columns)."""
    window = round(_WINDOW_SECONDS * speech.sample_rate)
    return keras.layers.MelSpectrogram(
        fft_length=2 ** (window - 1).bit_length(),
        sequence_length=window,
        sequence_stride=speech.step,
        sampling_rate=speech.sample_rate,
        num_mel_bins=speech.mels,
        min_power=_QUIETEST,
        top_db=_WHOLE_RANGE,
        dtype="float32",
        name=LAYER,
    )


def striped(
    spectrograms: NDArray[np.float32],
    spec: SpecAugment,
    samples: NDArray[np.int64],
    *,
    seed: int,
    epoch: int,
) -> NDArray[np.float32]:
    """The same (batch, mels, columns) with stripes of their mean, by (seed, epoch, sample)."""
    found = spectrograms.copy()
    masks = spec.time_masks + spec.frequency_masks
    draws = uniforms(samples, 2 * masks, stream=Stream.STRIPES, seed=seed, epoch=epoch)
    _, mels, length = found.shape
    for one, drawn in zip(found, draws.reshape(len(samples), masks, 2), strict=True):
        mean = one.mean()
        for mask, (width, place) in enumerate(drawn):
            of_time = mask < spec.time_masks
            size, share = (length, spec.time_share) if of_time else (mels, spec.frequency_share)
            wide = int(width * (share * size + 1))
            first = int(place * (size - wide + 1))
            stripe = slice(first, first + wide)
            one[(slice(None), stripe) if of_time else stripe] = mean
    return found
