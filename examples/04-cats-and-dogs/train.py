"""The convolutional network of the textbooks for two classes of photographs.

A plain Keras program: nothing in it knows of KubeFit.
"""

import argparse
from pathlib import Path

from tensorflow.keras import Sequential
from tensorflow.keras.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D
from tensorflow.keras.preprocessing.image import ImageDataGenerator

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True, help="folder with train/ and validation/")
parser.add_argument("--size", type=int, default=224, help="height and width of the images")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--steps", type=int, default=100, help="steps an epoch")
parser.add_argument("--validation-steps", type=int, default=50)
args = parser.parse_args()

augmented = ImageDataGenerator(
    rescale=1 / 255,
    rotation_range=40,
    width_shift_range=0.2,
    height_shift_range=0.2,
    horizontal_flip=True,
)
plain = ImageDataGenerator(rescale=1 / 255)
form = {"target_size": (args.size, args.size), "batch_size": 20, "class_mode": "binary"}
train = augmented.flow_from_directory(args.data / "train", **form)
validation = plain.flow_from_directory(args.data / "validation", **form)

model = Sequential(
    [
        Input((args.size, args.size, 3)),
        Conv2D(32, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(64, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(128, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dense(512, activation="relu"),
        Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(
    train,
    steps_per_epoch=args.steps,
    epochs=args.epochs,
    validation_data=validation,
    validation_steps=args.validation_steps,
)
model.save(args.data.parent / "cats-and-dogs.keras")
