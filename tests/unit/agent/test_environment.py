"""The environment of a trainer."""

import json

import pytest

from kubefit.api.contract import RunConfig
from kubefit.api.names import Env
from kubefit.api.recipe import Recipe
from kubefit.api.v1alpha1 import Runtime, Script
from kubefit_trainer.agent import environment

POD = RunConfig(namespace="ml", name="digits", workers=3, hosts="digits-{rank}.digits", job_dir="/")
LOCAL = RunConfig(
    namespace="ml",
    name="digits",
    workers=2,
    hosts="127.0.0.1",
    agent_ports=[5001, 5002],
    job_dir="/",
)
HERE = ["127.0.0.1:4001", "127.0.0.1:4002"]
APART = ["10.0.0.4:4001", "10.0.0.5:4002", "[fd00::6]:4003"]


def test_tf_config_names_all_workers_and_this_one():
    variables = environment.cluster(APART, 2)
    assert json.loads(variables["TF_CONFIG"]) == {
        "cluster": {"worker": APART},
        "task": {"type": "worker", "index": 2},
    }


def test_keras_distribution_tells_the_same():
    variables = environment.cluster(HERE, 1)
    assert variables["KERAS_DISTRIBUTION_JOB_ADDRESSES"] == "127.0.0.1:4001,127.0.0.1:4002"
    assert variables["KERAS_DISTRIBUTION_NUM_PROCESSES"] == "2"
    assert variables["KERAS_DISTRIBUTION_PROCESS_ID"] == "1"


def test_a_single_worker_has_a_cluster_of_one():
    alone = environment.cluster(APART[:1], 0)
    assert json.loads(alone["TF_CONFIG"])["cluster"]["worker"] == APART[:1]


def test_thread_pools_follow_the_cpu_limit_rounded_up():
    assert environment.threads(1.5)["TF_NUM_INTRAOP_THREADS"] == "2"
    assert environment.threads(0.5)["OMP_NUM_THREADS"] == "1"
    assert environment.threads(1.0)["TF_NUM_INTEROP_THREADS"] == "2"


def test_workers_of_one_host_share_its_cpus():
    on_one_host = environment.of_trainer(LOCAL, 0, addresses=HERE, cpus=8.0, given={})
    on_its_own = environment.of_trainer(POD, 0, addresses=APART, cpus=8.0, given={})
    assert on_one_host["TF_NUM_INTRAOP_THREADS"] == "4"
    assert on_its_own["TF_NUM_INTRAOP_THREADS"] == "8"


def test_what_the_user_sets_wins_except_the_place_in_the_cluster():
    given = {"TF_NUM_INTRAOP_THREADS": "3", "TF_CONFIG": "{}", "MINE": "1", Env.LIFELINE: "7"}
    variables = environment.of_trainer(POD, 0, addresses=APART, cpus=8.0, given=given)
    assert variables["TF_NUM_INTRAOP_THREADS"] == "3"
    assert variables["MINE"] == "1"
    assert variables["TF_CONFIG"] != "{}"
    assert variables["KERAS_BACKEND"] == "tensorflow"
    assert Env.LIFELINE not in variables


@pytest.mark.parametrize(("runtime", "legacy"), [(Runtime.KERAS, "0"), (Runtime.TF_KERAS, "1")])
def test_the_runtime_says_what_tf_keras_is(runtime: Runtime, legacy: str):
    config = POD.model_copy(update={"script": Script(inline="1", runtime=runtime)})
    variables = environment.of_trainer(
        config, 0, addresses=APART, cpus=1.0, given={"TF_USE_LEGACY_KERAS": "x"}
    )
    assert variables["TF_USE_LEGACY_KERAS"] == legacy


def test_an_environment_that_asks_for_keras_2_must_agree_with_the_runtime():
    given = {"TF_USE_LEGACY_KERAS": "1"}
    keras = POD.model_copy(update={"script": Script(inline="1")})
    tf_keras = POD.model_copy(update={"script": Script(inline="1", runtime=Runtime.TF_KERAS)})
    sentence = environment.check(keras, given=given)
    assert sentence is not None
    assert sentence.startswith("spec.script.runtime: is keras, but the environment has")
    assert "set the runtime to tf-keras" in sentence
    assert environment.check(keras, given={}) is None
    assert environment.check(tf_keras, given=given) is None
    assert environment.check(POD, given=given) is None


def test_an_image_without_tf_keras_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = POD.model_copy(update={"script": Script(inline="1", runtime=Runtime.TF_KERAS)})
    sentence = environment.check(config, given={})
    assert sentence is not None
    assert sentence.startswith("spec.script.runtime: tf_keras is not installed in this image")
    assert "pip install --no-deps" in sentence


def test_an_image_without_keras_hub_is_found_before_tensorflow_starts(
    monkeypatch: pytest.MonkeyPatch,
):
    recipe = {
        "data": {"train": {"folder": "pets"}, "imageSize": [64, 64]},
        "model": {"backbone": {"kerasHub": "models/resnet"}},
        "training": {"epochs": 1},
    }
    config = POD.model_copy(update={"recipe": Recipe.model_validate(recipe)})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    sentence = environment.check(config, given={})
    assert sentence is not None
    assert sentence.startswith("spec.recipe.model.backbone.kerasHub: the image has no package")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert environment.check(config, given={}) is None
