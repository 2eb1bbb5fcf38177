"""`spec.volumes`: further volumes that every worker reads.

Their mount paths are where data and weights lie that are not on the job's own volume.
"""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.names import (
    CONFIG_DIR,
    MEMORY_DIR,
    SECRETS_DIR,
    TMP_DIR,
    TOKEN_DIR,
    VOLUME_DIR,
    VolumeName,
)

_RESERVED_DIRS = (VOLUME_DIR, CONFIG_DIR, SECRETS_DIR, TMP_DIR, MEMORY_DIR, TOKEN_DIR)
_RESERVED_NAME = f"{', '.join(VolumeName)} are volumes of KubeFit; choose another name"
_RESERVED_PATH = (
    f"{', '.join(_RESERVED_DIRS)}, what lies in them and what they lie in are KubeFit's; choose"
    " another path"
)


def below(path: str, folder: str) -> bool:
    """Whether the path is that of the folder or lies in it; both absolute, or both relative."""
    return f"{path}/".startswith(f"{folder}/")


def _free_name(name: str) -> str:
    if name in list(VolumeName):
        raise ValueError(_RESERVED_NAME)
    return name


def _free_path(path: str) -> str:
    if any(below(path, folder) or below(folder, path) for folder in _RESERVED_DIRS):
        raise ValueError(_RESERVED_PATH)
    return path


_Name = Annotated[
    str,
    Field(
        pattern=r"^([a-z0-9]-*)*[a-z0-9]$",
        max_length=63,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(f"!(self in {[name.value for name in VolumeName]})", _RESERVED_NAME)
            ]
        },
    ),
    AfterValidator(_free_name),
]
_Path = Annotated[
    str,
    Field(
        pattern=r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$",
        max_length=253,
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    f"{list(_RESERVED_DIRS)}.all(dir, !(dir + '/').startsWith(self + '/')"
                    " && !(self + '/').startsWith(dir + '/'))",
                    _RESERVED_PATH,
                )
            ]
        },
    ),
    AfterValidator(_free_path),
]


class PullPolicy(StrEnum):
    """When the image of a volume is pulled."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class ImageVolume(Model):
    """An OCI image or artifact whose files are the volume."""

    reference: Annotated[str, Field(min_length=1, max_length=512)]
    """As of a container's image, e.g. `registry.example/pets@sha256:…`."""
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """When the image is pulled, as of a container's image."""


_ONE_KIND = "set exactly one of claim and image"


class Volume(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [rule("has(self.claim) != has(self.image)", _ONE_KIND)]
    },
):
    """A volume of data or weights, mounted read-only into every worker."""

    name: _Name
    """Name of the volume in the pods, and of `kubefit run --mount NAME=DIR`."""
    claim: Annotated[str, Field(min_length=1, max_length=253)] | SkipJsonSchema[None] = None
    """Name of an existing PersistentVolumeClaim in the namespace."""
    image: ImageVolume | SkipJsonSchema[None] = None
    """An OCI image; the nodes need Kubernetes 1.35, and containerd 2.1 or CRI-O 1.33, or later."""
    mount_path: _Path
    """Absolute path in the workers; data and weights are named by absolute paths below it."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.claim is None) == (self.image is None):
            raise ValueError(_ONE_KIND)
        return self


_ONE_NAME = "two volumes have the same name"
_APART = "the mountPath of a volume is that of another or lies below it"

DISTINCT_VOLUMES = [
    rule("self.all(x, self.exists_one(y, x.name == y.name))", _ONE_NAME),
    rule(
        "self.all(x, self.exists_one(y, (x.mountPath + '/').startsWith(y.mountPath + '/')))",
        _APART,
    ),
]
"""Rules of a list of volumes."""


def check_distinct(volumes: list[Volume]) -> list[Volume]:
    """The volumes, where no two have one name and none is mounted into another.

    Raises:
        ValueError: otherwise.

    """
    if len({volume.name for volume in volumes}) < len(volumes):
        raise ValueError(_ONE_NAME)
    paths = [volume.mount_path for volume in volumes]
    if any(sum(below(path, other) for other in paths) > 1 for path in paths):
        raise ValueError(_APART)
    return volumes
