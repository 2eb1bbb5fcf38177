"""Security contexts, which are merged with those that KubeFit gives its pods."""

from dataclasses import dataclass
from typing import Any

from kubefit.convert.fields import Fields

_ROOT = 0
_ADMIN = ("SYS_ADMIN", "CAP_SYS_ADMIN")


@dataclass(frozen=True, slots=True)
class Contexts:
    """Those of the pod and of the container that trains."""

    pod: dict[str, Any]
    container: dict[str, Any]


def of(pod: Fields, container: Fields) -> Contexts:
    """Those of the document, with what they need beside KubeFit's own to be valid.

    Tells as whom the program runs, and where it may write.
    """
    of_pod = pod.part("securityContext").carry_all()
    own = container.part("securityContext").carry_all()
    added = (own.get("capabilities") or {}).get("add") or []
    if own.get("privileged") or any(one in _ADMIN for one in added):
        own.setdefault("allowPrivilegeEscalation", True)
    for context in (of_pod, own):
        if context.get("runAsUser") == _ROOT:
            context.setdefault("runAsNonRoot", False)
    for where, context in ((pod, of_pod), (container, own)):
        if context.get("runAsNonRoot") is False or context.get("privileged"):
            where.note("securityContext", "namespaces with Pod Security restricted refuse this")
    user = own.get("runAsUser", of_pod.get("runAsUser", 65532))
    if own.get("readOnlyRootFilesystem") is not False:
        container.note(
            "securityContext",
            f"the program runs as user {user} with a read-only root: it can write to its volumes"
            " and to /tmp",
        )
    return Contexts(of_pod, own)
