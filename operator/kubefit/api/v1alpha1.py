"""The TrainingJob resource, `kubefit.dev/v1alpha1`: the only place where its schema is written.

CRD, chart copy, reference documentation and editor schema are generated from these models.
"""

import datetime
import re
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import FreeForm, Model, Quantity, rule
from kubefit.api.checkpoint import Checkpoint, Elastic
from kubefit.api.fetch import DISTINCT_PLACES, Fetch, check_places
from kubefit.api.initial_weights import InitialWeights
from kubefit.api.names import (
    MAX_NAME_LENGTH,
    NAME_PATTERN,
    ConditionType,
    Phase,
)
from kubefit.api.recipe import Recipe
from kubefit.api.scheduling import Scheduling
from kubefit.api.tensorboard import Histograms, Profile
from kubefit.api.volumes import DISTINCT_VOLUMES, Volume, check_distinct

MAX_WORKERS = 1024
MAX_FAILURES = 5


class Resources(Model):
    """Compute resources of one worker, as in a container."""

    requests: dict[str, Quantity] = {}
    """What the scheduler sets aside."""
    limits: dict[str, Quantity] = {}
    """What the worker may use at most; GPUs are asked for here."""


class AccessMode(StrEnum):
    """Access modes of a PersistentVolumeClaim."""

    READ_WRITE_ONCE = "ReadWriteOnce"
    READ_WRITE_MANY = "ReadWriteMany"
    READ_WRITE_ONCE_POD = "ReadWriteOncePod"


class DeletionPolicy(StrEnum):
    """What becomes of a created claim when its TrainingJob is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class NewClaim(Model):
    """A PersistentVolumeClaim that the operator creates, named like the TrainingJob."""

    size: Quantity
    """Capacity, e.g. `10Gi`."""
    storage_class: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """StorageClass; the cluster's default when absent."""
    access_mode: AccessMode = AccessMode.READ_WRITE_MANY
    """`ReadWriteMany` when workers run on several nodes; `ReadWriteOnce` binds them to one."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """`Retain` keeps the results when the TrainingJob is deleted."""


class Storage(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("has(self.claim) != has(self.create)", "set exactly one of claim and create"),
        ]
    },
):
    """The volume that holds data and results, shared by all workers."""

    claim: Annotated[str, Field(min_length=1, max_length=253)] | SkipJsonSchema[None] = None
    """Name of an existing PersistentVolumeClaim in the namespace."""
    create: NewClaim | SkipJsonSchema[None] = None
    """A claim to create."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.claim is None) == (self.create is None):
            raise ValueError("set exactly one of claim and create")
        return self


class Runtime(StrEnum):
    """The Keras that a program is written for."""

    KERAS = "keras"
    TF_KERAS = "tf-keras"


_ONE_SCRIPT = "set exactly one of inline, path and volumePath"
MAX_INLINE_LENGTH = 262144
"""Characters of a program that the job itself carries."""
_SCRIPT_BYTES = 512 * 1024
"""Half of what a ConfigMap holds."""
_LONG_SCRIPT = (
    f"inline has more than {_SCRIPT_BYTES} bytes; put the program on the volume and set volumePath"
)


class Script(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                "[has(self.inline), has(self.path), has(self.volumePath)].filter(x, x).size() == 1",
                _ONE_SCRIPT,
            ),
            rule(
                f"!has(self.inline) || bytes(self.inline).size() <= {_SCRIPT_BYTES}", _LONG_SCRIPT
            ),
        ]
    },
):
    """The user's own Keras program, unchanged; it runs inside the scope of the strategy."""

    inline: (
        Annotated[str, Field(min_length=1, max_length=MAX_INLINE_LENGTH)] | SkipJsonSchema[None]
    ) = None
    """Source text."""
    path: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """File in the image."""
    volume_path: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """File on the volume, relative to its root."""
    args: Annotated[list[str], Field(max_length=256)] = []
    """Arguments, as in `sys.argv[1:]`."""
    runtime: Runtime = Runtime.KERAS
    """`keras` is Keras 3; `tf-keras` is Keras 2, for which `tf.keras` then stands."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(x is not None for x in (self.inline, self.path, self.volume_path)) != 1:
            raise ValueError(_ONE_SCRIPT)
        return self

    @model_validator(mode="after")
    def _fits_a_config_map(self) -> Self:
        # A lone surrogate, which JSON can spell, has no bytes of its own.
        if len((self.inline or "").encode(errors="surrogatepass")) > _SCRIPT_BYTES:
            raise ValueError(_LONG_SCRIPT)
        return self


class TensorBoard(Model):
    """What is written for TensorBoard, and a TensorBoard for this job, which goes with it."""

    enabled: bool = False
    """Starts a TensorBoard Deployment and Service named `<job>-tensorboard`."""
    resources: Resources = Resources()
    """Resources of TensorBoard."""
    histograms: Histograms | SkipJsonSchema[None] = None
    """Histograms of the weights; none when absent."""
    profile: Profile | SkipJsonSchema[None] = None
    """A profile of some steps; none when absent."""


class RunPolicy(Model):
    """When the job runs and how often it may fail."""

    suspend: bool = False
    """Takes all pods away while true; training goes on from its last checkpoint afterwards."""
    max_restarts: Annotated[int, Field(ge=0, le=1000)] = 3
    """Restarts after a failure of the infrastructure; errors of the program are never retried."""
    restart_window_seconds: Annotated[float, Field(ge=1)] = 3600.0
    """Only restarts of the last so many seconds count against `maxRestarts`."""
    stall_seconds: Annotated[float, Field(ge=1)] = 300.0
    """Restarts all workers when no step was done for so long, and for 20 median steps."""
    warm_spare: bool = False
    """Keeps a process with TensorFlow imported at hand, so that a restart takes seconds less.

    It takes about 0.6 GB of every worker's memory.
    """
    start_deadline_seconds: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None
    """Ends the job as failed when it does not train so long after it was made or resumed."""
    active_deadline_seconds: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None
    """Ends the job as failed so long after it was started or resumed."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0)] | SkipJsonSchema[None] = None
    """Deletes the TrainingJob so long after its end."""


_ONE_PROGRAM = "set exactly one of recipe and script"
_MIN_WORKERS = "spec.elastic.minWorkers is more than spec.workers; lower it"
_KERAS_3 = "spec.initialWeights is for recipes and Keras 3 programs; load them in the program"
_ITSELF = "spec.initialWeights.job: is this job itself, which goes on by itself; name another one"
_NEVER_CHANGED = (
    "recipe",
    "script",
    "storage",
    "volumes",
    "fetch",
    "initialWeights",
    "managedBy",
)
_OF_PODS = ("image", "resources", "podTemplate", "scheduling")
_SUSPENDED = "self.runPolicy.suspend || oldSelf.runPolicy.suspend"


def _unchanged(field: str) -> str:
    return (
        f"has(self.{field}) == has(oldSelf.{field})"
        f" && (!has(self.{field}) || self.{field} == oldSelf.{field})"
    )


def _immutable(field: str) -> dict[str, str]:
    message = f"spec.{field} cannot be changed on an existing job: delete it and create it anew"
    return rule(_unchanged(field), message)


def _changed_while_suspended(field: str) -> dict[str, str]:
    """Pods of two kinds would train together otherwise."""
    message = f"spec.{field} can be changed only while spec.runPolicy.suspend is true"
    return rule(f"{_SUSPENDED} || ({_unchanged(field)})", message)


class TrainingJobSpec(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule("has(self.recipe) != has(self.script)", _ONE_PROGRAM),
            rule(
                "!has(self.elastic) || self.elastic.minWorkers <= self.workers",
                _MIN_WORKERS,
            ),
            rule(
                "!has(self.initialWeights) || !has(self.script)"
                " || self.script.runtime != 'tf-keras'",
                _KERAS_3,
            ),
            *(_immutable(field) for field in _NEVER_CHANGED),
            *(_changed_while_suspended(field) for field in _OF_PODS),
        ]
    },
):
    """What to train, on how many workers, with which resources."""

    workers: Annotated[int, Field(ge=1, le=MAX_WORKERS)] = 1
    """Number of workers; worker 0 is the chief."""
    image: Annotated[str, Field(min_length=1)] | SkipJsonSchema[None] = None
    """Trainer image; by default the one the operator was installed with."""
    resources: Resources = Resources()
    """Resources of each worker."""
    pod_template: FreeForm | SkipJsonSchema[None] = None
    """Merged into the workers' pod template.

    Lists of named items are merged by name, mounts of volumes by path; everything else is replaced.
    """
    scheduling: Scheduling = Scheduling()
    """How the workers are placed as one."""
    storage: Storage
    """Volume for data and results."""
    volumes: Annotated[
        list[Volume],
        Field(max_length=32, json_schema_extra={"x-kubernetes-validations": DISTINCT_VOLUMES}),
        AfterValidator(check_distinct),
    ] = []
    """Further volumes with data or weights, mounted read-only into every worker."""
    fetch: Annotated[
        list[Fetch],
        Field(max_length=32, json_schema_extra={"x-kubernetes-validations": DISTINCT_PLACES}),
        AfterValidator(check_places),
    ] = []
    """What is brought onto the job's volume before training, once for all workers."""
    recipe: Recipe | SkipJsonSchema[None] = None
    """Training without code."""
    script: Script | SkipJsonSchema[None] = None
    """Training by the user's own program."""
    initial_weights: InitialWeights | SkipJsonSchema[None] = None
    """Weights of an earlier training to start from."""
    checkpoint: Checkpoint = Checkpoint()
    """How often the state of training is kept."""
    elastic: Elastic | SkipJsonSchema[None] = None
    """Training goes on while some workers are missing."""
    tensorboard: TensorBoard = TensorBoard()
    """TensorBoard of this job."""
    run_policy: RunPolicy = RunPolicy()
    """Suspension, restarts, deadlines."""
    managed_by: (
        Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9.-]+/[!-~]+$")] | SkipJsonSchema[None]
    ) = None
    """Controller that runs the job; KubeFit leaves one that is not its own alone.

    As in a Job: a domain, `/` and a name. KubeFit's operator is `kubefit.dev/operator`.
    """

    @model_validator(mode="after")
    def _one_program(self) -> Self:
        if self.elastic is not None and self.elastic.min_workers > self.workers:
            raise ValueError(_MIN_WORKERS)
        if (self.recipe is None) == (self.script is None):
            raise ValueError(_ONE_PROGRAM)
        tf_keras = self.script is not None and self.script.runtime is Runtime.TF_KERAS
        if self.initial_weights is not None and tf_keras:
            raise ValueError(_KERAS_3)
        return self


class ConditionStatus(StrEnum):
    """Status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """A condition as in `metav1.Condition`."""

    type: ConditionType
    status: ConditionStatus
    reason: str
    """One CamelCase word for machines."""
    message: str
    """One sentence for people."""
    last_transition_time: datetime.datetime
    """When `status` last changed."""
    observed_generation: int | SkipJsonSchema[None] = None


class Progress(Model):
    """How far training is, as the chief last told."""

    epoch: int | SkipJsonSchema[None] = None
    """Epoch under way, from 1."""
    epochs: int | SkipJsonSchema[None] = None
    step: int | SkipJsonSchema[None] = None
    """Steps done in all epochs together."""
    total_steps: int | SkipJsonSchema[None] = None
    percent: Annotated[int, Field(ge=0, le=100)] | SkipJsonSchema[None] = None
    loss: float | SkipJsonSchema[None] = None
    metrics: dict[str, float] = {}
    """Latest metrics of training and validation (`val_…`)."""
    examples_per_second: float | SkipJsonSchema[None] = None
    skipped_images: int | SkipJsonSchema[None] = None
    """Images that cannot be read and so were left out; `skipped.json` of the job names them."""
    update_time: datetime.datetime | SkipJsonSchema[None] = None
    """When the chief reported this."""


class Summary(Model):
    """Texts of the printed columns."""

    ready: str | SkipJsonSchema[None] = None
    """`2/2`."""
    epoch: str | SkipJsonSchema[None] = None
    """`3/10`."""
    progress: str | SkipJsonSchema[None] = None
    """`27%`."""
    loss: str | SkipJsonSchema[None] = None
    """`0.1234`."""


class FailureStatus(Model):
    """A failure, told by its first cause."""

    reason: str
    """One CamelCase word for machines, for example the name of the exit code."""
    message: str
    """One sentence for people."""
    pod: str | SkipJsonSchema[None] = None
    rank: int | SkipJsonSchema[None] = None
    exit_code: int | SkipJsonSchema[None] = None
    attempt: int | SkipJsonSchema[None] = None
    """Number of the attempt that it ended."""
    time: datetime.datetime | SkipJsonSchema[None] = None
    details: str = ""
    """Last lines of the traceback or of the output."""


class TrainingJobStatus(Model):
    """What the operator saw; written by the operator alone, once a pass."""

    observed_generation: int | SkipJsonSchema[None] = None
    phase: Phase | SkipJsonSchema[None] = None
    workers: int | SkipJsonSchema[None] = None
    """Workers asked for."""
    ready_workers: int = 0
    """Workers whose pods are ready."""
    restarts: int = 0
    """Restarts charged to `spec.runPolicy.maxRestarts`."""
    pod_restarts: int | SkipJsonSchema[None] = None
    """How many of `restarts` were failures of pods; the others were in place."""
    attempt: int | SkipJsonSchema[None] = None
    """Number of the attempt under way, from 1: how often the workers have met."""
    wait_start_time: datetime.datetime | SkipJsonSchema[None] = None
    """Since when the job waits to train, new or resumed; absent once it has trained."""
    start_time: datetime.datetime | SkipJsonSchema[None] = None
    completion_time: datetime.datetime | SkipJsonSchema[None] = None
    progress: Progress | SkipJsonSchema[None] = None
    evaluation: dict[str, float] = {}
    """Metrics of the evaluation after training."""
    warnings: list[str] = []
    """What went wrong after training without ending the job."""
    failure: FailureStatus | SkipJsonSchema[None] = None
    """The last failure; absent once the job has succeeded."""
    failures: Annotated[list[FailureStatus], Field(max_length=MAX_FAILURES)] = []
    """The last failures, newest last."""
    tensorboard: str | SkipJsonSchema[None] = None
    """Address of the job's TensorBoard inside the cluster."""
    selector: str | SkipJsonSchema[None] = None
    """Label selector of the workers' pods."""
    summary: Summary = Summary()
    conditions: Annotated[
        list[Condition],
        Field(
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            }
        ),
    ] = []


class ObjectMeta(Model, extra="allow"):
    """The parts of object metadata that KubeFit reads."""

    name: str = ""
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


_NAME_RULE = (
    f"metadata.name: at most {MAX_NAME_LENGTH} characters, lower-case letters, digits and '-',"
    " starting with a letter, so that the host names of workers and TensorBoard fit a DNS label"
)


class TrainingJob(
    Model,
    json_schema_extra={
        "x-kubernetes-validations": [
            rule(
                f"size(self.metadata.name) <= {MAX_NAME_LENGTH}"
                f" && self.metadata.name.matches('{NAME_PATTERN}')",
                _NAME_RULE,
            ),
            rule(
                "!has(self.spec.initialWeights) || !has(self.spec.initialWeights.job)"
                " || self.spec.initialWeights.job != self.metadata.name",
                _ITSELF,
            ),
        ]
    },
):
    """A Keras training on `spec.workers` workers in lockstep."""

    api_version: Literal["kubefit.dev/v1alpha1"] = "kubefit.dev/v1alpha1"
    kind: Literal["TrainingJob"] = "TrainingJob"
    metadata: ObjectMeta
    spec: TrainingJobSpec
    status: TrainingJobStatus = TrainingJobStatus()

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        name = self.metadata.name
        if len(name) > MAX_NAME_LENGTH or not re.fullmatch(NAME_PATTERN, name):
            raise ValueError(f"{_NAME_RULE}; {name!r} has {len(name)} characters")
        if self.spec.initial_weights is not None and self.spec.initial_weights.job == name:
            raise ValueError(_ITSELF)
        return self
