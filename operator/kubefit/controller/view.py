"""What the watches have brought: TrainingJobs and their children, by job."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubefit.api.names import LABEL_ROLE, ROLE_WORKER
from kubefit.controller.worklist import Key
from kubefit.core import claims
from kubefit.core.observed import Object

Index = Mapping[Key, Iterable[Any]]


@dataclass(slots=True)
class View:
    """Live indices; kopf fills them before it calls any handler and keeps them up to date."""

    trainingjobs: Index = field(default_factory=dict)
    jobs: Index = field(default_factory=dict)
    pods: Index = field(default_factory=dict)
    claims: Index = field(default_factory=dict)

    def resource(self, key: Key) -> Object | None:
        """The TrainingJob; None when it is gone or going."""
        for found in self.trainingjobs.get(key, ()):
            if "deletionTimestamp" not in found["metadata"]:
                resource: Object = found
                return resource
        return None

    def job(self, key: Key, owner: str) -> Object | None:
        """The Indexed Job that belongs to the TrainingJob with that uid."""
        return next(iter(_owned(self.jobs.get(key, ()), owner)), None)

    def pods_of(self, key: Key, owner: str) -> tuple[Object, ...]:
        """The pods of the Job with that uid."""
        return tuple(_owned(self.pods.get(key, ()), owner))

    def leftovers(self, key: Key, owner: str) -> tuple[str, ...]:
        """Names of workers' pods under that name which the Job with that uid does not own."""
        pods = tuple(self.pods.get(key, ()))
        own = _owned(pods, owner)
        return tuple(
            pod["metadata"]["name"]
            for pod in pods
            if pod["metadata"]["labels"].get(LABEL_ROLE) == ROLE_WORKER and pod not in own
        )

    def claims_of(self, resource: Object) -> frozenset[str]:
        """Names of those claims that the TrainingJob names and that there are."""
        namespace = resource["metadata"]["namespace"]
        return frozenset(
            name
            for _, name in claims.named(resource)
            if tuple(self.claims.get((namespace, name), ()))
        )

    def users_of(self, claim: Key) -> list[Key]:
        """TrainingJobs that name the claim."""
        namespace, name = claim
        return [
            key
            for key, found in self.trainingjobs.items()
            if key[0] == namespace and any(name in dict(claims.named(r)).values() for r in found)
        ]


def _owned(objects: Iterable[Object], owner: str) -> list[Object]:
    """Those whose owner has that uid: a job made anew never adopts the pods of its namesake."""
    return [
        found
        for found in objects
        if any(o["uid"] == owner for o in found["metadata"].get("ownerReferences", ()))
    ]
