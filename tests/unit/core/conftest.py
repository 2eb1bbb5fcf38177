"""Clusters as the operator sees them, put together in a few words."""

import datetime
from dataclasses import dataclass, field
from typing import Any

import pytest

from kubefit.api.contract import AgentPhase, Outcome, TrainerPhase, TrainerReport, WorkerStatus
from kubefit.core.observed import Defaults, Observed

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def stored(manager: str, **metadata: Any) -> dict[str, Any]:
    """Metadata as the API server gives it out, with what it adds itself."""
    fields = {"f:metadata": {"f:labels": {}}, "f:spec": {}}
    managed = {"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1"}
    made = NOW.isoformat().replace("+00:00", "Z")
    return {
        "namespace": "team",
        "resourceVersion": "4711",
        "generation": 1,
        "creationTimestamp": made,
        "managedFields": [{**managed, "time": made, "fieldsV1": fields}],
        **metadata,
    }


@dataclass
class Scene:
    """A TrainingJob of two workers and what there is of its children."""

    spec: dict[str, Any] = field(
        default_factory=lambda: {
            "workers": 2,
            "storage": {"claim": "training"},
            "script": {"inline": "print(1)"},
        }
    )
    status: dict[str, Any] = field(default_factory=dict)
    job: dict[str, Any] | None = None
    pods: list[dict[str, Any]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()
    defaults: Defaults = field(default_factory=lambda: Defaults(image="trainer:1"))
    claim: bool = True
    chief: WorkerStatus | None = None
    refused_pods: tuple[dict[str, Any], ...] = ()
    pod_events: tuple[dict[str, Any], ...] = ()
    refusal: str = ""
    generation: int = 1
    now: datetime.datetime = NOW

    def pod(self, rank: int, phase: str, *, ready: bool = False, **more: Any) -> dict[str, Any]:
        """Adds a pod; `more` are further fields of its status."""
        status = {"phase": phase, **more}
        status["conditions"] = [
            *status.get("conditions", []),
            {"type": "Ready", "status": str(ready)},
        ]
        pod = {
            "metadata": stored(
                "kube-controller-manager",
                name=f"digits-{rank}-{len(self.pods)}",
                uid=f"pod-{len(self.pods)}",
                creationTimestamp=f"1970-01-01T00:00:{len(self.pods):02}Z",
                annotations={"batch.kubernetes.io/job-completion-index": str(rank)},
            ),
            "spec": {"containers": [{"name": "trainer", "resources": {}}]},
            "status": status,
        }
        self.pods.append(pod)
        return pod

    def ended(self, rank: int, code: int, message: str = "", **terminated: Any) -> dict[str, Any]:
        """Adds a pod whose container ended with that code."""
        state = {"exitCode": code, "message": message, **terminated}
        container = {"name": "trainer", "state": {"terminated": state}}
        phase = "Failed" if code else "Succeeded"
        return self.pod(rank, phase, containerStatuses=[container])

    def last_words(self, rank: int, code: int, message: str, ended: float) -> dict[str, Any]:
        """Adds a pod whose agent said why it ended."""
        words = Outcome(rank=rank, exit_code=code, reason="Said", message=message, ended=ended)
        return self.ended(rank, code, words.model_dump_json(by_alias=True))

    def chief_does(self, phase: TrainerPhase) -> None:
        """Rank 0 answers that it does that."""
        self.chief = WorkerStatus(
            rank=0,
            workers=2,
            attempt=1,
            phase=AgentPhase.RUNNING,
            report=TrainerReport(phase=phase, updated=0.0),
        )

    def made(self, *conditions: str, **status: Any) -> None:
        """The Indexed Job exists, with these conditions true."""
        found = [{"type": kind, "status": "True"} for kind in conditions]
        metadata = stored("kubefit", name="digits", uid="job", annotations={})
        self.job = {"metadata": metadata, "status": {"conditions": found, **status}}

    def seen(self) -> Observed:
        """What the operator sees of it."""
        return Observed(
            now=self.now,
            resource={
                "apiVersion": "kubefit.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": stored(
                    "kubectl",
                    name="digits",
                    uid="owner",
                    generation=self.generation,
                    labels=self.labels,
                    annotations=self.annotations,
                ),
                "spec": self.spec,
                "status": self.status,
            },
            defaults=self.defaults,
            job=self.job,
            pods=tuple(self.pods),
            leftovers=self.leftovers,
            claims=frozenset({"training"} if self.claim else ()),
            chief=self.chief,
            refused_pods=self.refused_pods,
            pod_events=self.pod_events,
            refusal=self.refusal,
        )


@pytest.fixture
def scene() -> Scene:
    """A new job of which nothing exists yet."""
    return Scene()


@pytest.fixture(scope="session")
def new_scene() -> type[Scene]:
    """Makes scenes, for tests that need many."""
    return Scene
