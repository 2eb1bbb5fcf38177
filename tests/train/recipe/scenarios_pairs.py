"""A recipe of texts with targets that a group of workers trains."""

import json

import numpy as np
import tensorflow as tf

from kubefit.api.recipe import Recipe, resolve
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import inputs, job, modality, predictions
from kubefit_trainer.recipe.order import Shard

SAMPLES = 37
TEXT = {
    "train": {"jsonl": "pairs.jsonl", "targetColumn": "reversed"},
    "testSplit": 0.2,
    "tokens": "characters",
    "vocabularySize": 8,
    "sequenceLength": 6,
    "targetLength": 6,
    "embedding": 8,
    "dropout": 0,
    "network": {"encoderDecoder": {"heads": 2, "feedForward": 8}},
    "decoding": {"beams": 2},
}
# Not adam: biases of keys change nothing, so that it would follow the rounding of their gradients.
TRAINING = {
    "epochs": 2,
    "globalBatchSize": 8,
    "seed": 3,
    "optimizer": "sgd",
    "learningRate": 0.1,
}


def scenario_pairs(directory):
    recipe = resolve(Recipe.model_validate({"text": TEXT, "training": TRAINING}))
    volume = directory / f"volume-{keras_multiworker.rank()}"
    write(volume)
    strategy = keras_multiworker.strategy()
    data = inputs.open_inputs(recipe, volume)
    source = data.train.source
    model = job.build(recipe, strategy, volume=volume, classes=len(source.classes))
    history = job.fit(model, recipe, data, strategy=strategy, callbacks=[])
    chosen, kind = data.evaluation, modality.of(recipe)
    found = predictions.predicted(model, recipe, chosen, strategy=strategy)
    exported = None
    if found is not None:
        raw = kind.raw(source, found.samples)
        with keras_multiworker.outside_strategy():
            answers = kind.answers(kind.for_export(model, source), source)
            exported = [text.decode() for text in answers(tf.constant(raw[:, 0])).numpy()]
    return {
        "history": history,
        "evaluation": job.evaluate(model, recipe, chosen, strategy=strategy),
        "by_hand": strategy.num_replicas_in_sync == 1 and by_hand(model, recipe, chosen),
        "weights": model.get_weights(),
        "classes": source.classes,
        "samples": found and found.samples,
        "tokens": found and found.outputs,
        "exported": exported,
    }


def by_hand(model, recipe, chosen):
    """Loss of each batch and share of right tokens, without Keras' losses and metrics."""
    dataset = modality.of(recipe).evaluation_batches(
        chosen.source, chosen.samples, shard=Shard(rank=0, workers=1)
    )
    losses, rows, right, tokens = [], [], 0.0, 0.0
    for given, following, weights in dataset.take(chosen.steps(recipe)):
        outputs, counted = np.asarray(model(given, training=False)), weights.numpy()
        likely = np.take_along_axis(outputs, following.numpy()[:, :, None], axis=2)[:, :, 0]
        losses.append(-(np.log(likely) * counted).sum() / counted.sum())
        rows.append(len(outputs))
        right += ((outputs.argmax(axis=2) == following.numpy()) * counted).sum()
        tokens += counted.sum()
    return {"loss": np.average(losses, weights=rows), "accuracy": right / tokens}


def write(volume):
    """Words of 1 to 6 letters, and the same backwards."""
    drawn = np.random.default_rng(0)
    volume.mkdir(exist_ok=True)
    words = ["".join(drawn.choice(list("abcd"), 1 + i % 6)) for i in range(SAMPLES)]
    rows = [{"text": word, "reversed": word[::-1]} for word in words]
    (volume / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows)))
