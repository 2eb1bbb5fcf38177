"""TFJob of Kubeflow's training operator: MultiWorkerMirroredStrategy on workers and a chief."""

from typing import Any

from kubefit.convert import containers, pods, policy, roles, shape
from kubefit.convert.conversion import Conversion, Given, conversion
from kubefit.convert.fields import fields_of
from kubefit.convert.metadata import of_document

_CONTAINER = "tensorflow"


def convert(document: dict[str, Any], given: Given) -> Conversion:
    """The TrainingJob of a TFJob.

    Raises:
        UnconvertibleError: none can be made.

    """
    fields = fields_of(document)
    metadata, names = of_document(fields)
    spec = fields.part("spec")
    shape.check(spec.left, "spec")
    if "replicaSpecs" in spec:
        raise spec.refusal("replicaSpecs", "is older than v1alpha2: write it as tfReplicaSpecs")
    count, worker = roles.workers(spec)
    run_policy, priority = policy.run_policy(spec, worker)
    template = worker.part("template")
    of_pods = pods.metadata(template)
    pod = template.part("spec")
    container, beside = containers.of_pod(pod, _CONTAINER)
    found = pods.workers(pod, container, beside, given, names)
    if priority:
        found["podTemplate"]["spec"].setdefault("priorityClassName", priority)
    return conversion(
        fields,
        metadata,
        {"workers": count, **found, "runPolicy": run_policy},
        of_pods,
    )
