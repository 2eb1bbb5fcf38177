"""Whether a cluster is fit for jobs: pure functions of a survey, one line a check."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

from kubefit.api.names import VERSION
from kubefit.api.version import __version__
from kubefit.cli.finding import Finding, fail, ok, unknown, warn
from kubefit.cli.listing import age
from kubefit.cli.storage_checks import storage
from kubefit.client.survey import Silence, Survey
from kubefit.core.definition import lacking

_OLDEST = (1, 31)
_LEASE_SECONDS = 60.0
"""The leader renews its Lease every two seconds; clocks may differ by some."""
_LEVEL = "pod-security.kubernetes.io/enforce"
_VERSION = "app.kubernetes.io/version"

Check = Callable[[Survey, datetime.datetime], Iterator[Finding]]


def checkup(seen: Survey, now: datetime.datetime) -> list[Finding]:
    """All findings, in the order in which things depend on each other."""
    return [finding for check in _CHECKS for finding in check(seen, now)]


def _cluster(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    if isinstance(seen.version, Silence):
        yield unknown("cluster", f"{seen.server} answers, but does not tell its version")
        return
    shown = str(seen.version.get("gitVersion", "?"))
    told = f"{seen.server} runs Kubernetes {shown}"
    digits = ["".join(c for c in seen.version.get(p, "") if c.isdigit()) for p in _PARTS]
    number = tuple(int(text or 0) for text in digits)
    if number < _OLDEST:
        yield warn("cluster", f"{told}; KubeFit needs 1.{_OLDEST[1]} or newer: upgrade it")
    else:
        yield ok("cluster", told)


_PARTS = ("major", "minor")


def _definition(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    if seen.api is Silence.ABSENT:
        yield fail(
            "definition",
            f"the cluster does not know TrainingJobs of {VERSION}: install KubeFit with its chart,"
            " see docs/quickstart.md",
        )
        return
    if isinstance(seen.schema, Silence):
        yield unknown("definition", "TrainingJobs are served; their schema may not be looked at")
        return
    missing = lacking(seen.schema)
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        yield warn(
            "definition",
            f"the cluster's definition of TrainingJobs is older than this command, which knows"
            f" {', '.join(missing[:3])}{more} besides: upgrade the chart, its CRD with it",
        )
    else:
        yield ok("definition", f"TrainingJobs of {VERSION} are served, with the fields known here")


def _operator(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    if isinstance(seen.operators, Silence):
        yield unknown("operator", "Deployments of the operator may not be looked at")
        return
    if not seen.operators["items"]:
        yield fail("operator", "there is no Deployment of the operator: install KubeFit's chart")
        return
    watches = False
    for found in seen.operators["items"]:
        spec, status, meta = found["spec"], found.get("status", {}), found["metadata"]
        place = f"{meta['namespace']}/{meta['name']}"
        version = meta.get("labels", {}).get(_VERSION, "?")
        wanted, there = spec.get("replicas", 1), status.get("availableReplicas", 0)
        counted = f"{place} {version}: {there} of {wanted} operators are available"
        look = f"kubectl describe deployment {meta['name']} -n {meta['namespace']} tells why"
        if not there:
            yield fail("operator", f"{counted}; {look}")
        elif there < wanted:
            yield warn("operator", f"{counted}; {look}")
        elif version != __version__:
            same = f"this command is {__version__}: install the same version here and there"
            yield warn("operator", f"{counted}; {same}")
        else:
            yield ok("operator", counted)
        names = _watched(found)
        watches = watches or not names or seen.namespace in names
    if not watches:
        yield fail(
            "operator",
            f"no operator looks after the namespace {seen.namespace}: add it to watchNamespaces of"
            " the chart",
        )


def _watched(deployment: dict[str, Any]) -> list[str]:
    """Namespaces that an operator looks after; empty for all."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    for variable in (entry for one in containers for entry in one.get("env", [])):
        if variable["name"] == "KUBEFIT_NAMESPACES":
            return [name for name in variable.get("value", "").split(",") if name]
    return []


def _leader(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    for place, lease in seen.leases.items():
        if lease is Silence.FORBIDDEN:
            yield unknown("leader", f"the Lease {place} may not be looked at")
            continue
        spec = {} if lease is Silence.ABSENT else lease.get("spec", {})
        holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
        if not holder or not renewed:
            yield fail("leader", f"no operator has the Lease {place}: its logs tell why")
            continue
        passed = now - datetime.datetime.fromisoformat(renewed)
        pod = holder.partition("_")[0]
        if passed.total_seconds() > _LEASE_SECONDS:
            yield fail(
                "leader",
                f"{pod} has not renewed the Lease {place} for {age(passed)} by the clock of this"
                " machine: no operator acts, its logs tell why",
            )
        else:
            yield ok("leader", f"{pod} acts, as the Lease {place} says")


def _rights(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    missing = [right for right, may in seen.rights.items() if not may]
    where = f"in the namespace {seen.namespace}"
    if not missing:
        yield ok("rights", f"you may submit, read, follow and delete jobs {where}")
    for right in missing:
        yield warn(
            "rights",
            f"you may not {right} {where}, which {right.needed_for} needs: ask who runs the cluster"
            " for the role edit",
        )


def _namespace(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    if seen.space is Silence.FORBIDDEN:
        yield unknown("namespace", f"the namespace {seen.namespace} may not be looked at")
        return
    if seen.space is Silence.ABSENT:
        yield fail(
            "namespace",
            f"there is no namespace {seen.namespace}: kubectl create namespace {seen.namespace}",
        )
        return
    level = seen.space["metadata"].get("labels", {}).get(_LEVEL)
    if level is None:
        yield ok("namespace", f"{seen.namespace} enforces no Pod Security level")
    else:
        yield ok(
            "namespace",
            f"{seen.namespace} enforces the Pod Security level {level}; workers satisfy restricted"
            " as long as spec.podTemplate asks for nothing more",
        )


def _dns(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    if seen.dns is Silence.FORBIDDEN:
        yield unknown("dns", "endpoints of kube-system/kube-dns may not be looked at")
        return
    slices = [] if seen.dns is Silence.ABSENT else seen.dns["items"]
    ready = [
        endpoint
        for one in slices
        for endpoint in one.get("endpoints") or []
        if endpoint.get("conditions", {}).get("ready") is not False
    ]
    if ready:
        yield ok("dns", f"kube-system/kube-dns has {len(ready)} endpoints")
    elif slices:
        yield fail(
            "dns",
            "kube-system/kube-dns has no endpoint that is ready, and workers find each other by"
            " name: kubectl get pods -n kube-system -l k8s-app=kube-dns",
        )
    else:
        yield warn(
            "dns",
            "there is no Service kube-system/kube-dns; workers find each other by name, so that"
            " the cluster needs another name server",
        )


def _nodes(seen: Survey, now: datetime.datetime) -> Iterator[Finding]:
    if isinstance(seen.nodes, Silence):
        yield unknown("nodes", "nodes, and with them GPUs, may not be looked at")
        return
    ready = [node for node in seen.nodes["items"] if _is_ready(node)]
    if not ready:
        yield fail("nodes", "no node is ready: kubectl get nodes")
        return
    yield ok("nodes", f"{len(ready)} of {len(seen.nodes['items'])} nodes are ready")
    counts: dict[str, int] = {}
    for node in ready:
        for name, amount in node.get("status", {}).get("allocatable", {}).items():
            if _is_device(name) and int(amount):
                counts[name] = counts.get(name, 0) + int(amount)
    if counts:
        devices = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        yield ok("gpus", f"{devices}; a worker asks for them in spec.resources.limits")
    else:
        yield ok("gpus", "no node offers any; jobs train on CPUs")


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _is_device(name: str) -> bool:
    """Of extended resources, which have a domain, those whose name tells of an accelerator."""
    domain, _, kind = name.rpartition("/")
    return bool(domain) and any(word in kind for word in ("gpu", "mig-", "tpu", "gaudi"))


_CHECKS: tuple[Check, ...] = (
    _cluster,
    _definition,
    _operator,
    _leader,
    _rights,
    _namespace,
    storage,
    _dns,
    _nodes,
)
