"""Learns to write English with a small Transformer, one letter after the other.

The text is a file, or without `--text` Python's own manual (`pydoc_data.topics`). A callback lets
the model write something after every epoch. A plain Keras 3 program: nothing in it knows of
KubeFit.
"""

import argparse
from pathlib import Path
from pydoc_data import topics

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

parser = argparse.ArgumentParser()
parser.add_argument("--text", type=Path, help="text to learn from; Python's manual without it")
parser.add_argument("--letters", type=int, default=400000, help="how much of it is read")
parser.add_argument("--length", type=int, default=64, help="letters that the model sees at once")
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--width", type=int, default=128)
parser.add_argument("--blocks", type=int, default=2)
parser.add_argument("--dropout", type=float, default=0.1)
parser.add_argument("--written", type=int, default=60, help="letters written after an epoch")
parser.add_argument("--model", default="writer.keras", help="file for the trained model")
args = parser.parse_args()

keras.utils.set_random_seed(1)

text = (
    args.text.read_text()
    if args.text
    else "\n".join(topics.topics[n] for n in sorted(topics.topics))
)
text = text[: args.letters]
letters = sorted(set(text))
number_of = {letter: number for number, letter in enumerate(letters)}
numbers = np.array([number_of[letter] for letter in text], "int32")


@keras.saving.register_keras_serializable("writer")
class Places(layers.Layer):
    """Letters and their places as vectors."""

    def __init__(self, letters, length, width, **kwargs):
        super().__init__(**kwargs)
        self.letters, self.length, self.width = letters, length, width
        self.tokens = layers.Embedding(letters, width)
        self.places = layers.Embedding(length, width)

    def build(self, shape):
        self.tokens.build(shape)
        self.places.build(shape)

    def call(self, inputs):
        return self.tokens(inputs) + self.places(ops.arange(ops.shape(inputs)[-1]))

    def get_config(self):
        sizes = {"letters": self.letters, "length": self.length, "width": self.width}
        return {**super().get_config(), **sizes}


def block(x):
    """A Transformer block that sees only what has been written."""
    normed = layers.LayerNormalization()(x)
    attention = layers.MultiHeadAttention(4, args.width // 4, dropout=args.dropout)
    x = x + attention(normed, normed, use_causal_mask=True)
    normed = layers.LayerNormalization()(x)
    dense = layers.Dense(args.width)(layers.Dense(4 * args.width, activation="gelu")(normed))
    return x + layers.Dropout(args.dropout)(dense)


class Writes(keras.callbacks.Callback):
    """Shows after every epoch how the model would go on."""

    def __init__(self, begin, count):
        super().__init__()
        self.begin, self.count = begin, count
        self.written = []

    def on_epoch_end(self, epoch, logs=None):
        numbers = [number_of[letter] for letter in self.begin if letter in number_of] or [0]
        for _ in range(self.count):
            seen = numbers[-args.length :]
            padded = np.array([seen + [0] * (args.length - len(seen))], "int32")
            scores = self.model.predict(padded, verbose=0)[0, len(seen) - 1]
            numbers.append(int(scores.argmax()))
        self.written.append("".join(letters[number] for number in numbers))
        print(f"epoch {epoch + 1}: {self.written[-1]!r}")


inputs = keras.Input((args.length,), dtype="int32")
x = Places(len(letters), args.length, args.width)(inputs)
for _ in range(args.blocks):
    x = block(x)
outputs = layers.Dense(len(letters))(layers.LayerNormalization()(x))
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=keras.optimizers.AdamW(0.002, weight_decay=0.01, global_clipnorm=1.0),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)

rows = (
    tf.data.Dataset.from_tensor_slices(numbers)
    .batch(args.length + 1, drop_remainder=True)
    .map(lambda row: (row[:-1], row[1:]))
)
held_out = len(numbers) // (args.length + 1) // 10
train = rows.skip(held_out).shuffle(10000, seed=1).batch(args.batch_size).prefetch(2)
test = rows.take(held_out).batch(args.batch_size)
writes = Writes("The ", args.written)
history = model.fit(train, epochs=args.epochs, validation_data=test, callbacks=[writes], verbose=2)
model.save(args.model)

loss, accuracy = keras.models.load_model(args.model).evaluate(test, verbose=0)
print(f"writer: {np.exp(loss):.2f} letters to choose from, of {len(letters)}; {accuracy:.3f} right")
