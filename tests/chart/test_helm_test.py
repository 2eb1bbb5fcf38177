"""The job that `helm test` has trained."""

import pytest

from kubefit.api import names
from kubefit.api.errors import read_job

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize(
    ("settings", "namespace"),
    [
        ((), "kubefit-system"),
        (('watchNamespaces=["a","b"]',), "a"),
        (('rbac.scope="namespaced"',), "kubefit-system"),
    ],
)
def test_the_job_of_helm_test_is_one_that_the_operator_runs(render, settings, namespace) -> None:
    place = "" if namespace == "kubefit-system" else f"{namespace}/"
    objects = render(*settings, 'helmTest.storageClass="standard"', tests=True)
    job = read_job(objects[names.KIND, f"{place}test-kubefit"])
    assert job.metadata.namespace == namespace
    assert job.spec.storage.create is not None
    assert job.spec.storage.create.storage_class == "standard"
    (container,) = objects["Pod", f"{place}test-kubefit"]["spec"]["containers"]
    assert container["args"][1:] == [namespace, job.metadata.name]
    (rule,) = objects["Role", f"{place}test-kubefit"]["rules"]
    assert (rule["resourceNames"], rule["verbs"]) == ([job.metadata.name], ["get"])
