"""The operator's rights: one row for each resource that its code touches."""

from dataclasses import dataclass

from kubefit.api.names import GROUP, PLURAL, GangScheduler
from kubefit.core.gangs import API_VERSIONS

_WATCH = ("get", "list", "watch")
_APPLY = ("create", "patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of a Role."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    resource_names: tuple[str, ...] = ()
    """Only objects of these names; all when empty."""


RBAC: tuple[Rule, ...] = (
    Rule(api_groups=(GROUP,), resources=(PLURAL,), verbs=(*_WATCH, "delete")),
    Rule(api_groups=(GROUP,), resources=(f"{PLURAL}/status",), verbs=("patch",)),
    # An owner reference that blocks deletion may be set only by who may set finalizers.
    Rule(api_groups=(GROUP,), resources=(f"{PLURAL}/finalizers",), verbs=("update",)),
    # Deleted when a job is suspended.
    Rule(api_groups=("batch",), resources=("jobs",), verbs=(*_WATCH, *_APPLY, "delete")),
    Rule(api_groups=("",), resources=("pods",), verbs=_WATCH),
    Rule(api_groups=("",), resources=("persistentvolumeclaims",), verbs=(*_WATCH, *_APPLY)),
    Rule(api_groups=("",), resources=("configmaps",), verbs=("get", *_APPLY)),
    Rule(
        api_groups=("networking.k8s.io",),
        resources=("networkpolicies",),
        verbs=("get", *_APPLY),
    ),
    # Deleted when a running job wants no TensorBoard any more.
    Rule(api_groups=("",), resources=("services",), verbs=("get", *_APPLY, "delete")),
    Rule(api_groups=("apps",), resources=("deployments",), verbs=("get", *_APPLY, "delete")),
    Rule(api_groups=("",), resources=("events",), verbs=("create", "list")),
    # Those of the agents; the operator reads none.
    Rule(api_groups=("",), resources=("secrets",), verbs=("create",)),
)


def gang_rights(scheduler: GangScheduler) -> tuple[Rule, ...]:
    """For the PodGroups that this scheduler heeds; deleted when a job is suspended."""
    group = API_VERSIONS[scheduler].partition("/")[0]
    verbs = ("get", *_APPLY, "delete")
    return (Rule(api_groups=(group,), resources=("podgroups",), verbs=verbs),)


def lease_rights(lease: str) -> tuple[Rule, ...]:
    """In the operator's own namespace, for the election; creating cannot be bound to a name."""
    groups, leases = ("coordination.k8s.io",), ("leases",)
    return (
        Rule(api_groups=groups, resources=leases, verbs=("create",)),
        Rule(api_groups=groups, resources=leases, verbs=("get", "patch"), resource_names=(lease,)),
    )
