import pytest

from kubefit.api import generators
from kubefit.api.recipe import Recipe

TEXTBOOK = """
from tensorflow.keras.preprocessing.image import ImageDataGenerator

SIZE = (224, 224)
train = ImageDataGenerator(
    rescale=1.0 / 255,
    rotation_range=40,
    width_shift_range=0.2,
    height_shift_range=0.2,
    shear_range=20,
    zoom_range=0.2,
    horizontal_flip=True,
    fill_mode="nearest",
)
check = ImageDataGenerator(rescale=1.0 / 255)
a = train.flow_from_directory("data/train", target_size=SIZE, batch_size=20, class_mode="binary")
b = check.flow_from_directory("data/validation", target_size=SIZE, batch_size=20)
"""


def test_the_textbook_program_becomes_a_recipe() -> None:
    found = generators.translate(TEXTBOOK)
    assert found.recipe == {
        "data": {
            "train": {"folder": "data/train"},
            "validation": {"folder": "data/validation"},
            "imageSize": [224, 224],
        },
        "training": {"globalBatchSize": 20},
        "model": {"output": "sigmoid"},
        "augmentation": {
            "flip": "horizontal",
            "rotation": 40.0,
            "shear": 20.0,
            "zoom": 0.2,
            "translation": 0.2,
            "fill": "nearest",
        },
    }
    whole = {**found.recipe, "training": {**found.recipe["training"], "epochs": 1}}
    whole["model"] = {**whole["model"], "blocks": [{"flatten": True}]}
    assert Recipe.model_validate(whole).augmentation.rotation == 40


def augmentation(arguments: str) -> tuple[dict, list[str]]:
    found = generators.translate(f"import keras\nx = 0.3\nImageDataGenerator({arguments})")
    return found.recipe.get("augmentation", {}), found.notes


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("vertical_flip=True", {"flip": "vertical"}),
        ("vertical_flip=True, horizontal_flip=True", {"flip": "both"}),
        ("horizontal_flip=False, rotation_range=0", {}),
        ("rotation_range=15", {"rotation": 15.0, "fill": "nearest"}),
        ("zoom_range=[0.7, 1.1]", {"zoom": 0.3, "fill": "nearest"}),
        ("zoom_range=x, fill_mode='reflect'", {"zoom": 0.3, "fill": "reflect"}),
        ("brightness_range=(0.8, 1.1)", {"brightness": 0.2}),
        ("channel_shift_range=51", {"channelShift": 0.2}),
    ],
)
def test_each_argument_has_its_field(arguments: str, expected: dict) -> None:
    assert augmentation(arguments)[0] == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("rotation_range=degrees()", "rotation_range is computed by the program"),
        ("zca_whitening=True", "zca_whitening has no equivalent"),
        ("width_shift_range=20", "shifts in pixels were not taken over"),
        ("width_shift_range=0.1, height_shift_range=0.2", "the larger one was taken"),
        ("brightness_range=(0.8, 1.1)", "brightness is added"),
        ("preprocessing_function=f", "the network does that"),
    ],
)
def test_what_is_not_taken_over_is_said(arguments: str, said: str) -> None:
    assert any(said in note for note in augmentation(arguments)[1])


def test_a_program_without_a_generator_is_refused() -> None:
    with pytest.raises(generators.NoGeneratorError, match="has no ImageDataGenerator"):
        generators.translate("print(1)")
