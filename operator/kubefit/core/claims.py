"""The claims that a TrainingJob names and does not create."""

from collections.abc import Iterator

from kubefit.core.observed import Object


def named(resource: Object) -> Iterator[tuple[str, str]]:
    """Path of the field and name of the claim, each."""
    spec = resource["spec"]
    claim = spec.get("storage", {}).get("claim")
    if claim is not None:
        yield "spec.storage.claim", str(claim)
    for i, volume in enumerate(spec.get("volumes", ())):
        if "claim" in volume:
            yield f"spec.volumes[{i}].claim", str(volume["claim"])
