"""From the resources of a container to `spec.resources`."""

from typing import Any

from kubefit.convert.fields import Fields

_NVIDIA = "nvidia.com/"
_OTHER_ACCELERATORS = ("amd.com/", "gpu.intel.com/", "habana.ai/", "cloud-tpus.google.com/")


def of_container(container: Fields) -> tuple[dict[str, Any], list[Any]]:
    """`spec.resources`, and claims of devices, which go to the pod template.

    TrainJobs have another name for the field.
    """
    name = "resources" if "resources" in container else "resourcesPerNode"
    resources = container.part(name)
    amounts = {
        kind: {key: _quantity(value) for key, value in resources.part(kind).carry_all().items()}
        for kind in ("requests", "limits")
    }
    for resource in sorted({*amounts["requests"], *amounts["limits"]}):
        if resource.startswith(_OTHER_ACCELERATORS):
            container.note(
                name,
                f"{resource}: the image needs a TensorFlow that is built for it;"
                " KubeFit's own images have the one for CPUs or for NVIDIA's GPUs",
            )
    return {kind: given for kind, given in amounts.items() if given}, resources.items("claims")


def asks_for_nvidia(resources: dict[str, Any]) -> bool:
    """Whether a worker has GPUs."""
    return any(name.startswith(_NVIDIA) for amounts in resources.values() for name in amounts)


def _quantity(value: Any) -> Any:
    """YAML reads `0.5` as a number, for which the field has a text."""
    return f"{value:g}" if isinstance(value, float) else value
