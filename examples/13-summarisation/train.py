"""Finds the sentence that sums up a text: extractive summarisation with a recurrent network.

The texts are the docstrings of Python's own library, whose first sentence is their summary by
convention. Sentences are shuffled, so that only their words tell. Each is the mean of its embedded
words; a recurrent network reads them beside one another. A plain Keras 3 program: nothing in it
knows of KubeFit.
"""

import argparse
import ast
import re
import sysconfig
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops

parser = argparse.ArgumentParser()
parser.add_argument("--sources", type=Path, default=Path(sysconfig.get_path("stdlib")))
parser.add_argument("--files", type=int, default=1000, help="how many of its programs are read")
parser.add_argument("--sentences", type=int, default=6, help="of a text that are read")
parser.add_argument("--words", type=int, default=20, help="of a sentence that are read")
parser.add_argument("--vocabulary", type=int, default=4000)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--width", type=int, default=48)
parser.add_argument("--dropout", type=float, default=0.3)
parser.add_argument("--model", default="summary.keras", help="file for the trained model")
args = parser.parse_args()

keras.utils.set_random_seed(1)


def docstrings(path):
    """The docstrings of a program, as lists of sentences."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            text = " ".join((ast.get_docstring(node) or "").split())
            sentences = [one for one in re.split(r"(?<=[.!?:]) ", text) if len(one) > 10]
            if len(sentences) > 1:
                yield sentences[: args.sentences]


files = sorted(args.sources.glob("*.py")) + sorted(args.sources.glob("[a-z]*/*.py"))
texts = [text for path in files[: args.files] for text in docstrings(path)]
rng = np.random.default_rng(1)
shuffled = np.full((len(texts), args.sentences), "", dtype=object)
summary = np.zeros(len(texts), "int32")
for row, text in enumerate(texts):
    order = rng.permutation(len(text))
    shuffled[row, : len(text)] = [text[place] for place in order]
    summary[row] = np.flatnonzero(order == 0)[0]
order = rng.permutation(len(texts))
shuffled, summary = shuffled[order], summary[order]
held_out = len(texts) // 5

words = layers.TextVectorization(args.vocabulary, output_sequence_length=args.words)
words.adapt(shuffled[held_out:].reshape(-1).astype(str))
numbers = np.array(words(shuffled.reshape(-1).astype(str))).reshape(
    (len(texts), args.sentences, args.words)
)

inputs = keras.Input((args.sentences, args.words), dtype="int64")
embedded = layers.Embedding(words.vocabulary_size(), args.width)(inputs)
embedded = layers.Dropout(args.dropout)(layers.Dense(args.width, activation="relu")(embedded))
written = ops.cast(ops.not_equal(inputs, 0), "float32")[..., None]
sentences = ops.sum(embedded * written, axis=2) / ops.maximum(ops.sum(written, axis=2), 1)
known = ops.any(ops.not_equal(inputs, 0), axis=-1)
context = layers.Bidirectional(layers.GRU(args.width, return_sequences=True))(sentences, mask=known)
scores = ops.squeeze(layers.Dense(1)(layers.Concatenate()([sentences, context])), axis=-1)
model = keras.Model(inputs, ops.where(known, scores, -1e9))
model.compile(
    optimizer=keras.optimizers.Adam(0.003, clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
history = model.fit(
    numbers[held_out:],
    summary[held_out:],
    batch_size=args.batch_size,
    epochs=args.epochs,
    validation_data=(numbers[:held_out], summary[:held_out]),
    verbose=2,
)
model.save(args.model)

chosen = model.predict(numbers[:held_out], verbose=0).argmax(-1)
for row in range(min(2, held_out)):
    print(f"{' '.join(shuffled[row])!r} is summed up as {shuffled[row, chosen[row]]!r}")
count = (shuffled[:held_out] != "").sum(1)
print(
    f"summarisation: {np.mean(chosen == summary[:held_out]):.3f} of the summaries are found,"
    f" {np.mean(1 / count):.3f} by chance"
)
