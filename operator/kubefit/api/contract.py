"""What operator, agent and trainer tell each other.

Run configuration, reports, exit codes and the layout of the storage.

Models and pure functions of them; nothing here reads or writes.
"""

import signal
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import Field

from kubefit.api.base import Model
from kubefit.api.checkpoint import Checkpoint, Elastic
from kubefit.api.fetch import Fetch
from kubefit.api.initial_weights import InitialWeights
from kubefit.api.names import VOLUME_DIR, Phase
from kubefit.api.recipe import Recipe
from kubefit.api.tensorboard import Histograms, Profile
from kubefit.api.v1alpha1 import Runtime, Script

CONFIG_KEY = "run.json"
"""Key of the ConfigMap, and file in `CONFIG_DIR`, that holds the `RunConfig`."""
AGENT_PORT = 8080
TENSORBOARD_PORT = 6006
MODEL_FILE = "model.keras"
"""The trained model as Keras saves it, among what a job exports."""
TERMINATION_MESSAGE_LIMIT = 4096
"""Bytes that Kubernetes keeps of a termination message."""


class RunConfig(Model, extra="ignore"):
    """All that a worker needs to know beside its rank; one file for all workers of a job."""

    namespace: str
    name: str
    workers: Annotated[int, Field(ge=1)]
    hosts: str
    """Host name of a worker, `{rank}` standing for its rank: `digits-{rank}.digits`."""
    agent_ports: Annotated[list[int], Field(min_length=1)] = [AGENT_PORT]
    """One port for the HTTP servers of all agents, or one per rank where they share a host."""
    volume_dir: str = VOLUME_DIR
    """Relative paths of the job are relative to this directory."""
    job_dir: str
    """Where results go; see `JobFiles`."""
    peer_timeout_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long a worker waits for the others to be reachable before it gives up."""
    run: str = ""
    """What sets this TrainingJob apart from others of its name, before and after it: its uid."""
    checkpoint: Checkpoint = Checkpoint()
    elastic: Elastic | None = None
    max_restarts: Annotated[int, Field(ge=0)] = 3
    """Failures that are charged, within `restart_window_seconds`, before the job ends."""
    restart_window_seconds: Annotated[float, Field(gt=0)] = 3600.0
    stall_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Training without a step for so long, and for 20 median steps, has stalled."""
    warm_spare: bool = False
    """A process with TensorFlow imported stands by to replace one that ends."""
    grace_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Between SIGTERM and SIGKILL of the agent."""
    fetch: list[Fetch] = []
    initial_weights: InitialWeights | None = None
    histograms: Histograms | None = None
    profile: Profile | None = None
    recipe: Recipe | None = None
    script: Script | None = None

    @property
    def runtime(self) -> Runtime:
        """The Keras of the run; recipes are Keras 3."""
        return self.script.runtime if self.script else Runtime.KERAS

    def host(self, rank: int) -> str:
        """Host name of the worker of that rank."""
        return self.hosts.replace("{rank}", str(rank))

    def agent_port(self, rank: int) -> int:
        """Port of that rank's agent."""
        return _of_rank(self.agent_ports, rank)


def _of_rank(ports: list[int], rank: int) -> int:
    return ports[rank] if len(ports) > 1 else ports[0]


class ExitCode(IntEnum):
    """Exit codes of the agent, and so of a worker's container."""

    SUCCESS = 0
    USER_ERROR = 10
    CONFIGURATION_ERROR = 11
    PREEMPTED = 12
    PEER_LOST = 13
    STALLED = 14
    OUT_OF_MEMORY = 15
    CRASHED = 16
    FETCH_FAILED = 17
    RESTARTS_EXHAUSTED = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitMeaning:
    """What an exit code means to the operator and to people."""

    reason: str
    permanent: bool
    """Never retried."""
    charged: bool
    """Counts against `spec.runPolicy.maxRestarts`."""
    text: str

    @property
    def secondary(self) -> bool:
        """Only follows from the end of another worker, or from an order."""
        return not self.permanent and not self.charged


EXIT_MEANINGS: dict[ExitCode, ExitMeaning] = {
    ExitCode.SUCCESS: ExitMeaning(
        reason="Succeeded", permanent=True, charged=False, text="training finished"
    ),
    ExitCode.USER_ERROR: ExitMeaning(
        reason="UserError", permanent=True, charged=False, text="the training program failed"
    ),
    ExitCode.CONFIGURATION_ERROR: ExitMeaning(
        reason="ConfigurationError",
        permanent=True,
        charged=False,
        text="the job's specification or its data cannot be used",
    ),
    ExitCode.PREEMPTED: ExitMeaning(
        reason="Preempted", permanent=False, charged=False, text="the worker was told to stop"
    ),
    ExitCode.PEER_LOST: ExitMeaning(
        reason="PeerLost", permanent=False, charged=False, text="another worker went away"
    ),
    ExitCode.STALLED: ExitMeaning(
        reason="Stalled", permanent=False, charged=True, text="training made no progress"
    ),
    ExitCode.OUT_OF_MEMORY: ExitMeaning(
        reason="OutOfMemory",
        permanent=False,
        charged=True,
        text="the training process was killed for memory",
    ),
    ExitCode.CRASHED: ExitMeaning(
        reason="Crashed",
        permanent=False,
        charged=True,
        text="the training process was killed by a signal",
    ),
    ExitCode.FETCH_FAILED: ExitMeaning(
        reason="FetchFailed",
        permanent=False,
        charged=True,
        text="what the job trains on could not be fetched",
    ),
    ExitCode.RESTARTS_EXHAUSTED: ExitMeaning(
        reason="RestartsExhausted",
        permanent=True,
        charged=False,
        text="training failed more often than spec.runPolicy.maxRestarts allows",
    ),
}


def meaning_of(code: int | None) -> ExitMeaning | None:
    """What an exit code means; None for one that is not of an agent."""
    return EXIT_MEANINGS[ExitCode(code)] if code in set(ExitCode) else None


def is_permanent(code: int | None) -> bool:
    """Whether no further attempt can help after an end with that code."""
    meaning = meaning_of(code)
    return meaning is not None and meaning.permanent


def is_secondary(code: int | None) -> bool:
    """Whether an end with that code only follows from that of another worker, or from an order."""
    meaning = meaning_of(code)
    return meaning is not None and meaning.secondary


class TrainerPhase(StrEnum):
    """What the TensorFlow process is doing."""

    STARTING = "Starting"
    TRAINING = "Training"
    EVALUATING = "Evaluating"
    EXPORTING = "Exporting"
    DONE = "Done"


STEP_SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper bounds of the step-duration histogram, in seconds; the last bucket is +Inf."""


class StepSeconds(Model):
    """Histogram of step durations.

    `counts[i]` steps took at most `STEP_SECONDS_BUCKETS[i]` and more than the bound before it.
    """

    sum: float = 0.0
    counts: list[int] = [0] * (len(STEP_SECONDS_BUCKETS) + 1)


class Spent(Model):
    """What the time of a trainer went into, in seconds, from the end of its first step on."""

    productive: float = 0.0
    """New steps, validation, evaluation, export, and what else the program does."""
    data: float = 0.0
    """Waiting for the data of the slowest worker."""
    checkpoint: float = 0.0
    """Standing still while the state of training is copied."""
    lost_work: float = 0.0
    """Steps that an attempt before had done already."""
    until: float = 0.0
    """Unix time of the last moment that is counted; 0 before the first step."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.productive + self.data + self.checkpoint + self.lost_work


class CheckpointReport(Model):
    """What a trainer knows of its checkpoints on the volume."""

    step: int
    """Step of the newest one, counted over all epochs."""
    time: float
    """Unix time in seconds at which it was complete."""
    seconds: float
    """How long it took to write, beside training."""
    size: int
    """Bytes."""
    failing: str = ""
    """Why the last attempt to write one failed; empty when it did not."""


class TrainerReport(Model, extra="ignore"):
    """What a trainer tells its agent, at most twice a second and at every change of phase."""

    phase: TrainerPhase
    epoch: int = 0
    """Epoch under way, from 1; 0 before the first."""
    epochs: int | None = None
    step: int = 0
    """Steps done in all epochs together."""
    steps_per_epoch: int | None = None
    examples: int = 0
    """Samples this worker trained on."""
    loss: float | None = None
    diverged: bool = False
    """Whether the latest loss is no finite number, which JSON cannot hold."""
    metrics: dict[str, float] = {}
    """Latest logs of training and validation, without `loss`."""
    evaluation: dict[str, float] = {}
    """Metrics of the evaluation after training, `loss` among them."""
    skipped_images: int = 0
    """Images that cannot be read and so were left out, of all sets together."""
    warnings: list[str] = []
    """What went wrong after training without ending the job, a sentence each."""
    fitting: bool = False
    """Whether `fit` is under way."""
    resumed_from: int | None = None
    """Step of the snapshot that this process went on from."""
    checkpoint: CheckpointReport | None = None
    step_seconds: StepSeconds = StepSeconds()
    data_seconds: StepSeconds | None = None
    """How long steps have waited for the data of this worker; None where that is not measured."""
    exchange_seconds: float | None = None
    """How long steps have waited for the gradients of others; None where that is not measured."""
    spent: Spent | None = None
    """None before the first step."""
    versions: dict[str, str] = {}
    """Versions of tensorflow, keras or tf_keras, numpy and kubefit."""
    updated: float
    """Unix time of this report, in seconds."""


class Failure(Model):
    """Why a worker failed; the first cause as far as this worker knows."""

    exit_code: int
    """One of `ExitCode`."""
    message: str
    """One sentence."""
    details: str = ""
    """Last lines of the traceback or of the output."""


class AgentPhase(StrEnum):
    """What an agent is doing."""

    STARTING = "Starting"
    WAITING = "Waiting"
    """For peers to become reachable."""
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Cause(Model):
    """The first cause of a failure of the gang."""

    rank: int
    exit_code: int
    reason: str
    message: str
    details: str = ""
    attempt: int | None = None
    """The attempt that it ended."""
    time: float | None = None
    """Unix time in seconds."""


class WorkerStatus(Model, extra="ignore"):
    """Answer of an agent's `/status`."""

    rank: int
    workers: int
    """Workers of this attempt; fewer than asked for while an elastic job lacks some."""
    attempt: int
    """Number of the attempt under way, from 1: how often the workers have met."""
    restarts: int = 0
    """Restarts so far that were charged; of the chief's agent only."""
    last_cause: Cause | None = None
    """Why the attempt before this one ended; of the chief's agent only."""
    has_trained: bool | None = None
    """Whether an earlier attempt of this Job has made a step; of the chief's agent only."""
    phase: AgentPhase
    waiting_for: str = ""
    """What an agent in the phase Waiting waits for."""
    report: TrainerReport | None = None
    failure: Failure | None = None


class Outcome(Model, extra="ignore"):
    """Last words of an agent, its termination message.

    At most `TERMINATION_MESSAGE_LIMIT` bytes of JSON.
    """

    rank: int
    exit_code: int
    reason: str
    message: str
    details: str = ""
    """Last lines of the traceback or of the output."""
    ended: float = 0.0
    """Unix time in seconds at which training ended here; the earliest failure is the cause."""
    report: TrainerReport | None = None


class Result(Model):
    """What `result.json` holds."""

    phase: Phase
    run: str = ""
    """`RunConfig.run` of the job that wrote this."""
    attempts: int
    """Number of the attempt that ended the job, from 1."""
    seconds: float
    """Wall time of that attempt; of all attempts together in a local run."""
    metrics: dict[str, float] = {}
    """Last logs of training and validation, `loss` among them."""
    evaluation: dict[str, float] = {}
    """Metrics of the evaluation after training, `loss` among them."""
    skipped_images: int = 0
    """Images that cannot be read and so were left out; `skipped.json` names them."""
    warnings: list[str] = []
    """What went wrong after training without ending the job, a sentence each."""
    versions: dict[str, str] = {}
    """Versions of tensorflow, keras or tf_keras, numpy and kubefit."""
    failure: Cause | None = None


@dataclass(frozen=True, slots=True)
class JobFiles:
    """Names of a job's files below its directory; one writer each."""

    root: PurePosixPath

    @property
    def checkpoints(self) -> PurePosixPath:
        """Checkpoints, written by the chief."""
        return self.root / "checkpoints"

    @property
    def attempts(self) -> PurePosixPath:
        """`attempts.json`: every attempt with its cause, written by the chief's agent."""
        return self.root / "attempts.json"

    @property
    def tensorboard(self) -> PurePosixPath:
        """TensorBoard logs, written by the chief."""
        return self.root / "tensorboard"

    @property
    def export(self) -> PurePosixPath:
        """Trained models, written by the chief."""
        return self.root / "export"

    @property
    def model(self) -> PurePosixPath:
        """The trained model as Keras saves it."""
        return self.export / MODEL_FILE

    @property
    def fetched(self) -> PurePosixPath:
        """How far the chief is with `spec.fetch`."""
        return self.root / "fetch.json"

    @property
    def report(self) -> PurePosixPath:
        """Evaluation reports, written by the chief."""
        return self.root / "report"

    @property
    def recipe(self) -> PurePosixPath:
        """The recipe as it was trained, defaults and all, written by the chief."""
        return self.root / "recipe.yaml"

    @property
    def skipped(self) -> PurePosixPath:
        """Images that were left out, by name, with the reasons; written by the chief."""
        return self.root / "skipped.json"

    @property
    def result(self) -> PurePosixPath:
        """`result.json`, a `Result`."""
        return self.root / "result.json"

    def log(self, attempt: int, rank: int) -> PurePosixPath:
        """Output of one worker in one attempt."""
        return self.root / "logs" / f"attempt-{attempt}" / f"worker-{rank}.log"


def job_dir(volume_dir: str, namespace: str, name: str) -> str:
    """Directory of a job below its volume."""
    return str(PurePosixPath(volume_dir) / namespace / name)


def signal_name(number: int) -> str:
    """`SIGKILL` for 9; `signal 127` for a number that is none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
