"""What a recipe does in its own way for images, texts and recordings; all else is one sequence."""

from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from kubefit.api.recipe import Recipe
from kubefit_trainer.export.serving import Answers
from kubefit_trainer.images.decode import Pixels
from kubefit_trainer.recipe.images import Images
from kubefit_trainer.recipe.labelled import Inputs, Labelled
from kubefit_trainer.recipe.order import Shard
from kubefit_trainer.recipe.pairs.modality import Translation
from kubefit_trainer.recipe.readable import Group
from kubefit_trainer.recipe.speech.modality import Speech
from kubefit_trainer.recipe.text.modality import Text


class Modality(Protocol):
    """One kind of samples."""

    def open(
        self, name: str, *, volume: Path, group: Group, classes: list[str] | None
    ) -> tuple[Labelled, dict[str, str]]:
        """A set of samples: those that can be used, and the others by name with the reasons.

        `name` is `train`, `validation` or `test`; `classes` are those of the training set, absent
        for that set itself. All workers of the group must call it.

        Raises:
            ConfigurationError: the samples are missing or unusable.

        """

    def prepared(self, inputs: Inputs) -> Inputs:
        """The same with what is learned from the training samples before there is a network."""

    def build(self, strategy: tf.distribute.Strategy, *, volume: Path, classes: int) -> keras.Model:
        """The model, not compiled, with the same initial weights on every worker."""

    def training_batches(
        self,
        source: Labelled,
        samples: NDArray[np.int64],
        *,
        shard: Shard,
        weights: NDArray[np.float32] | None,
        start: int,
    ) -> tf.data.Dataset:
        """Endless batches of (inputs, targets[, weights]) from the global batch `start` on."""

    def evaluation_batches(
        self, source: Labelled, samples: NDArray[np.int64], *, shard: Shard
    ) -> tf.data.Dataset:
        """Batches of (inputs, targets) as they are, in fixed order, pass after pass."""

    def answering(self, model: keras.Model) -> keras.Model:
        """What gives the predictions that are judged; to be called in the scope of the strategy."""

    def for_export(self, model: keras.Model, source: Labelled) -> keras.Model:
        """The trained model for people to load, which takes samples as people have them."""

    def raw(self, source: Labelled, samples: NDArray[np.int64]) -> NDArray[Any]:
        """Samples as people have them: uint8 pixels, strings or amplitudes."""

    def answers(self, exported: keras.Model, source: Labelled) -> Answers | None:
        """What gives a text for each sample of a batch, where that is what samples are answered by.

        `exported` is the model for people to load.
        """

    def shown(self, source: Labelled, sample: int) -> Pixels | None:
        """The picture of a sample as the network sees it, where there is one."""


def of(recipe: Recipe) -> Modality:
    """That of a resolved recipe."""
    if recipe.writes:
        return Translation(recipe)
    kinds: dict[str, type[Images | Text | Speech]] = {
        "data": Images,
        "text": Text,
        "speech": Speech,
    }
    return kinds[recipe.subject](recipe)
