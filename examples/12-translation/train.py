"""Translates dates that people write into dates that machines read, with a small Transformer.

`3 March 1987`, `March 3, 1987` and `Tuesday, 3 March 1987` all become `1987-03-03`. The dates are
made by the program itself. A plain Keras 3 program: nothing in it knows of KubeFit.
"""

import argparse
import datetime

import keras
import numpy as np
from keras import layers, ops

parser = argparse.ArgumentParser()
parser.add_argument("--samples", type=int, default=20000)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--dropout", type=float, default=0.1)
parser.add_argument("--model", default="translation.keras", help="file for the trained model")
args = parser.parse_args()

keras.utils.set_random_seed(1)

FORMS = ("%d %B %Y", "%B %d, %Y", "%A, %d %B %Y", "%d %b %Y", "%d/%m/%Y")
SOURCE = " /,0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TARGET = "0123456789-"
SOURCE_LENGTH, TARGET_LENGTH = 28, 10
# 0 is padding; the target has one more number, which says where it begins.
START = len(TARGET) + 1


def numbers(text, alphabet, length):
    return [alphabet.index(letter) + 1 for letter in text] + [0] * (length - len(text))


def text_of(row):
    return "".join(TARGET[number - 1] if 0 < number < START else "?" for number in row)


def pairs(count):
    """Dates as people write them, and the same for machines, as numbers of letters."""
    rng = np.random.default_rng(1)
    first = datetime.date(1900, 1, 1)
    sources, targets = [], []
    for day, form in zip(rng.integers(0, 73000, count), rng.choice(FORMS, count), strict=True):
        date = first + datetime.timedelta(days=int(day))
        sources.append(numbers(date.strftime(form), SOURCE, SOURCE_LENGTH))
        targets.append(numbers(date.isoformat(), TARGET, TARGET_LENGTH))
    return np.array(sources, "int32"), np.array(targets, "int32")


@keras.saving.register_keras_serializable("translation")
class Embedding(layers.Layer):
    """Letters and their places as vectors; the padding is masked."""

    def __init__(self, letters, length, width, **kwargs):
        super().__init__(**kwargs)
        self.letters, self.length, self.width = letters, length, width
        self.tokens = layers.Embedding(letters, width, mask_zero=True)
        self.places = layers.Embedding(length, width)

    def build(self, shape):
        self.tokens.build(shape)
        self.places.build(shape)

    def call(self, inputs):
        return self.tokens(inputs) + self.places(ops.arange(ops.shape(inputs)[-1]))

    def compute_mask(self, inputs, mask=None):
        return self.tokens.compute_mask(inputs)

    def get_config(self):
        sizes = {"letters": self.letters, "length": self.length, "width": self.width}
        return {**super().get_config(), **sizes}


@keras.saving.register_keras_serializable("translation")
class Block(layers.Layer):
    """Attention to itself, to the source if there is one, and two dense layers."""

    def __init__(self, width, dropout, causal=False, **kwargs):
        super().__init__(**kwargs)
        self.width, self.rate, self.causal = width, dropout, causal
        self.supports_masking = True
        self.own = layers.MultiHeadAttention(4, width // 4, dropout=dropout)
        self.other = layers.MultiHeadAttention(4, width // 4, dropout=dropout)
        self.dense = keras.Sequential(
            [layers.Dense(2 * width, activation="relu"), layers.Dense(width)]
        )
        self.dropout = layers.Dropout(dropout)
        self.norms = [layers.LayerNormalization() for _ in range(3)]

    def build(self, x_shape, source_shape=None):
        self.own.build(x_shape, x_shape)
        for layer in (self.dense, self.norms[0], self.norms[2]):
            layer.build(x_shape)
        if source_shape is not None:
            self.other.build(x_shape, source_shape)
            self.norms[1].build(x_shape)

    def call(self, x, source=None, training=None):
        attended = self.own(x, x, use_causal_mask=self.causal, training=training)
        x = self.norms[0](x + attended)
        if source is not None:
            x = self.norms[1](x + self.other(x, source, training=training))
        return self.norms[2](x + self.dropout(self.dense(x), training=training))

    def get_config(self):
        settings = {"width": self.width, "dropout": self.rate, "causal": self.causal}
        return {**super().get_config(), **settings}


source = keras.Input((None,), dtype="int32", name="source")
encoded = Embedding(len(SOURCE) + 1, SOURCE_LENGTH, args.width)(source)
encoded = Block(args.width, args.dropout, name="encoder")(encoded)

begun = keras.Input((None,), dtype="int32", name="begun")
decoded = Embedding(START + 1, TARGET_LENGTH, args.width)(begun)
decoded = Block(args.width, args.dropout, causal=True, name="decoder")(decoded, encoded)
outputs = layers.Dense(len(TARGET) + 1, name="letters")(decoded)

model = keras.Model({"source": source, "begun": begun}, outputs)
model.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)

x, y = pairs(args.samples)
begins = np.concatenate([np.full((len(y), 1), START, "int32"), y[:, :-1]], axis=1)
held_out = args.samples // 10
history = model.fit(
    {"source": x[held_out:], "begun": begins[held_out:]},
    y[held_out:],
    batch_size=args.batch_size,
    epochs=args.epochs,
    validation_data=({"source": x[:held_out], "begun": begins[:held_out]}, y[:held_out]),
    verbose=2,
)
model.save(args.model)


def translate(model, x):
    """Greedy decoding: the most likely letter, one after the other."""
    begun = np.zeros((len(x), TARGET_LENGTH + 1), "int32")
    begun[:, 0] = START
    for place in range(TARGET_LENGTH):
        scores = model.predict({"source": x, "begun": begun[:, :-1]}, batch_size=256, verbose=0)
        begun[:, place + 1] = scores[:, place].argmax(-1)
    return begun[:, 1:]


translated = translate(keras.models.load_model(args.model), x[:held_out])
for row, target in zip(translated[:3], y[:3], strict=True):
    print(f"{text_of(target)} was translated as {text_of(row)}")
right = np.mean((translated == y[:held_out]).all(axis=1))
print(f"translation: {right:.3f} of the dates are right")
