"""Going on from a snapshot: the model has its state again, and the counts go on."""

import sys
from typing import Any

from kubefit_trainer.callbacks.epochs import last_number
from kubefit_trainer.callbacks.reporter import Reporter
from kubefit_trainer.checkpoints.keeper import Keeper
from kubefit_trainer.checkpoints.snapshot import Snapshot
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.keras_multiworker import cluster, model_state


def restore_model(model: Any, resume: Snapshot) -> None:
    """Gives a model the weights of a snapshot, and those of its optimizer.

    Raises:
        ConfigurationError: it is another model.

    """
    states = sum(key.startswith("optimizer/") for key in resume.arrays)
    if states > len(model.optimizer.variables):
        # The one that a model with optimizers of its own never uses is never built.
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
    try:
        model_state.check(model, resume.arrays, resume.names)
    except model_state.OtherModelError as error:
        raise ConfigurationError(
            f"the checkpoint of step {resume.place.step} is that of another model: {error};"
            " set spec.checkpoint.resume to false (kubefit run --fresh) to begin anew"
        ) from error
    model_state.restore(model, resume.arrays)


def restore_counts(
    reporter: Reporter, keeper: Keeper, resume: Snapshot, *, within: int = 0
) -> None:
    """Steps and samples that were told before; less those of an epoch that counts its own."""
    place = resume.place
    reporter.epochs = last_number(epoch for fit in resume.histories for epoch in fit["epoch"])
    step = place.step
    reporter.update(step=step - within, examples=place.examples, resumed_from=step)
    keeper.begin_at(place.step)


def say(message: str) -> None:
    """Tells people, by the chief's log."""
    if cluster.member().chief:
        print(f"kubefit: {message}", file=sys.stderr, flush=True)
