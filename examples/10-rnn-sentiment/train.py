"""Tells praise from complaint with embedded words and a bidirectional LSTM.

The reviews are folders of text files as those of IMDB (`train/pos`, `train/neg`, `test/pos`,
`test/neg`), or without `--data` short ones that the program makes up. A plain Keras 3 program:
nothing in it knows of KubeFit.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, help="folder with train/ and test/; made up without it")
parser.add_argument("--words", type=int, default=5000, help="words that are told apart")
parser.add_argument("--length", type=int, default=100, help="words of a review that are read")
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--epochs", type=int, default=5)
parser.add_argument("--width", type=int, default=32)
parser.add_argument("--dropout", type=float, default=0.3)
parser.add_argument("--model", default="sentiment.keras", help="file for the trained model")
args = parser.parse_args()

keras.utils.set_random_seed(1)

PRAISE = ["wonderful", "moving", "brilliant", "funny", "clever", "charming", "superb", "touching"]
BLAME = ["boring", "tedious", "clumsy", "silly", "dull", "awful", "shallow", "predictable"]
THINGS = ["plot", "cast", "music", "script", "ending", "dialogue", "camera", "pace"]


def made_up(count, seed):
    """Reviews in which a `not` turns a word into its contrary, and what they are."""
    rng = np.random.default_rng(seed)
    texts, labels = [], rng.integers(0, 2, count)
    for liked in labels:
        sentences = []
        for _ in range(rng.integers(1, 4)):
            negated = rng.random() < 0.3
            word = rng.choice(PRAISE if liked != negated else BLAME)
            sentences.append(f"The {rng.choice(THINGS)} is {'not ' * negated}{word}.")
        texts.append(" ".join(sentences))
    return tf.data.Dataset.from_tensor_slices((texts, labels.astype("int32")))


def reviews(part, *, shuffle):
    """Texts and labels in batches."""
    if args.data:
        return keras.utils.text_dataset_from_directory(
            args.data / part, batch_size=args.batch_size, shuffle=shuffle, seed=1, verbose=False
        )
    dataset = made_up(4000 if part == "train" else 500, seed=len(part))
    if shuffle:
        dataset = dataset.shuffle(4000, seed=1)
    return dataset.batch(args.batch_size)


train, test = reviews("train", shuffle=True), reviews("test", shuffle=False)

words = layers.TextVectorization(max_tokens=args.words, output_sequence_length=args.length)
words.adapt(train.map(lambda texts, labels: texts))

model = keras.Sequential(
    [
        keras.Input((), dtype="string"),
        words,
        layers.Embedding(words.vocabulary_size(), args.width, mask_zero=True),
        layers.Bidirectional(layers.LSTM(args.width, dropout=args.dropout)),
        layers.Dense(args.width, activation="relu"),
        layers.Dropout(args.dropout),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"]
)
history = model.fit(train, epochs=args.epochs, validation_data=test, verbose=2)
model.save(args.model)

loss, accuracy = keras.models.load_model(args.model).evaluate(test, verbose=0)
print(f"sentiment: loss {loss:.4f}, accuracy {accuracy:.3f}")
