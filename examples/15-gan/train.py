"""Two networks against each other: one draws handwritten digits, one tells them from real ones.

A model with a `train_step` of its own and two optimizers, as in the textbooks. A plain Keras 3
program: nothing in it knows of KubeFit.
"""

import argparse
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers, ops

parser = argparse.ArgumentParser()
parser.add_argument(
    "--data", type=Path, required=True, help="folder with images, in folders or not"
)
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--epochs", type=int, default=60)
parser.add_argument("--width", type=int, default=32, help="channels of the layers")
parser.add_argument("--noise", type=int, default=32, help="numbers that an image is drawn from")
parser.add_argument("--dropout", type=float, default=0.3)
parser.add_argument("--drawn", type=Path, default=Path("drawn"), help="folder for what is drawn")
args = parser.parse_args()

keras.utils.set_random_seed(1)

SIZE = 16
images = keras.utils.image_dataset_from_directory(
    args.data,
    label_mode=None,
    color_mode="grayscale",
    image_size=(SIZE, SIZE),
    batch_size=args.batch_size,
    seed=1,
    verbose=False,
).map(lambda batch: batch / 127.5 - 1)

discriminator = keras.Sequential(
    [
        keras.Input((SIZE, SIZE, 1)),
        layers.Conv2D(args.width, 4, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(2 * args.width, 4, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Flatten(),
        layers.Dropout(args.dropout),
        layers.Dense(1),
    ],
    name="discriminator",
)
generator = keras.Sequential(
    [
        keras.Input((args.noise,)),
        layers.Dense(4 * 4 * 2 * args.width),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Reshape((4, 4, 2 * args.width)),
        layers.Conv2DTranspose(2 * args.width, 4, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2DTranspose(args.width, 4, strides=2, padding="same"),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(1, 5, padding="same", activation="tanh"),
    ],
    name="generator",
)


class GAN(keras.Model):
    """Trains the two in turn on the same batch."""

    def __init__(self, discriminator, generator, noise):
        super().__init__()
        self.discriminator, self.generator, self.noise = discriminator, generator, noise
        self.discriminator_loss = keras.metrics.Mean(name="discriminator_loss")
        self.generator_loss = keras.metrics.Mean(name="generator_loss")

    def compile(self, discriminator_optimizer, generator_optimizer, loss):
        super().compile()
        self.discriminator_optimizer = discriminator_optimizer
        self.generator_optimizer = generator_optimizer
        self.loss_of = loss

    @property
    def metrics(self):
        return [self.discriminator_loss, self.generator_loss]

    def train_step(self, real):
        count = ops.shape(real)[0]
        drawn = self.generator(keras.random.normal((count, self.noise)))
        both = ops.concatenate([drawn, real], axis=0)
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))], axis=0)
        with tf.GradientTape() as tape:
            loss = self.loss_of(labels, self.discriminator(both, training=True))
        weights = self.discriminator.trainable_weights
        gradients = tape.gradient(loss, weights)
        self.discriminator_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self.discriminator_loss.update_state(loss)

        noise = keras.random.normal((count, self.noise))
        with tf.GradientTape() as tape:
            judged = self.discriminator(self.generator(noise, training=True))
            loss = self.loss_of(ops.zeros((count, 1)), judged)
        weights = self.generator.trainable_weights
        gradients = tape.gradient(loss, weights)
        self.generator_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self.generator_loss.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics}


class Draws(keras.callbacks.Callback):
    """Saves images that the generator draws, from the same noise every time."""

    def __init__(self, folder, count, every):
        super().__init__()
        self.folder, self.every = folder, every
        self.noise = keras.random.normal((count, args.noise), seed=7)

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        drawn = self.model.generator.predict(self.noise, verbose=0) * 127.5 + 127.5
        row = ops.concatenate(list(drawn), axis=1)
        keras.utils.save_img(self.folder / f"{epoch + 1:03}.png", row, scale=False)


model = GAN(discriminator, generator, args.noise)
model.compile(
    discriminator_optimizer=keras.optimizers.Adam(0.0003, beta_1=0.5),
    generator_optimizer=keras.optimizers.Adam(0.0003, beta_1=0.5),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
)
draws = Draws(args.drawn, count=8, every=max(1, args.epochs // 6))
history = model.fit(images, epochs=args.epochs, callbacks=[draws], verbose=2)
generator.save(args.drawn / "generator.keras")
