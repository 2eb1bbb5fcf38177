"""Fine-tuning of backbones that KerasHub saved as presets, on a group of workers."""

from pathlib import Path

import keras
import keras_hub
import numpy as np

from kubefit.api.recipe import Recipe, resolve
from kubefit_trainer import keras_multiworker
from kubefit_trainer.recipe import inputs, job, network

SAMPLES, SIDE = 24, 16


def scenario_residual(directory):
    return trained(directory, "resnet")


def scenario_transformer(directory):
    return trained(directory, "vit")


def trained(directory, preset):
    parsed = resolve(Recipe.model_validate(recipe(preset)))
    volume = directory / f"volume-{keras_multiworker.rank()}"
    expected = write_volume(volume, preset)
    strategy = keras_multiworker.strategy()
    data = inputs.open_inputs(parsed, volume)
    model = job.build(parsed, strategy, volume=volume, classes=3)
    images, _ = archive()
    with keras_multiworker.outside_strategy():
        features = model.get_layer("backbone")(images, training=False).numpy()
        if features.ndim == 4:
            features = features.mean(axis=(1, 2))
    history = job.fit(model, parsed, data, strategy=strategy, callbacks=[])
    with keras_multiworker.outside_strategy():
        network.for_export(model, parsed).save(volume / "model.keras")
        again = keras.models.load_model(volume / "model.keras")
        exported = again.predict(images, verbose=0)
        predictions = model(images, training=False).numpy()
    return {
        "expected": expected,
        "features": features,
        "history": history,
        "predictions": predictions,
        "exported": exported,
        "read": (volume / preset).exists(),
    }


def recipe(preset):
    return {
        "data": {"train": {"npz": "train.npz"}, "imageSize": [SIDE, SIDE]},
        "model": {"backbone": {"kerasHub": preset, "dropout": 0}},
        "training": {
            "phases": [{"epochs": 1}, {"epochs": 2, "unfreeze": "1 block"}],
            "globalBatchSize": 8,
            "learningRate": 0.01,
            "optimizer": "sgd",
        },
    }


def write_volume(volume: Path, preset: str):
    """The images for everybody; the preset, and what it makes of them, for the chief alone."""
    volume.mkdir(exist_ok=True)
    images, labels = archive()
    np.savez(volume / "train.npz", x=images.astype(np.uint8), y=labels)
    if not keras_multiworker.is_chief():
        return None
    with keras_multiworker.outside_strategy():
        keras.utils.set_random_seed(1)
        backbone, converter = PRESETS[preset]()
        backbone.save_to_preset(volume / preset)
        converter.save_to_preset(volume / preset)
        found = keras.ops.convert_to_numpy(backbone(converter(images), training=False))
    return found.mean(axis=(1, 2)) if found.ndim == 4 else found[:, 0]


def resnet():
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[3],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
    )
    scaled = {"scale": [1 / 58, 1 / 57, 1 / 57], "offset": [-2.1, -2.0, -1.8]}
    return backbone, keras_hub.layers.ResNetImageConverter(image_size=(SIDE, SIDE), **scaled)


def vit():
    backbone = keras_hub.models.ViTBackbone(
        image_shape=(SIDE, SIDE, 3),
        patch_size=(8, 8),
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=32,
        dropout_rate=0.0,
    )
    scaled = {"scale": 1 / 127.5, "offset": -1.0}
    return backbone, keras_hub.layers.ViTImageConverter(image_size=(SIDE, SIDE), **scaled)


PRESETS = {"resnet": resnet, "vit": vit}


def archive():
    labels = np.arange(SAMPLES) % 3
    noise = np.random.default_rng(0).integers(0, 100, (SAMPLES, SIDE, SIDE, 3))
    return (noise + 50 * labels[:, None, None, None]).astype(np.float32), labels
