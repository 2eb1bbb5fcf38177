"""What `kubefit doctor` says of a cluster: for each check, what was seen and what to do."""

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubefit.api.version import __version__
from kubefit.cli.checkup import checkup
from kubefit.cli.finding import Level
from kubefit.client.survey import RIGHTS, Silence, Survey

ROOT = Path(__file__).parents[3]
NOW = datetime.datetime(2026, 1, 1, 12, 0, tzinfo=datetime.UTC)
PLACE = "kubefit-system/kubefit"


def _schema(change: Any = None) -> dict[str, Any]:
    crd = yaml.safe_load((ROOT / "manifests/crd.yaml").read_text())
    found = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    if change:
        change(found["properties"]["spec"]["properties"])
    kind = {"group": "kubefit.dev", "version": "v1alpha1", "kind": "TrainingJob"}
    found["x-kubernetes-group-version-kind"] = [kind]
    return {"components": {"schemas": {"dev.kubefit.v1alpha1.TrainingJob": found}}}


def _operator(*, there: int = 2, version: str = __version__, watches: str = "") -> dict[str, Any]:
    env = [{"name": "KUBEFIT_NAMESPACES", "value": watches}] if watches else []
    return {
        "metadata": {
            "name": "kubefit",
            "namespace": "kubefit-system",
            "labels": {"app.kubernetes.io/version": version},
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"env": env}]}}},
        "status": {"availableReplicas": there},
    }


def _lease(renewed: str = "2026-01-01T11:59:59.000000Z", holder: str = "kubefit-x_1") -> Any:
    return {"spec": {"holderIdentity": holder, "renewTime": renewed}}


def _class(name: str, driver: str, *, default: bool = True) -> dict[str, Any]:
    mark = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    return {"metadata": {"name": name, "annotations": mark}, "provisioner": driver}


def _node(ready: str = "True", **allocatable: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}], "allocatable": allocatable}
    return {"metadata": {"name": "node"}, "status": status}


def _items(*items: Any) -> dict[str, Any]:
    return {"items": list(items)}


FIT = Survey(
    server="https://cluster:6443",
    namespace="team",
    version={"gitVersion": "v1.37.0", "major": "1", "minor": "37"},
    api={"resources": []},
    schema=_schema(),
    operators=_items(_operator()),
    leases={PLACE: _lease()},
    rights=dict.fromkeys(RIGHTS, True),
    space={"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    classes=_items(_class("shared", "nfs.csi.k8s.io")),
    volumes=_items(),
    nodes=_items(_node(**{"nvidia.com/gpu": "4", "cpu": "8"}), _node(**{"nvidia.com/gpu": "4"})),
    dns=_items({"endpoints": [{"conditions": {"ready": True}}]}),
)


def _with(**changes: Any) -> Survey:
    return dataclasses.replace(FIT, **changes)


def test_a_cluster_that_is_fit_passes_every_check() -> None:
    found = checkup(FIT, NOW)
    assert {finding.level for finding in found} == {Level.OK}
    assert [finding.check for finding in found] == [
        *("cluster", "definition", "operator", "leader", "rights", "namespace"),
        *("storage", "sharing", "dns", "nodes", "gpus"),
    ]
    told = {finding.check: finding.message for finding in found}
    assert told["gpus"].startswith("8 nvidia.com/gpu;")
    assert told["leader"] == f"kubefit-x acts, as the Lease {PLACE} says"


LOCAL = _items(_class("local-path", "rancher.io/local-path"))
SHARED_ONCE = _items({"spec": {"storageClassName": "local-path", "accessModes": ["ReadWriteMany"]}})
FINDINGS: dict[str, tuple[Survey, Level, str, str]] = {
    "old Kubernetes": (
        _with(version={"gitVersion": "v1.30.1", "major": "1", "minor": "30+"}),
        Level.WARN,
        "cluster",
        "KubeFit needs 1.31 or newer",
    ),
    "no CRD": (
        _with(api=Silence.ABSENT),
        Level.FAIL,
        "definition",
        "does not know TrainingJobs of v1alpha1: install KubeFit",
    ),
    "older CRD": (
        _with(schema=_schema(lambda spec: spec["runPolicy"]["properties"].pop("warmSpare"))),
        Level.WARN,
        "definition",
        "is older than this command, which knows spec.runPolicy.warmSpare besides",
    ),
    "no operator": (
        _with(operators=_items()),
        Level.FAIL,
        "operator",
        "no Deployment of the operator",
    ),
    "operator down": (
        _with(operators=_items(_operator(there=0))),
        Level.FAIL,
        "operator",
        "0 of 2 operators are available; kubectl describe deployment kubefit -n kubefit-system",
    ),
    "one operator of two": (
        _with(operators=_items(_operator(there=1))),
        Level.WARN,
        "operator",
        "1 of 2 operators are available",
    ),
    "operator of another version": (
        _with(operators=_items(_operator(version="9.9.9"))),
        Level.WARN,
        "operator",
        f"this command is {__version__}: install the same version",
    ),
    "operator of other namespaces": (
        _with(operators=_items(_operator(watches="one,two"))),
        Level.FAIL,
        "operator",
        "no operator looks after the namespace team: add it to watchNamespaces",
    ),
    "a lease that nobody has": (
        _with(leases={PLACE: Silence.ABSENT}),
        Level.FAIL,
        "leader",
        f"no operator has the Lease {PLACE}",
    ),
    "a lease that is not renewed": (
        _with(leases={PLACE: _lease("2026-01-01T11:50:00.000000Z")}),
        Level.FAIL,
        "leader",
        f"kubefit-x has not renewed the Lease {PLACE} for 10m",
    ),
    "no right": (
        _with(rights={right: right.resource != "pods/log" for right in RIGHTS}),
        Level.WARN,
        "rights",
        "you may not get pods/log in the namespace team, which kubefit logs needs",
    ),
    "no namespace": (
        _with(space=Silence.ABSENT),
        Level.FAIL,
        "namespace",
        "kubectl create namespace team",
    ),
    "no class": (
        _with(classes=_items()),
        Level.WARN,
        "storage",
        "name an existing claim in spec.storage.claim",
    ),
    "no default class": (
        _with(classes=_items(_class("shared", "nfs.csi.k8s.io", default=False))),
        Level.WARN,
        "storage",
        "none is the default: set spec.storage.create.storageClass",
    ),
    "nothing to share": (
        _with(classes=LOCAL),
        Level.WARN,
        "sharing",
        "with accessMode ReadWriteOnce all workers run on one node",
    ),
    "one node": (
        _with(classes=LOCAL, nodes=_items(_node())),
        Level.OK,
        "sharing",
        "the only node needs no ReadWriteMany",
    ),
    "shared by proof": (
        _with(classes=LOCAL, volumes=SHARED_ONCE),
        Level.OK,
        "sharing",
        "local-path can be ReadWriteMany",
    ),
    "no name server": (
        _with(dns=_items({"endpoints": [{"conditions": {"ready": False}}]})),
        Level.FAIL,
        "dns",
        "has no endpoint that is ready",
    ),
    "another name server": (
        _with(dns=_items()),
        Level.WARN,
        "dns",
        "no Service kube-system/kube-dns",
    ),
    "no node": (_with(nodes=_items(_node("False"))), Level.FAIL, "nodes", "no node is ready"),
    "no GPU": (_with(nodes=_items(_node(cpu="8"))), Level.OK, "gpus", "jobs train on CPUs"),
}


@pytest.mark.parametrize(
    ("seen", "level", "check", "words"), FINDINGS.values(), ids=FINDINGS.keys()
)
def test_what_is_wrong_is_told_with_what_to_do(
    seen: Survey, level: Level, check: str, words: str
) -> None:
    found = [finding for finding in checkup(seen, NOW) if finding.check == check]
    matching = [finding for finding in found if words in finding.message]
    assert [finding.level for finding in matching] == [level], found


def test_what_may_not_be_looked_at_is_no_fault() -> None:
    hidden = ("version", "schema", "operators", "space", "classes", "volumes", "nodes", "dns")
    seen = _with(**dict.fromkeys(hidden, Silence.FORBIDDEN), leases={PLACE: Silence.FORBIDDEN})
    found = checkup(seen, NOW)
    assert {finding.level for finding in found} == {Level.OK, Level.UNKNOWN}
    silent = [finding for finding in found if finding.level is Level.UNKNOWN]
    assert len(silent) == 8
    assert all(finding.message.startswith("not allowed to look: ") for finding in silent)
