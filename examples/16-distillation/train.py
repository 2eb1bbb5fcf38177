"""A small network learns from a large one: distillation of handwritten digits.

A model with a `compute_loss` of its own, in which the teacher's answers count beside the labels.
A plain Keras 3 program: nothing in it knows of KubeFit.
"""

import argparse
from pathlib import Path

import keras
from keras import layers, ops

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--epochs", type=int, default=8, help="of the teacher, and of the student")
parser.add_argument("--width", type=int, default=32, help="channels of the teacher")
parser.add_argument("--dropout", type=float, default=0.3)
parser.add_argument("--model", default="student.keras", help="file for the trained student")
args = parser.parse_args()

keras.utils.set_random_seed(1)


def images(part, *, shuffle):
    return keras.utils.image_dataset_from_directory(
        args.data / part,
        color_mode="grayscale",
        image_size=(16, 16),
        batch_size=args.batch_size,
        shuffle=shuffle,
        seed=1,
        verbose=False,
    )


def network(name, width):
    """Answers are logits, so that they can be made softer."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(width, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(2 * width, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(args.dropout),
            layers.Dense(10),
        ],
        name=name,
    )


class Distiller(keras.Model):
    """Trains the student on labels and on what the teacher answers."""

    def __init__(self, student, teacher):
        super().__init__()
        self.student, self.teacher = student, teacher
        self.teacher.trainable = False

    def compile(self, optimizer, metrics, student_loss, distillation_loss, alpha, temperature):
        super().compile(optimizer=optimizer, metrics=metrics)
        self.student_loss, self.distillation_loss = student_loss, distillation_loss
        self.alpha, self.temperature = alpha, temperature

    def call(self, x, training=False):
        return self.student(x, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        softened = ops.softmax(self.teacher(x, training=False) / self.temperature)
        learned = self.distillation_loss(softened, ops.softmax(y_pred / self.temperature))
        # Gradients of soft answers are smaller by the square of the temperature.
        learned = learned * self.temperature**2
        return self.alpha * self.student_loss(y, y_pred) + (1 - self.alpha) * learned


train, test = images("train", shuffle=True), images("test", shuffle=False)
labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

teacher = network("teacher", args.width)
teacher.compile(optimizer=keras.optimizers.Adam(0.003), loss=labels, metrics=["accuracy"])
teacher.fit(train, epochs=args.epochs, verbose=2)
taught = teacher.evaluate(test, verbose=0)[1]

student = network("student", max(1, args.width // 8))
model = Distiller(student, teacher)
model.compile(
    optimizer=keras.optimizers.Adam(0.003),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    student_loss=labels,
    distillation_loss=keras.losses.KLDivergence(),
    alpha=0.3,
    temperature=4.0,
)
history = model.fit(train, epochs=args.epochs, validation_data=test, verbose=2)
student.save(args.model)

accuracy = model.evaluate(test, verbose=0, return_dict=True)["accuracy"]
print(
    f"distillation: the teacher has {teacher.count_params()} weights and accuracy {taught:.3f},"
    f" the student {student.count_params()} and {accuracy:.3f}"
)
