"""Trains on handwritten digits. A plain Keras 3 program: nothing in it knows of KubeFit."""

import argparse
from pathlib import Path

import keras

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
parser.add_argument("--epochs", type=int, default=8)
args = parser.parse_args()

keras.utils.set_random_seed(1)


def images(folder: Path, *, shuffle: bool):
    return keras.utils.image_dataset_from_directory(
        folder,
        color_mode="grayscale",
        image_size=(16, 16),
        batch_size=32,
        shuffle=shuffle,
        seed=1,
        verbose=False,
    )


model = keras.Sequential(
    [
        keras.Input((16, 16, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.BatchNormalization(momentum=0.9),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(0.002),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(images(args.data / "train", shuffle=True), epochs=args.epochs, verbose=2)
loss, accuracy = model.evaluate(images(args.data / "test", shuffle=False), verbose=0)
print(f"test: loss {loss:.4f}, accuracy {accuracy:.4f}")
