"""From the volumes of a pod to `spec.storage`, `spec.volumes` and the pod template."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from kubefit.api.names import (
    CONFIG_DIR,
    SECRETS_DIR,
    TMP_DIR,
    TOKEN_DIR,
    VOLUME_DIR,
    VolumeName,
)
from kubefit.api.volumes import Volume, below, check_distinct
from kubefit.convert.fields import Fields, Note

_TAKEN_DIRS = (VOLUME_DIR, CONFIG_DIR, SECRETS_DIR, TOKEN_DIR)
_OF_CLAIM = {"claimName", "readOnly"}
_NEW_CLAIM = "10Gi"


@dataclass(slots=True)
class Volumes:
    """Where the volumes of a pod go."""

    storage: dict[str, Any] = field(default_factory=dict)
    read_only: list[dict[str, Any]] = field(default_factory=list)
    """`spec.volumes`."""
    of_pod: list[dict[str, Any]] = field(default_factory=list)
    """Volumes of the pod template, and `mounts` of the container."""
    mounts: list[dict[str, Any]] = field(default_factory=list)


def of_pod(pod: Fields, container: Fields, others: list[Any], claim: str | None) -> Volumes:
    """The volumes of a pod and their mounts in the container that trains.

    Args:
        pod: `volumes` are taken.
        container: `volumeMounts` are taken.
        others: The other containers, which may mount the same volumes; their mounts are renamed.
        claim: The claim for `spec.storage`, where the document need not name it.

    Raises:
        UnconvertibleError: a volume is mounted where KubeFit's own are.

    """
    volumes = [_renamed(volume) for volume in pod.items("volumes")]
    mounts = [_mount(container, i, m) for i, m in enumerate(container.items("volumeMounts"))]
    shared: set[str] = set()
    for other in (container.left, *others):
        for mount in [*(other.get("volumeMounts") or []), *(other.get("volumeDevices") or [])]:
            mount.update(_renamed(mount))
            shared.add(mount["name"])
    found = Volumes()
    for volume in volumes:
        own = [mount for mount in mounts if mount.get("name") == volume.get("name")]
        read_only = None if volume.get("name") in shared else _read_only(volume, own)
        if read_only is not None and _fits(found.read_only, read_only):
            found.read_only.append(read_only)
        else:
            found.of_pod.append(volume)
            found.mounts += own
    named = {volume.get("name") for volume in volumes}
    for mount in mounts:
        if mount.get("name") not in named:
            raise container.refusal(
                "volumeMounts", f"there is no volume {mount.get('name')!r} in the pod"
            )
    _tell_tmp(container, found)
    _store(found, container.notes, claim)
    return found


def _renamed(item: dict[str, Any]) -> dict[str, Any]:
    """With another name, where the name is that of a volume of KubeFit."""
    name = item.get("name")
    return {**item, "name": f"tfjob-{name}"} if name in list(VolumeName) else item


def _mount(container: Fields, i: int, mount: dict[str, Any]) -> dict[str, Any]:
    path = str(mount.get("mountPath", ""))
    path = path.rstrip("/") or path
    if any(below(path, folder) for folder in _TAKEN_DIRS):
        raise container.refusal(
            f"volumeMounts[{i}].mountPath",
            f"{path} is a place of KubeFit's own: mount the volume elsewhere",
        )
    return {**_renamed(mount), "mountPath": path}


def _read_only(volume: dict[str, Any], mounts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """An item of `spec.volumes`, if the volume is a claim, read only, whole and at one place."""
    source = volume.get("persistentVolumeClaim")
    if not isinstance(source, dict) or len(mounts) != 1:
        return None
    mount = mounts[0]
    only_reads = source.get("readOnly") or mount.get("readOnly")
    whole = set(mount) <= {"name", "mountPath", "readOnly"}
    plain = set(volume) == {"name", "persistentVolumeClaim"} and set(source) <= _OF_CLAIM
    if not (only_reads and whole and plain):
        return None
    return {
        "name": volume.get("name"),
        "claim": source.get("claimName"),
        "mountPath": mount["mountPath"],
    }


def _fits(present: list[dict[str, Any]], item: dict[str, Any]) -> bool:
    try:
        check_distinct([Volume.model_validate(one) for one in [*present, item]])
    except (ValidationError, ValueError):
        return False
    return True


def _tell_tmp(container: Fields, found: Volumes) -> None:
    empty = {volume.get("name") for volume in found.of_pod if "emptyDir" in volume}
    for mount in found.mounts:
        if mount["mountPath"] == TMP_DIR and mount.get("name") not in empty:
            container.note(
                "volumeMounts", f"the volume at {TMP_DIR} has the temporary files of all workers"
            )


def _store(found: Volumes, notes: list[Note], claim: str | None) -> None:
    """The claim that is given, else the first that the container may write to, else a new one."""
    writable = {
        volume["name"]: volume["persistentVolumeClaim"].get("claimName")
        for volume in found.of_pod
        if isinstance(volume.get("persistentVolumeClaim"), dict)
        and not volume["persistentVolumeClaim"].get("readOnly")
    }
    mounts = [m for m in found.mounts if m.get("name") in writable and not m.get("readOnly")]
    if claim is not None:
        found.storage = {"claim": claim}
    elif mounts:
        found.storage = {"claim": writable[mounts[0]["name"]]}
        notes.append(
            Note(
                "spec.storage.claim",
                "checkpoints, logs and results go to a folder of the job on the claim that the"
                " program writes to; --claim names another",
            )
        )
    else:
        found.storage = {"create": {"size": _NEW_CLAIM}}
        notes.append(
            Note(
                "spec.storage.create",
                "no claim is mounted for writing, and KubeFit keeps checkpoints, logs and results"
                f" on one: a new one of {_NEW_CLAIM}, ReadWriteMany; set its size and"
                " storageClass, or name one with --claim",
            )
        )
