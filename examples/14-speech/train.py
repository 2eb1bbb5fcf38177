"""Recognises spoken numbers: a recurrent network with the CTC loss on spectrograms.

Recordings of single digits (`0.wav` to `9.wav`, 8 kHz, 16 bits) are strung together to numbers of
several digits, with pauses, at another loudness and with noise. A plain Keras 3 program: nothing in
it knows of KubeFit.
"""

import argparse
import wave
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

parser = argparse.ArgumentParser()
parser.add_argument(
    "--recordings",
    type=Path,
    default=Path("/usr/share/asterisk/sounds/en_US_f_Allison/digits"),
    help="folder with 0.wav to 9.wav, as of Debian's package asterisk-core-sounds-en-wav",
)
parser.add_argument("--samples", type=int, default=2000, help="numbers to learn from")
parser.add_argument("--digits", type=int, default=4, help="most digits of a number")
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--dropout", type=float, default=0.2)
parser.add_argument("--model", default="speech.keras", help="file for the trained model")
args = parser.parse_args()

keras.utils.set_random_seed(1)

RATE, FRAME, STEP = 8000, 256, 160


def recording(path):
    """The samples of a file, without the silence around the word."""
    with wave.open(str(path)) as file:
        if file.getframerate() != RATE or file.getsampwidth() != 2:
            raise SystemExit(f"{path} is no recording of {RATE} Hz and 16 bits")
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return samples[loud[0] : loud[-1] + 1].astype("float32")


words = [recording(args.recordings / f"{digit}.wav") for digit in range(10)]
# 0 means a blank for CTC, and padding in the labels.
longest = args.digits * (max(map(len, words)) + RATE // 5)


def spoken(count, seed):
    """Sounds of different length, and the digits that are said."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        digits = rng.integers(0, 10, rng.integers(1, args.digits + 1))
        parts = []
        for digit in digits:
            word = words[digit]
            # Up to a tenth faster or slower, which is higher or lower too.
            places = np.arange(0, len(word) - 1, rng.uniform(0.9, 1.1))
            parts.append(np.interp(places, np.arange(len(word)), word) * rng.uniform(0.5, 1))
            parts.append(np.zeros(rng.integers(0, RATE // 10)))
        sound = np.concatenate(parts)
        yield (sound + rng.normal(0, 0.01, len(sound))).astype("float32"), digits + 1


def batches(count, seed):
    signature = (tf.TensorSpec((None,), tf.float32), tf.TensorSpec((None,), tf.int32))
    return tf.data.Dataset.from_generator(
        lambda: spoken(count, seed), output_signature=signature
    ).padded_batch(args.batch_size, padded_shapes=((longest,), (args.digits,)))


@keras.saving.register_keras_serializable("speech")
class Spectrogram(layers.Layer):
    """Loudness of the frequencies of every frame, on a logarithmic scale."""

    def call(self, sounds):
        real, imaginary = ops.stft(sounds, FRAME, STEP, FRAME)
        return ops.log(ops.square(real) + ops.square(imaginary) + 1e-3)


@keras.saving.register_keras_serializable("speech")
def digits_right(y_true, y_pred):
    """Whether every digit of a number is heard, for each row."""
    frames = ops.full((ops.shape(y_pred)[0],), ops.shape(y_pred)[1], dtype="int32")
    heard = ops.ctc_decode(y_pred, frames, strategy="greedy", mask_index=0)[0][0]
    heard = ops.where(heard < 0, 0, heard)[:, : ops.shape(y_true)[1]]
    missing = ops.shape(y_true)[1] - ops.shape(heard)[1]
    heard = ops.pad(heard, ((0, 0), (0, missing)))
    return ops.all(ops.equal(ops.cast(y_true, heard.dtype), heard), axis=-1)


model = keras.Sequential(
    [
        keras.Input((longest,)),
        Spectrogram(),
        layers.LayerNormalization(),
        layers.Conv1D(args.width, 5, strides=2, padding="same", activation="relu"),
        layers.Dropout(args.dropout),
        layers.Bidirectional(layers.GRU(args.width, return_sequences=True)),
        layers.Dense(11),
    ]
)
model.compile(
    optimizer=keras.optimizers.Adam(0.003, clipnorm=1.0),
    loss=keras.losses.CTC(),
    metrics=[digits_right],
)
train, test = batches(args.samples, 1), batches(args.samples // 10, 2)
history = model.fit(train, epochs=args.epochs, validation_data=test, verbose=2)
model.save(args.model)

loss, right = keras.models.load_model(args.model).evaluate(test, verbose=0)
print(f"speech: loss {loss:.3f}, {right:.3f} of the numbers are heard right")
