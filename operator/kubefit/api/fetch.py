"""`spec.fetch`: what is brought onto the job's volume before the workers start."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.volumes import below

_PROVEN = "http:// proves nothing of what arrives: use https://, or give its sha256"
_NO_ENDPOINT = "endpoint belongs to s3:// and gs://"
_IN_CLEAR = "http:// would send what secretName holds in clear: use https://"
_IN_CLEAR_CEL = (
    "!has(self.secretName) || !(self.from.startsWith('http://')"
    " || self.from.startsWith('gs://') && has(self.endpoint) && self.endpoint.startsWith('http://'))"
)


class Fetch(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("!self.from.startsWith('http://') || has(self.sha256)", _PROVEN),
            rule(_IN_CLEAR_CEL, _IN_CLEAR),
            rule("!has(self.endpoint) || self.from.matches('^(s3|gs)://')", _NO_ENDPOINT),
        ]
    },
):
    """A file, or a folder with all that is in it, fetched once and kept on the volume."""

    source: Annotated[
        str,
        Field(alias="from", pattern=r"^(s3|gs|hf|https?)://[^/\s@]+(/\S*)?$", max_length=1024),
    ]
    """`s3://bucket/key`, `gs://bucket/key`, `hf://datasets/owner/name/path` or `https://…`.

    A key that ends with `/`, or names no object, stands for all objects below it.
    """
    to: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
            max_length=253,
        ),
    ]
    """Where the file or folder goes, relative to the volume's root."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | SkipJsonSchema[None] = None
    """Checksum of a single file; another file is refused."""
    secret_name: (
        Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=253)]
        | SkipJsonSchema[None]
    ) = None
    """Secret with credentials, which the workers' first container alone sees.

    Its keys: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` and `AWS_REGION`;
    `GOOGLE_APPLICATION_CREDENTIALS` (the JSON itself); `HF_TOKEN`; `HTTP_AUTHORIZATION`.
    """
    endpoint: (
        Annotated[str, Field(pattern=r"^https?://[^/\s@]+(/\S*)?$", max_length=253)]
        | SkipJsonSchema[None]
    ) = None
    """Address of an object store that is not Amazon's or Google's."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.source.startswith("http://") and self.sha256 is None:
            raise ValueError(_PROVEN)
        if self.endpoint is not None and not self.source.startswith(("s3://", "gs://")):
            raise ValueError(_NO_ENDPOINT)
        if self.secret_name is not None and self._sends_in_clear():
            raise ValueError(_IN_CLEAR)
        return self

    def _sends_in_clear(self) -> bool:
        """Whether a token would be readable on its way; keys of S3 only sign and are never sent."""
        address = self.endpoint or "" if self.source.startswith("gs://") else self.source
        return address.startswith("http://")


_APART = "the place of what is fetched is that of another or lies in it; choose another to"

DISTINCT_PLACES = [
    rule("self.all(x, self.exists_one(y, (x.to + '/').startsWith(y.to + '/')))", _APART),
]
"""Rule of a list of things to fetch."""


def check_places(fetches: list[Fetch]) -> list[Fetch]:
    """The list, where nothing is fetched into something else.

    Raises:
        ValueError: otherwise.

    """
    places = [fetch.to for fetch in fetches]
    if any(sum(below(place, other) for other in places) > 1 for place in places):
        raise ValueError(_APART)
    return fetches
