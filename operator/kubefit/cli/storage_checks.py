"""Whether workers on several nodes can share a volume: pure functions of a survey.

No StorageClass tells its access modes: known drivers, and volumes that exist, do.
"""

import datetime
from collections.abc import Iterator
from typing import Any

from kubefit.cli.finding import Finding, ok, unknown, warn
from kubefit.client.survey import Silence, Survey

_SHARED = (
    "nfs",
    "efs.csi.aws.com",
    "fsx.csi.aws.com",
    "file.csi.azure.com",
    "filestore.csi.storage.gke.io",
    "lustre",
    "cephfs.csi.ceph.com",
    "driver.longhorn.io",
    "smb.csi.k8s.io",
    "juicefs",
    "glusterfs",
    "beegfs",
    "weka",
    "portworx",
)
"""Parts of the names of drivers that can mount a volume on several nodes for writing."""
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_MANY = "ReadWriteMany"


def storage(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    """StorageClasses, and which of them several nodes can share."""
    if isinstance(seen.classes, Silence):
        yield unknown("storage", "StorageClasses may not be looked at")
        return
    classes = seen.classes["items"]
    if not classes:
        yield warn(
            "storage",
            "there is no StorageClass, so that spec.storage.create gets no volume: name an existing"
            " claim in spec.storage.claim",
        )
        return
    names = [
        one["metadata"]["name"] + (" (default)" if _is_default(one) else "") for one in classes
    ]
    shared = [one["metadata"]["name"] for one in classes if _shares(one, seen)]
    listed = f"StorageClasses: {', '.join(names)}"
    if not any(_is_default(one) for one in classes):
        yield warn(
            "storage",
            f"{listed}; none is the default: set spec.storage.create.storageClass",
        )
    else:
        yield ok("storage", listed)
    yield _sharing(shared, alone=_nodes(seen) == 1)


def _sharing(shared: list[str], *, alone: bool) -> Finding:
    if shared:
        return ok("sharing", f"{', '.join(shared)} can be {_MANY}, for workers on several nodes")
    if alone:
        return ok("sharing", "the only node needs no ReadWriteMany: accessMode ReadWriteOnce does")
    return warn(
        "sharing",
        f"no StorageClass is known to offer {_MANY}: workers on several nodes need one, such as NFS"
        " or CephFS; with accessMode ReadWriteOnce all workers run on one node",
    )


def _is_default(storage_class: dict[str, Any]) -> bool:
    found = storage_class["metadata"].get("annotations", {}).get(_DEFAULT)
    return bool(found == "true")


def _shares(storage_class: dict[str, Any], seen: Survey) -> bool:
    driver = str(storage_class.get("provisioner", ""))
    return any(part in driver for part in _SHARED) or _has_shared(storage_class, seen)


def _has_shared(storage_class: dict[str, Any], seen: Survey) -> bool:
    """Whether a volume of that class is bound as one that several nodes share."""
    volumes = [] if isinstance(seen.volumes, Silence) else seen.volumes["items"]
    name = storage_class["metadata"]["name"]
    return any(
        volume["spec"].get("storageClassName") == name
        and _MANY in volume["spec"].get("accessModes", [])
        for volume in volumes
    )


def _nodes(seen: Survey) -> int | None:
    return None if isinstance(seen.nodes, Silence) else len(seen.nodes["items"])
