"""The environment of the TensorFlow process: its place in the cluster and the size of its pools.

Pure functions; what the user has set in the pod wins.
"""

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence

from kubefit.api.contract import RunConfig
from kubefit.api.names import Env
from kubefit.api.v1alpha1 import Runtime
from kubefit_trainer import which_keras


def of_trainer(
    config: RunConfig,
    rank: int,
    *,
    addresses: Sequence[str],
    cpus: float,
    given: Mapping[str, str],
) -> dict[str, str]:
    """All variables of the trainer of that rank, apart from files.

    Args:
        config: The run.
        rank: Rank of the worker.
        addresses: `host:port` of the TensorFlow servers, by rank.
        cpus: CPUs that this process may use; workers on one host share them.
        given: Environment of the agent.

    """
    hosts = {address.rpartition(":")[0] for address in addresses}
    sharing = len(addresses) if len(hosts) == 1 else 1
    defaults = {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "PYTHONUNBUFFERED": "1",
        **threads(cpus / sharing),
    }
    kept = {name: value for name, value in given.items() if name != Env.LIFELINE}
    return {
        **defaults,
        **kept,
        **cluster(addresses, rank),
        "KERAS_BACKEND": "tensorflow",
        which_keras.LEGACY: "1" if config.runtime is Runtime.TF_KERAS else "0",
    }


def check(config: RunConfig, *, given: Mapping[str, str]) -> str | None:
    """One sentence if a package of the job is not installed, or not what the environment asks."""
    if config.runtime is Runtime.TF_KERAS and importlib.util.find_spec("tf_keras") is None:
        return (
            "spec.script.runtime: tf_keras is not installed in this image;"
            " add it with pip install --no-deps 'tf_keras>=2.21,<2.22'"
        )
    backbone = config.recipe and config.recipe.backbone
    if backbone and backbone.keras_hub and importlib.util.find_spec("keras_hub") is None:
        return (
            "spec.recipe.model.backbone.kerasHub: the image has no package keras-hub; build one"
            " that has it, as docs/how-to/fine-tune.md shows"
        )
    legacy = given.get(which_keras.LEGACY, "") in which_keras.ON
    if config.script is not None and config.runtime is Runtime.KERAS and legacy:
        return (
            f"spec.script.runtime: is keras, but the environment has {which_keras.LEGACY}, which"
            " asks for Keras 2: set the runtime to tf-keras, or take the variable away"
        )
    return None


def cluster(addresses: Sequence[str], rank: int) -> dict[str, str]:
    """TF_CONFIG, and the variables of `keras.distribution.initialize` with the same content."""
    tf_config = {
        "cluster": {"worker": list(addresses)},
        "task": {"type": "worker", "index": rank},
    }
    return {
        "TF_CONFIG": json.dumps(tf_config),
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": ",".join(addresses),
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(len(addresses)),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(rank),
    }


def threads(cpus: float) -> dict[str, str]:
    """Sizes of TensorFlow's thread pools, which else count the CPUs of the whole node.

    At least two threads run operations: one may wait for its peers in a collective.
    """
    count = max(1, math.ceil(cpus))
    return {
        "TF_NUM_INTRAOP_THREADS": str(count),
        "TF_NUM_INTEROP_THREADS": str(max(2, count)),
        "OMP_NUM_THREADS": str(count),
    }
