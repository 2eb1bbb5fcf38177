"""Trains on handwritten digits. A plain Keras 2 program: nothing in it knows of KubeFit."""

import argparse
from pathlib import Path

import tensorflow as tf
from tensorflow.keras import layers
from tensorflow.keras.preprocessing.image import ImageDataGenerator

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
parser.add_argument("--model", type=Path, required=True, help="where the trained model goes")
parser.add_argument("--epochs", type=int, default=8)
args = parser.parse_args()


def images(folder: Path, *, shuffle: bool):
    return ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        folder,
        target_size=(16, 16),
        color_mode="grayscale",
        class_mode="sparse",
        batch_size=32,
        shuffle=shuffle,
    )


model = tf.keras.Sequential(
    [
        layers.Conv2D(32, 3, activation="relu", input_shape=(16, 16, 1)),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(
    optimizer=tf.keras.optimizers.legacy.Adam(0.002, decay=1e-4),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(images(args.data / "train", shuffle=True), epochs=args.epochs, verbose=2)
loss, accuracy = model.evaluate(images(args.data / "test", shuffle=False), verbose=0)
print(f"test: loss {loss:.4f}, accuracy {accuracy:.4f}")
model.save(args.model)
