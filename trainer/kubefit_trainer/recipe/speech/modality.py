"""Recipes of recordings."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import OnUnreadable, Recipe, SpeechRecipe, known_as
from kubefit_trainer import keras_multiworker
from kubefit_trainer.preflight import transcripts
from kubefit_trainer.preflight.pictures import UnreadableError
from kubefit_trainer.recipe import cpus
from kubefit_trainer.recipe import network as networks
from kubefit_trainer.recipe.labelled import Inputs, Labelled
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.readable import Group, readable
from kubefit_trainer.recipe.speech import network, spectrogram
from kubefit_trainer.recipe.speech.recordings import Recordings, open_recordings
from kubefit_trainer.recipe.speech.transcribed import (
    open_transcribed,
    transcribed,
    with_alphabet,
)
from kubefit_trainer.recipe.streams import Make, Stream, Streamed


class Speech(Streamed):
    """A `Modality`."""

    _recipe: SpeechRecipe

    def __init__(self, recipe: Recipe) -> None:
        """Of a recipe with `speech`."""
        self._recipe = known_as(SpeechRecipe, recipe)

    def open(
        self, name: str, *, volume: Path, group: Group, classes: list[str] | None
    ) -> tuple[Labelled, dict[str, str]]:
        """Listens to each recording once, shared out over the workers."""
        speech = self._recipe.speech
        field = f"spec.recipe.speech.{name}"
        given = getattr(speech, name)
        if speech.transcription is not None:
            source: Recordings = open_transcribed(given, speech, volume=volume, field=field)
        else:
            source = open_recordings(given, speech, volume=volume, field=field, classes=classes)
        kept, faults = readable(source, group)
        if faults and speech.on_unreadable is OnUnreadable.FAIL:
            raise UnreadableError(faults, field=source.field, what="recording")
        return kept, faults

    def prepared(self, inputs: Inputs) -> Inputs:
        """Numbers the characters of transcripts; classes have theirs already."""
        if self._recipe.speech.transcription is None:
            return inputs
        found = with_alphabet(inputs)
        alphabet = found.train.source.classes
        print(f"alphabet={len(alphabet) - 1} characters", flush=True)
        for source in found.sources():
            if strange := transcripts.unknown(transcribed(source).texts, alphabet):
                print(f"{transcribed(source).field}: {strange}", flush=True)
        return found

    def for_export(self, model: keras.Model, source: Labelled) -> keras.Model:
        """The network behind the spectrogram: from amplitudes (batch, samples)."""
        speech = self._recipe.speech
        waves = keras.Input((_recordings(source).length,), name="wave")
        heard = networks.uncompiled(model)(spectrogram.layer(speech)(waves))
        return networks.for_export(keras.Model(waves, heard), self._recipe)

    def raw(self, source: Labelled, samples: NDArray[np.int64]) -> NDArray[np.float32]:
        """Amplitudes."""
        return np.stack([_recordings(source).wave(sample) for sample in samples.tolist()])

    def shown(self, source: Labelled, sample: int) -> None:
        """Nothing."""

    def _network(self, classes: int) -> keras.Model:
        return network.build(self._recipe, classes=classes)

    def _stream(self, source: Labelled, samples: NDArray[np.int64], shard: Shard) -> Stream:
        speech = self._recipe.speech
        return Stream(
            source=source,
            samples=samples,
            recipe=self._recipe,
            shard=shard,
            make=self._make(_recordings(source)),
            shape=(speech.mels, speech.columns),
            dtype=tf.float32,
        )

    def _make(self, source: Recordings) -> Make:
        speech, seed = self._recipe.speech, self._recipe.training.seed
        with keras_multiworker.outside_strategy():
            layer = spectrogram.layer(speech)
        pool = ThreadPoolExecutor(cpus.threads(), thread_name_prefix="recordings")

        def make(samples: NDArray[np.int64], epoch: int | None) -> NDArray[Any]:
            waves = np.stack(list(pool.map(source.wave, samples.tolist())))
            with tf.device("CPU"):
                heard = np.asarray(layer(waves), np.float32)
            if epoch is None or speech.spec_augment is None:
                return heard
            return spectrogram.striped(heard, speech.spec_augment, samples, seed=seed, epoch=epoch)

        return make


def _recordings(source: Labelled) -> Recordings:
    if not isinstance(source, Recordings):
        raise TypeError(f"{type(source).__name__} is no set of recordings")
    return source
