"""What a recipe trains on: images, texts or recordings, and only what belongs to these."""

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from kubefit.api.recipe import (
    ImageRecipe,
    LabelKind,
    Output,
    Recipe,
    TextRecipe,
    known_as,
    resolve,
)

TRAINING = {"epochs": 3}
TEXT: dict[str, Any] = {
    "text": {"train": {"csv": "a.csv"}, "network": {"lstm": {}}},
    "training": TRAINING,
}
PAIRS: dict[str, Any] = {
    "text": {
        "train": {"csv": "a.csv", "targetColumn": "target"},
        "network": {"encoderDecoder": {}},
    },
    "training": TRAINING,
}
SPEECH: dict[str, Any] = {"speech": {"train": {"folder": "spoken"}}, "training": TRAINING}
SAID: dict[str, Any] = {
    "speech": {"train": {"manifest": "said.csv"}, "transcription": {}},
    "training": TRAINING,
}
IMAGES: dict[str, Any] = {
    "data": {"train": {"folder": "digits"}, "imageSize": [8, 8]},
    "model": {"blocks": [{"flatten": True}]},
    "training": TRAINING,
}


def changed(recipe: dict[str, Any], **changes: object) -> dict[str, Any]:
    """The recipe with values at paths such as `text__encoding`."""
    found = copy.deepcopy(recipe)
    for path, value in changes.items():
        *parents, last = path.split("__")
        node = found
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return found


@pytest.mark.parametrize(
    ("given", "kind", "field"),
    [(IMAGES, "images", "data"), (TEXT, "texts", "text"), (SPEECH, "recordings", "speech")],
)
def test_a_recipe_tells_what_it_trains_on(given: dict[str, Any], kind: str, field: str) -> None:
    recipe = Recipe.model_validate(given)
    assert (recipe.kind, recipe.subject) == (kind, field)
    assert recipe.samples is getattr(recipe, field)
    assert (recipe.samples.labels, recipe.output) == (LabelKind.SINGLE_LABEL, Output.AUTO)


@pytest.mark.parametrize("given", [IMAGES, TEXT, SPEECH])
def test_a_resolved_recipe_is_one_and_resolves_to_itself(given: dict[str, Any]) -> None:
    resolved = resolve(Recipe.model_validate(given))
    wire = resolved.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert resolve(Recipe.model_validate(wire)) == resolved
    assert resolved.training.phases is not None
    assert resolved.training.phases[0].unfreeze == "all"


def test_a_recipe_of_known_kind_is_the_same_and_stays_of_that_kind() -> None:
    recipe = Recipe.model_validate(TEXT)
    known = known_as(TextRecipe, recipe)
    assert known.text == recipe.text
    assert isinstance(known.model_copy(update={"training": recipe.training}), TextRecipe)
    images = known_as(ImageRecipe, Recipe.model_validate(IMAGES))
    assert images.model_dump() == Recipe.model_validate(IMAGES).model_dump()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"training": TRAINING}, "set exactly one of data (images), text and speech"),
        ({**TEXT, **SPEECH}, "set exactly one of data (images), text and speech"),
        (changed(TEXT, model={"blocks": [{"dense": 3}]}), "model describes the network of images"),
        ({k: v for k, v in IMAGES.items() if k != "model"}, "model describes the network of"),
        (changed(TEXT, preset="fromScratch"), "preset and augmentation are for images"),
        (changed(SPEECH, augmentation__flip="both"), "preset and augmentation are for images"),
        (changed(TEXT, training__unfreeze="none"), "training.unfreeze and layerDecay need a"),
        (changed(TEXT, training__loss="huber"), "training.loss must be auto or"),
        (changed(TEXT, text__train={"csv": "a", "folder": "b"}), "exactly one of csv, jsonl and"),
        (changed(TEXT, text__network={}), "exactly one of lstm, gru, transformer"),
        (changed(TEXT, text__network={"lstm": {}, "gru": {}}), "exactly one of lstm, gru, "),
        (changed(TEXT, text__encoding="utf-9"), "'utf-9' is no encoding of texts"),
        (changed(TEXT, text__encoding="hex"), "'hex' is no encoding of texts"),
        (
            changed(TEXT, text__embedding=6, text__network={"transformer": {"heads": 4}}),
            "heads must divide embedding",
        ),
        (
            changed(PAIRS, text__embedding=6),
            "heads must divide embedding",
        ),
        (changed(PAIRS, text__train={"csv": "a.csv"}), "encoderDecoder writes targets"),
        (changed(PAIRS, text__test={"csv": "b.csv"}), "encoderDecoder writes targets"),
        (changed(TEXT, text__train=PAIRS["text"]["train"]), "encoderDecoder writes targets"),
        (changed(PAIRS, text__train={"folder": "a", "targetColumn": "b"}), "needs csv or jsonl"),
        (changed(PAIRS, text__classWeights="balanced"), "classWeights needs classes"),
        (changed(TEXT, text__decoding={"beams": 2}), "need network.encoderDecoder"),
        (changed(TEXT, text__targetLength=2), "need network.encoderDecoder"),
        (changed(TEXT, text__tokens="characters"), "need network.encoderDecoder"),
        (
            changed(TEXT, text__validation={"csv": "b"}, text__validationSplit=0.1),
            "set validation or validationSplit, not both",
        ),
        (changed(SPEECH, speech__train={}), "exactly one of folder and manifest"),
        (changed(SPEECH, speech__seconds=0.1, speech__network={"filters": [4] * 4}), "filters"),
        (changed(SPEECH, speech__mels=4), "seconds and filters do not fit"),
        (changed(SPEECH, speech__testSplit=0.5, speech__validationSplit=0.5), "leave something"),
        (changed(SPEECH, speech__transcription={}), "transcription needs manifests"),
        (changed(SAID, speech__test={"folder": "spoken"}), "transcription needs manifests"),
        (changed(SAID, speech__classWeights="balanced"), "classWeights need classes"),
        (
            changed(SAID, training__loss="sparse_categorical_crossentropy"),
            "speech.transcription has a loss of its own",
        ),
        (
            changed(SAID, training__earlyStopping={"metric": "accuracy"}),
            "let training.earlyStopping.metric be loss",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Recipe.model_validate(given)
    assert words in str(refused.value)
