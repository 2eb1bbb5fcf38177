"""The operator's rights: one row for each resource that its code touches."""

from dataclasses import dataclass

from kubefit.api.names import GROUP, PLURAL

_WATCH = ("get", "list", "watch")
_APPLY = ("create", "patch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule of a Role."""

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]


RBAC: tuple[Rule, ...] = (
    Rule(api_groups=(GROUP,), resources=(PLURAL,), verbs=(*_WATCH, "delete")),
    Rule(api_groups=(GROUP,), resources=(f"{PLURAL}/status",), verbs=("patch",)),
    # An owner reference that blocks deletion may be set only by who may set finalizers.
    Rule(api_groups=(GROUP,), resources=(f"{PLURAL}/finalizers",), verbs=("update",)),
    Rule(api_groups=("batch",), resources=("jobs",), verbs=(*_WATCH, *_APPLY)),
    Rule(api_groups=("",), resources=("pods",), verbs=_WATCH),
    Rule(api_groups=("",), resources=("persistentvolumeclaims",), verbs=(*_WATCH, *_APPLY)),
    Rule(api_groups=("",), resources=("configmaps",), verbs=("get", *_APPLY)),
    # Deleted when a running job wants no TensorBoard any more.
    Rule(api_groups=("",), resources=("services",), verbs=("get", *_APPLY, "delete")),
    Rule(api_groups=("apps",), resources=("deployments",), verbs=("get", *_APPLY, "delete")),
    Rule(api_groups=("",), resources=("events",), verbs=("create",)),
    # Those of the agents; the operator reads none.
    Rule(api_groups=("",), resources=("secrets",), verbs=("create",)),
)
