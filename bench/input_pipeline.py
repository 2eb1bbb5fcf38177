"""Images a second of the recipe's input pipeline, beside other ways to feed the same network.

    python bench/input_pipeline.py [CASE ...] [--rounds 5] [--images 384]

Case `jpeg-folder`: JPEG files of 500 x 375 pixels in class folders to batches of 32 at 224 x 224,
with flip, rotation, zoom and translation. Its baselines: `image-data-generator` (Keras'
`ImageDataGenerator.flow_from_directory` with the same changes), `keras-layers` (`tf.data` and
preprocessing layers of Keras), `decode-only` (`tf.data` that reads and decodes, and does nothing
else). Case `packed`: the same from what `kubefit data pack` wrote; its baseline is our
`jpeg-folder`.

Every variant has a process of its own; they take turns, and all but one are stopped, so that none
fills its buffers in the turn of another. Decoded images are not kept.
Prints one JSON object per baseline; `ratio` says how many times faster ours is (median of the
rounds), `images_per_second` is ours and `baseline_images_per_second` the other's.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
BASELINES = {
    "jpeg-folder": ("image-data-generator", "keras-layers", "decode-only"),
    "packed": ("jpeg-folder",),
}
SIDE, BATCH = 224, 32
WIDTH, HEIGHT = 500, 375
ROTATION, ZOOM, SHIFT = 20.0, 0.2, 0.1
_AHEAD = 8 * BATCH


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("cases", nargs="*", default=list(BASELINES))
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--images", type=int, default=384, help="per round and variant")
    made.add_argument("--serve", nargs=2, metavar=("VARIANT", "FOLDER"), help=argparse.SUPPRESS)
    arguments = made.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder) / "jpeg", count=256)
        if "packed" in arguments.cases:
            pack(Path(folder))
        for case in arguments.cases:
            for line in measure(case, Path(folder), arguments.rounds, arguments.images):
                print(json.dumps(line), flush=True)


def write_photos(folder: Path, *, count: int) -> None:
    """Smooth shapes with grain, about 60 KB each, as cameras give them."""
    random = np.random.default_rng(0)
    for i in range(count):
        coarse = random.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3)).astype(np.uint8)
        smooth = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        grain = random.normal(0, 6, (HEIGHT, WIDTH, 3))
        pixels = (np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)
        target = folder / ("cats" if i % 2 else "dogs") / f"{i:04}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(target, quality=90)


def pack(folder: Path) -> None:
    command = ["data", "pack", str(folder / "jpeg"), str(folder / "packed"), "--size", str(SIDE)]
    subprocess.run(
        [sys.executable, "-m", "kubefit.cli", *command],
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(ROOT / "trainer"), str(ROOT / "operator")])
    return {
        **os.environ,
        "PYTHONPATH": path,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def measure(case: str, folder: Path, rounds: int, images: int) -> Iterator[dict[str, object]]:
    names = (case, *BASELINES[case])
    servers = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--serve", name, str(folder)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    }
    try:
        for server in servers.values():
            ask(server, BATCH)
            server.send_signal(signal.SIGSTOP)
        seconds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, server in servers.items():
                server.send_signal(signal.SIGCONT)
                seconds[name].append(ask(server, images))
                server.send_signal(signal.SIGSTOP)
    finally:
        for server in servers.values():
            server.send_signal(signal.SIGCONT)
            server.stdin.close()
            server.wait()
    for baseline in BASELINES[case]:
        pairs = zip(seconds[baseline], seconds[case], strict=True)
        yield {
            "bench": "input_pipeline",
            "case": case,
            "baseline": baseline,
            "ratio": round(statistics.median(other / ours for other, ours in pairs), 2),
            "images_per_second": round(images / statistics.median(seconds[case])),
            "baseline_images_per_second": round(images / statistics.median(seconds[baseline])),
            "cores": len(os.sched_getaffinity(0)),
        }


def ask(server: subprocess.Popen[str], images: int) -> float:
    """Seconds that the server takes for so many images."""
    server.stdin.write(f"{images}\n")
    server.stdin.flush()
    return float(server.stdout.readline())


def serve(variant: str, folder: str) -> None:
    """Reads a number of images, takes that many, writes the seconds; for each line of stdin."""
    answers, sys.stdout = sys.stdout, sys.stderr
    stream = VARIANTS[variant](Path(folder))
    for line in sys.stdin:
        # First what was made ahead at the end of the last turn.
        take(stream, _AHEAD)
        begun = time.perf_counter()
        take(stream, int(line))
        answers.write(f"{time.perf_counter() - begun}\n")
        answers.flush()


def take(stream: Iterator[int], images: int) -> None:
    while images > 0:
        images -= next(stream)


def ours(folder: Path, source: dict[str, str]) -> Iterator[int]:
    from kubefit.api.recipe import Recipe
    from kubefit_trainer.recipe import inputs, pipeline
    from kubefit_trainer.recipe.order import Shard

    recipe = Recipe.model_validate(
        {
            "data": {"train": source, "imageSize": [SIDE, SIDE], "cache": "none"},
            "augmentation": {
                "flip": "horizontal",
                "rotation": ROTATION,
                "zoom": ZOOM,
                "translation": SHIFT,
            },
            "model": {"blocks": [{"globalPool": True}]},
            "training": {"epochs": 1, "globalBatchSize": BATCH},
        }
    )
    train = inputs.open_inputs(recipe, folder).train
    shard = Shard(rank=0, workers=1)
    for images, _ in pipeline.training_batches(train.source, train.samples, recipe, shard=shard):
        yield images.shape[0]


def image_data_generator(folder: Path) -> Iterator[int]:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        horizontal_flip=True,
        rotation_range=ROTATION,
        zoom_range=ZOOM,
        width_shift_range=SHIFT,
        height_shift_range=SHIFT,
    )
    for images, _ in generator.flow_from_directory(
        folder / "jpeg", target_size=(SIDE, SIDE), batch_size=BATCH
    ):
        yield len(images)


def keras_layers(folder: Path) -> Iterator[int]:
    import keras
    import tensorflow as tf

    layers = keras.layers
    changes = keras.Sequential(
        [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(ROTATION / 360),
            layers.RandomZoom(ZOOM),
            layers.RandomTranslation(SHIFT, SHIFT),
        ]
    )
    dataset = keras.utils.image_dataset_from_directory(
        folder / "jpeg", image_size=(SIDE, SIDE), batch_size=BATCH, verbose=False
    )
    dataset = dataset.map(
        lambda images, labels: (changes(images, training=True), labels),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for images, _ in dataset.repeat().prefetch(tf.data.AUTOTUNE):
        yield images.shape[0]


def decode_only(folder: Path) -> Iterator[int]:
    import tensorflow as tf

    files = sorted(str(file) for file in (folder / "jpeg").glob("*/*.jpg"))
    dataset = tf.data.Dataset.from_tensor_slices(files).repeat()
    dataset = dataset.map(
        lambda file: tf.io.decode_jpeg(tf.io.read_file(file), channels=3),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    for images in dataset.batch(BATCH).prefetch(tf.data.AUTOTUNE):
        yield images.shape[0]


VARIANTS = {
    "jpeg-folder": lambda folder: ours(folder, {"folder": "jpeg"}),
    "packed": lambda folder: ours(folder, {"packed": "packed"}),
    "image-data-generator": image_data_generator,
    "keras-layers": keras_layers,
    "decode-only": decode_only,
}


if __name__ == "__main__":
    main()
