"""TrainJob of Kubeflow Trainer v2: as far as it stands in the job and not in its runtime."""

from typing import Any

from kubefit.convert import pods, policy, shape
from kubefit.convert.conversion import Conversion, Given, conversion
from kubefit.convert.fields import Fields, fields_of
from kubefit.convert.metadata import of_document
from kubefit.core.merge import merged

_TRAINS = "node"
"""Name of the replicated job, and of the container in it, that trains."""
_OTHER_FRAMEWORKS = ("deepspeed", "jax", "mlx", "torch", "torchtune", "xgboost")
"""How the names of Kubeflow's own runtimes begin."""
_PLACES = {"dataset": "/workspace/dataset", "model": "/workspace/model"}


def convert(document: dict[str, Any], given: Given) -> Conversion:
    """The TrainingJob of a TrainJob.

    Raises:
        UnconvertibleError: none can be made.

    """
    fields = fields_of(document)
    metadata, names = of_document(fields)
    spec = fields.part("spec")
    shape.check(spec.left, "spec")
    _runtime(spec)
    _initializer(spec.part("initializer"))
    trainer = spec.part("trainer")
    count = trainer.number("numNodes")
    if count is None:
        trainer.note("numNodes", "is not set: it is 1 in the TrainingJob, whatever the runtime has")
    trainer.leave("numProcPerNode", "a worker is one process, with all its GPUs; it is left out")
    of_pods: dict[str, Any] = {}
    pod = Fields(spec.path, spec.notes, {})
    for template in _patches(spec):
        of_pods = merged(of_pods, pods.metadata(template))
        patch = template.part("spec")
        _merge_container(patch, trainer)
        pod.path = patch.path
        pod.left = merged(pod.left, patch.carry_all())
    found = pods.workers(pod, trainer, [], given, names)
    pod.tell_what_is_left()
    run_policy = policy.of_trainjob(spec)
    spec_of_job = {"workers": count or 1, **found, "runPolicy": run_policy}
    return conversion(fields, metadata, spec_of_job, of_pods)


def _runtime(spec: Fields) -> None:
    runtime = spec.part("runtimeRef")
    kind = runtime.text("kind") or "ClusterTrainingRuntime"
    runtime.take("apiGroup")
    name = runtime.text("name")
    if name.partition("-")[0] in _OTHER_FRAMEWORKS:
        raise runtime.refusal(
            "name", f"{name} is not for Keras on TensorFlow, which KubeFit trains"
        )
    spec.note(
        "runtimeRef",
        f"what {kind} {name} sets beside is not in this document: look for volumes, variables and"
        f" resources with kubectl get {kind.lower()} {name} -o yaml",
    )


def _initializer(initializer: Fields) -> None:
    for name, place in _PLACES.items():
        part = initializer.take(name)
        if not part:
            continue
        source = part.get("storageUri") if isinstance(part, dict) else None
        initializer.note(
            name,
            f"is left out: spec.fetch with from: {source} and to: {name} brings it to"
            f" /mnt/kubefit/{name}, where the program has to look for it in place of {place};"
            " secretName there has other keys than secretRef",
        )


def _patches(spec: Fields) -> list[Fields]:
    """The pod templates that the job lays over the one of the runtime that trains."""
    found = []
    for override in spec.list_of_parts("podTemplateOverrides"):
        targets = [target.take("name") for target in override.list_of_parts("targetJobs")]
        if _TRAINS in targets:
            found.append(override)
        else:
            override.carry_all()
            override.note("", f"is not for {_TRAINS}, and is left out")
    for patch in spec.list_of_parts("runtimePatches"):
        for name in ("manager", "time"):
            patch.take(name)
        job_set = patch.part("trainingRuntimeSpec").part("template")
        for job in job_set.part("spec").list_of_parts("replicatedJobs"):
            if job.left.get("name") == _TRAINS:
                job.take("name")
                found.append(job.part("template").part("spec").part("template"))
            else:
                job.carry_all()
                job.note("", f"is not for {_TRAINS}, and is left out")
    return found


def _merge_container(patch: Fields, trainer: Fields) -> None:
    """What is laid over the container that trains is over what the job itself says of it."""
    kept = []
    for container in patch.items("containers"):
        if isinstance(container, dict) and container.get("name") == _TRAINS:
            own = {name: value for name, value in container.items() if name != "name"}
            trainer.left = merged(trainer.left, own)
        else:
            kept.append(container)
    if kept:
        patch.note("containers", f"others than {_TRAINS} are of the runtime, and are left out")
