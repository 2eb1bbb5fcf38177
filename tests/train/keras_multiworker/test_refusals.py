"""What cannot be right is refused on every worker with a sentence, and nothing else is."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.train
SCENARIOS = Path(__file__).with_name("scenarios_refusals.py")
DIFFERS = "DifferentProgramError: worker 1 differs from worker 0 in the "


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("activation", DIFFERS + 'activation of layer 1: "relu" instead of "tanh"'),
        ("connections", DIFFERS + "connections of the model"),
        ("structure", DIFFERS + "structure of the data"),
        ("keys", DIFFERS + "type of the data"),
        ("epochs", DIFFERS + "number of epochs: 4 instead of 3"),
        ("validation", DIFFERS + "validation_data"),
        ("steps_per_execution", DIFFERS + "steps_per_execution: 2 instead of 1"),
        ("optimizer", DIFFERS + "momentum of the optimizer: 0.5 instead of 0.9"),
        ("steps", DIFFERS + "number of steps of the data: 3 instead of 5"),
        ("version", DIFFERS + "version of Keras: 3.14.0 instead of 3."),
        ("verbs", "DifferentProgramError: worker 1 is at predict while worker 0 is at evaluate"),
    ],
)
def test_a_difference_is_named_before_anything_is_built_or_trained(many, name, told):
    for rank in many:
        assert rank["programs"][name].startswith(told)


def test_names_and_seeds_of_layers_are_no_difference(many):
    for rank in many:
        assert rank["programs"]["same"] == "accepted"


@pytest.mark.parametrize("kind", ["scalar", "ragged", "sparse"])
def test_predicting_what_has_no_dense_rows_is_refused(many, kind):
    for rank in many:
        assert rank["outputs"][kind].startswith("UnsupportedProgramError: predict on several work")


def test_a_model_made_outside_of_the_scope_is_trained_only_where_that_is_meant(many):
    for rank in many:
        refused, meant = rank["outside"]
        assert refused.startswith("UnsupportedProgramError: this model was made outside")
        assert meant == "accepted"


def test_pairs_of_versions_that_are_in_no_table_are_refused_with_one_line(many):
    for found in (rank["versions"] for rank in many):
        assert found["listed"] == found["overridden"] == "accepted"
        for name, seen in (("keras", "Keras 3.99.0"), ("tensorflow", "TensorFlow 2.16.1")):
            assert found[name].startswith("UnsupportedVersionError: Keras 3.")
            assert seen in found[name]
            assert "KERAS_MULTIWORKER_ANY_VERSION=1" in found[name]
            assert "\n" not in found[name]


def test_a_keras_in_which_something_moved_is_refused_before_training(many):
    for rank in many:
        assert "Model.fit takes ('self', 'x', 'y'" in rank["versions"]["moved"]
        assert "Model.fit_generator does not exist" in rank["versions"]["gone"]
