"""One training from data to export, alike on every worker; only the chief writes.

Knows the sequence and nothing else: data, model, fit, evaluation, export, report.
"""

import json
import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import keras
import tensorflow as tf
import yaml

from kubefit.api.contract import JobFiles, RunConfig, TrainerPhase
from kubefit.api.recipe import (
    AUTO,
    OnUnreadable,
    Optimizer,
    Phase,
    Recipe,
    Schedule,
    ScheduleKind,
    resolve,
)
from kubefit_trainer import keras_multiworker
from kubefit_trainer.callbacks import progress, samples
from kubefit_trainer.export import formats, saved
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.recipe import (
    batch_size,
    modality,
    network,
    predictions,
    range_test,
    reporting,
    trial,
)
from kubefit_trainer.recipe.curves import Curves
from kubefit_trainer.recipe.epoch_log import EpochLog
from kubefit_trainer.recipe.inputs import evaluation_dataset, open_inputs, training_dataset
from kubefit_trainer.recipe.labelled import Chosen, Inputs
from kubefit_trainer.recipe.readable import Group
from kubefit_trainer.recipe.schedules import Rate
from kubefit_trainer.recipe.sources import Source
from kubefit_trainer.recipe.waiting import Waiting
from kubefit_trainer.recipe.watching import AverageWeights, Plateau, StopEarly
from kubefit_trainer.report import write_text

_EXPORT_SAMPLES = 8
_EXPORT_TEXTS = 2
"""Of models that write texts, which give a probability for each token at each place."""
_EXPORT, _EXPORT_SECONDS = "the end of the export", 24 * 3600.0
"""A large model on a slow volume: longer than workers wait for each other to begin predictions."""
_NAMED = 10
"""Skipped samples that are named on the log."""
_PHASE_STRIDE = 1_000_003
_BATCH, _RATES = "globalBatchSize", "learningRates"
"""Numbers in place of `auto`, as they are kept; rates by the number of the phase."""


def run(
    config: RunConfig,
    rank: int,
    strategy: tf.distribute.Strategy,
    *,
    tell: Callable[..., None] = lambda **changes: None,
    found: dict[str, Any] | None = None,
    initial: Callable[[keras.Model], None] = lambda model: None,
) -> None:
    """Trains, evaluates and exports what `config.recipe` describes.

    To be called on every worker, outside the scope of `strategy`: the chief reloads the exported
    model alone, and a variable made in the scope would wait for all the others. `tell` is given
    fields of the `TrainerReport`. `found` is kept with the state of training: what is in it already
    was found out before this process began, and is not searched again. `initial` gives the model
    weights of an earlier training.

    Raises:
        ConfigurationError: the data or the weights cannot be used.

    """
    recipe = config.recipe
    if recipe is None:
        raise ValueError("the run configuration has no recipe")
    if tf.distribute.has_strategy():
        raise RuntimeError("a recipe is to be run outside the scope of the strategy")
    volume = Path(config.volume_dir)
    files = JobFiles(PurePosixPath(config.job_dir))
    exchange = partial(keras_multiworker.texts_of_all, what="the look at all images")
    group = Group(rank=rank, workers=config.workers, exchange=exchange)
    inputs = open_inputs(resolve(recipe), volume, group)
    recipe = resolve(recipe, validates=inputs.validation is not None)
    tell(skipped_images=len(inputs.skipped))
    if rank == 0 and recipe.samples.on_unreadable is OnUnreadable.SKIP:
        _tell_skipped(inputs.skipped, Path(files.skipped))

    def record(found: Recipe) -> None:
        if rank == 0:
            write_resolved(found, Path(files.recipe))

    warnings: list[str] = []

    def warn(text: str) -> None:
        print(text, flush=True)
        warnings[:] = reporting.with_warning(warnings, text)
        tell(warnings=list(warnings))

    record(recipe)
    if rank == 0:
        for kind, packages in formats.lacking(recipe.export.formats).items():
            print(formats.lacks(kind, packages), flush=True)
        shutil.rmtree(files.report, ignore_errors=True)
    model = build(recipe, strategy, volume=volume, classes=len(inputs.train.source.classes))
    initial(model)
    found = {} if found is None else found
    with _unreadable_explained(inputs):
        recipe = settled(model, recipe, inputs, strategy=strategy, found=found)
        record(recipe)
        waiting = Waiting()
        callbacks = [waiting, *_chief_callbacks(recipe, inputs, files)] if rank == 0 else []
        logs = fit(
            model,
            recipe,
            inputs,
            strategy=strategy,
            callbacks=callbacks,
            record=record,
            found=found,
        )
        loss, predicted, chosen, exports = math.nan, None, inputs.evaluation, None
        if chosen is not None:
            loss = evaluate(model, recipe, chosen, strategy=strategy)["loss"]
        if rank == 0:
            # Before the report: the model is there, whatever its predictions come to.
            tell(phase=TrainerPhase.EXPORTING)
            exports = _export(model, recipe, inputs.train, Path(files.export))
        if chosen is not None:
            keras_multiworker.text_from_chief("done", _EXPORT, timeout_seconds=_EXPORT_SECONDS)
            predicted = predictions.predicted(model, recipe, chosen, strategy=strategy, warn=warn)
    for source in inputs.sources():
        if isinstance(source, Source) and source.cache is not None:
            print(source.cache, flush=True)
    if exports is not None:
        exported = exports.finish()
        for text in saved.warnings_of(exported):
            warn(text)
        reporting.write_or_warn(
            Path(files.report),
            warn,
            export=Path(files.export),
            exported=exported,
            model=model,
            # What fitted in memory when a replica trained on it.
            explained_at_once=math.ceil(
                recipe.training.images_per_step / strategy.num_replicas_in_sync
            ),
            tensorboard=Path(files.tensorboard),
            job=config.name,
            workers=config.workers,
            recipe=recipe,
            inputs=inputs,
            volume=volume,
            logs=logs,
            waiting=waiting,
            loss=loss,
            predicted=predicted,
        )


def build(
    recipe: Recipe, strategy: tf.distribute.Strategy, *, volume: Path, classes: int
) -> keras.Model:
    """The model, with the same initial weights on every worker."""
    return modality.of(recipe).build(strategy, volume=volume, classes=classes)


def settled(
    model: keras.Model,
    recipe: Recipe,
    inputs: Inputs,
    *,
    strategy: tf.distribute.Strategy,
    found: dict[str, Any] | None = None,
) -> Recipe:
    """The resolved recipe with a number in place of `globalBatchSize: auto`.

    It is found for the phase in which most of the network learns.
    """
    if recipe.training.global_batch_size != AUTO:
        return recipe
    found = {} if found is None else found
    if _BATCH in found:
        return batch_size.sized(recipe, found[_BATCH])

    def prepared(phase: Phase) -> int:
        still = {"learning_rate": range_test.FALLBACK, "schedule": Schedule()}
        with strategy.scope():
            network.prepare(model, recipe, phase.model_copy(update=still), steps_per_epoch=1)
        return sum(math.prod(variable.shape) for variable in model.trainable_variables)

    def train(tried: Recipe, steps: int, callbacks: list[keras.callbacks.Callback]) -> None:
        progress.announce(epochs=0, done=0, trial=True)
        _try(model, tried, inputs, strategy, steps, callbacks)

    prepared(max(recipe.training.phases or [], key=prepared))
    with trial.of(model):
        size = batch_size.find(
            model,
            recipe,
            images=len(inputs.train.samples),
            replicas=strategy.num_replicas_in_sync,
            train=train,
        )
    print(f"global_batch_size={size} (auto)", flush=True)
    found[_BATCH] = size
    return batch_size.sized(recipe, size)


def fit(
    model: keras.Model,
    recipe: Recipe,
    inputs: Inputs,
    *,
    strategy: tf.distribute.Strategy,
    callbacks: list[keras.callbacks.Callback],
    record: Callable[[Recipe], None] = lambda recipe: None,
    found: dict[str, Any] | None = None,
) -> dict[str, list[float]]:
    """Trains all phases of a resolved recipe; returns the logs of every epoch.

    Epochs are counted through: a phase that ends early leaves a gap in their numbers. Each phase
    draws its own order and augmentation from the seed. `record` gets the recipe anew with each
    learning rate that was found.
    """
    held, training = inputs.validation, recipe.training
    samples.announce(samples.Samples(global_batch=training.images_per_step, total=None))
    phases = list(training.phases or [])
    steps = training.steps_per_epoch or inputs.train.steps(recipe)
    total, done = sum(phase.epochs for phase in phases), 0
    if held is None and any(phase.early_stopping for phase in phases):
        raise ConfigurationError(
            f"spec.recipe.training.earlyStopping: there are no {recipe.kind} for validation; set"
            f" spec.recipe.{recipe.subject}.validation or validationSplit"
        )
    logs: dict[str, list[float]] = {}
    rates: dict[str, float] = ({} if found is None else found).setdefault(_RATES, {})

    def prepare(phase: Phase, steps_per_epoch: int) -> Rate:
        with strategy.scope():
            return network.prepare(model, recipe, phase, steps_per_epoch=steps_per_epoch)

    for number, phase in enumerate(phases):
        seeded = _reseeded(recipe, number)
        if phase.learning_rate == AUTO:
            known = rates.get(str(number))
            if known is None:
                progress.announce(epochs=total, done=done, trial=True)
                train = partial(_try, model, seeded, inputs, strategy)
                optimizer = training.optimizer or Optimizer.ADAM
                known = range_test.find(model, optimizer, phase, prepare=prepare, train=train)
                text = f"phase={number + 1}/{len(phases)} learning_rate={known:g} (auto)"
                print(text, flush=True)
                rates[str(number)] = known
            phases[number] = phase = phase.model_copy(update={"learning_rate": known})
            record(_with_phases(recipe, phases))
        rate = prepare(phase, steps)
        progress.announce(epochs=total, done=done)
        history = model.fit(
            training_dataset(inputs.train, seeded, strategy),
            initial_epoch=done,
            epochs=done + phase.epochs,
            steps_per_epoch=steps,
            validation_data=held and evaluation_dataset(held, recipe, strategy),
            validation_steps=held and (training.validation_steps or held.steps(recipe)),
            callbacks=[*_acting(recipe, phase, rate), *callbacks],
            shuffle=False,
            verbose=0,
        ).history
        for name, values in history.items():
            logs.setdefault(name, []).extend(values)
        done += phase.epochs
    return logs


def _try(
    model: keras.Model,
    recipe: Recipe,
    inputs: Inputs,
    strategy: tf.distribute.Strategy,
    steps: int,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Trains so many steps that are thrown away."""
    data = training_dataset(inputs.train, recipe, strategy)
    model.fit(data, steps_per_epoch=steps, callbacks=callbacks, shuffle=False, verbose=0)


def _with_phases(recipe: Recipe, phases: list[Phase]) -> Recipe:
    training = recipe.training.model_copy(update={"phases": list(phases)})
    return recipe.model_copy(update={"training": training})


def _acting(recipe: Recipe, phase: Phase, rate: Rate) -> list[keras.callbacks.Callback]:
    """Callbacks that every worker needs, because they change weights or end the phase."""
    found: list[keras.callbacks.Callback] = []
    if recipe.training.ema_epochs is not None:
        found.append(AverageWeights())
    if phase.schedule is not None and phase.schedule.kind is ScheduleKind.PLATEAU:
        found.append(Plateau(phase.schedule, rate))
    if phase.early_stopping is not None:
        found.append(StopEarly(phase.early_stopping))
    return found


def _reseeded(recipe: Recipe, phase: int) -> Recipe:
    seed = (recipe.training.seed + _PHASE_STRIDE * phase) % 2**31
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": seed})})


def evaluate(
    model: keras.Model, recipe: Recipe, chosen: Chosen, *, strategy: tf.distribute.Strategy
) -> dict[str, float]:
    """Loss and accuracy over each of the chosen samples, once."""
    metrics = model.evaluate(
        evaluation_dataset(chosen, recipe, strategy),
        steps=chosen.steps(recipe),
        return_dict=True,
        verbose=0,
    )
    return {name: float(value) for name, value in metrics.items()}


def _tell_skipped(skipped: dict[str, str], path: Path) -> None:
    """The number and the first ones on the chief's log, all of them in a file."""
    print(f"skipped_images={len(skipped)}", flush=True)
    for name, why in islice(skipped.items(), _NAMED):
        print(f"skipped: {name} cannot be read ({why})", flush=True)
    _write(path, json.dumps(skipped, indent=2) + "\n")


def write_resolved(recipe: Recipe, path: Path) -> None:
    """Writes the recipe with every default spelt out; it trains the same again."""
    wire = recipe.model_dump(mode="json", by_alias=True, exclude_none=True)
    _write(path, yaml.safe_dump(wire, sort_keys=False))


def _write(path: Path, text: str) -> None:
    """A volume that is full must not stop training: the agent has refused those never writable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        print(f"{path} cannot be written: {error.strerror}; training goes on", flush=True)


def _chief_callbacks(
    recipe: Recipe, inputs: Inputs, files: JobFiles
) -> list[keras.callbacks.Callback]:
    training, images = recipe.training, len(inputs.train.samples)
    steps = training.steps_per_epoch
    return [
        Curves(log_dir=str(files.tensorboard), write_graph=False),
        EpochLog(
            epochs=sum(phase.epochs for phase in training.phases or []),
            examples_per_epoch=steps * training.images_per_step if steps else images,
        ),
    ]


@contextmanager
def _unreadable_explained(inputs: Inputs) -> Iterator[None]:
    """Says what was wrong with an image, instead of TensorFlow's account of it."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        for source in inputs.sources():
            for failure in source.failures:
                raise failure from error
        raise


def _export(model: keras.Model, recipe: Recipe, train: Chosen, folder: Path) -> saved.Pending:
    kind, source = modality.of(recipe), train.source
    exported = kind.for_export(model, source)
    wanted = saved.Wanted(
        formats=recipe.export.formats,
        classes=source.classes,
        kind=recipe.samples.labels,
        answers=kind.answers(exported, source),
    )
    samples = train.samples[: _EXPORT_TEXTS if recipe.writes else _EXPORT_SAMPLES]
    taken = kind.raw(source, samples)
    return saved.begin(exported, folder, wanted, samples=taken)
