"""The environment of a trainer."""

import json

from kubefit.api.contract import RunConfig
from kubefit.api.names import Env
from kubefit_trainer.agent import environment

POD = RunConfig(namespace="ml", name="digits", workers=3, hosts="digits-{rank}.digits", job_dir="/")
LOCAL = RunConfig(
    namespace="ml",
    name="digits",
    workers=2,
    hosts="127.0.0.1",
    tensorflow_ports=[4001, 4002],
    agent_ports=[5001, 5002],
    job_dir="/",
)


def test_tf_config_names_all_workers_and_this_one():
    variables = environment.cluster(POD, 2)
    assert json.loads(variables["TF_CONFIG"]) == {
        "cluster": {
            "worker": ["digits-0.digits:2222", "digits-1.digits:2222", "digits-2.digits:2222"]
        },
        "task": {"type": "worker", "index": 2},
    }


def test_keras_distribution_tells_the_same():
    variables = environment.cluster(LOCAL, 1)
    assert variables["KERAS_DISTRIBUTION_JOB_ADDRESSES"] == "127.0.0.1:4001,127.0.0.1:4002"
    assert variables["KERAS_DISTRIBUTION_NUM_PROCESSES"] == "2"
    assert variables["KERAS_DISTRIBUTION_PROCESS_ID"] == "1"


def test_a_single_worker_has_a_cluster_of_one():
    alone = POD.model_copy(update={"workers": 1})
    assert json.loads(environment.cluster(alone, 0)["TF_CONFIG"])["cluster"]["worker"] == [
        "digits-0.digits:2222"
    ]


def test_thread_pools_follow_the_cpu_limit_rounded_up():
    assert environment.threads(1.5)["TF_NUM_INTRAOP_THREADS"] == "2"
    assert environment.threads(0.5)["OMP_NUM_THREADS"] == "1"
    assert environment.threads(1.0)["TF_NUM_INTEROP_THREADS"] == "2"


def test_workers_of_one_host_share_its_cpus():
    on_one_host = environment.of_trainer(LOCAL, 0, cpus=8.0, given={})
    on_its_own = environment.of_trainer(POD, 0, cpus=8.0, given={})
    assert on_one_host["TF_NUM_INTRAOP_THREADS"] == "4"
    assert on_its_own["TF_NUM_INTRAOP_THREADS"] == "8"


def test_what_the_user_sets_wins_except_the_place_in_the_cluster():
    given = {"TF_NUM_INTRAOP_THREADS": "3", "TF_CONFIG": "{}", "MINE": "1", Env.LIFELINE: "7"}
    variables = environment.of_trainer(POD, 0, cpus=8.0, given=given)
    assert variables["TF_NUM_INTRAOP_THREADS"] == "3"
    assert variables["MINE"] == "1"
    assert variables["TF_CONFIG"] != "{}"
    assert variables["KERAS_BACKEND"] == "tensorflow"
    assert Env.LIFELINE not in variables
