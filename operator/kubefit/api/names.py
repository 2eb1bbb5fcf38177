"""Every name that two parts of KubeFit must agree on: API group, labels, environment, reasons.

Constants only.
"""

from enum import StrEnum

GROUP = "kubefit.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "TrainingJob"
PLURAL = "trainingjobs"
SINGULAR = "trainingjob"
SHORT_NAME = "tj"

MAX_NAME_LENGTH = 51
"""63 (a DNS label) less the longest suffix, `-tensorboard`; `-1023` of a worker is shorter."""
NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
"""A Service name starts with a letter (RFC 1035 label)."""

FIELD_MANAGER = "kubefit"
CONTROLLER = f"{GROUP}/operator"
"""Value of `spec.managedBy` that means the same as none."""

LABEL_JOB = f"{GROUP}/job"
LABEL_ROLE = f"{GROUP}/role"
ROLE_WORKER = "worker"
ROLE_TENSORBOARD = "tensorboard"
ROLE_READER = "log-reader"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_QUEUE = "kueue.x-k8s.io/queue-name"
"""Of a TrainingJob: the LocalQueue of Kueue that admits it."""

LABEL_SWEEP = f"{GROUP}/sweep"
"""Of a TrainingJob: the sweep that it is a trial of."""
SWEEP_TRIAL = f"{GROUP}/sweep-trial"
"""Annotation of a trial: its number, from 0."""
SWEEP_VALUES = f"{GROUP}/sweep-values"
"""Annotation of a trial: the values of its parameters by path, as JSON."""
SWEEP_CURVE = f"{GROUP}/sweep-curve"
"""Annotation of a trial that is over: the objective by epoch, as JSON."""
SWEEP_STOPPED = f"{GROUP}/sweep-stopped"
"""Annotation of a trial that was losing: why it was stopped."""

CONTAINER = "trainer"
FETCH_CONTAINER = "fetch"
LABEL_RUN = "batch.kubernetes.io/controller-uid"
"""Set by Kubernetes on the pods of a Job: the same for all pods of one run."""
PORT_METRICS = "metrics"

VOLUME_DIR = "/mnt/kubefit"
"""Where the job's volume is mounted in every worker and in TensorBoard."""
CONFIG_DIR = "/etc/kubefit"
SECRETS_DIR = "/run/kubefit/secrets"
"""Secrets of `spec.fetch`, each in a folder of its name, while data are fetched."""
TMP_DIR = "/tmp"
MEMORY_DIR = "/dev/shm"
"""In memory; what lies here outlives processes, not the pod."""
TOKEN_DIR = "/run/kubefit/token"
TOKEN_KEY = "token"
"""Key of the Secret, and file in `TOKEN_DIR`, with which the agents of a job know each other."""


class VolumeName(StrEnum):
    """Volumes that every worker's pod has."""

    VOLUME = "volume"
    """The job's own."""
    CONFIG = "config"
    TMP = "tmp"
    MEMORY = "memory"
    """`MEMORY_DIR`."""
    TOKEN = "token"
    """`TOKEN_DIR`."""


class Env(StrEnum):
    """Environment variables that the agent and the trainer process read."""

    RUN_CONFIG = "KUBEFIT_RUN_CONFIG"
    """Path of the JSON file that holds a `RunConfig`."""
    RANK = "KUBEFIT_RANK"
    """This worker's rank; on Kubernetes `JOB_COMPLETION_INDEX` is read instead."""
    ATTEMPT = "KUBEFIT_ATTEMPT"
    """Number of this attempt, from 1; set by the agent for its trainer, and by a local run for
    the agent, which else counts its own log files."""
    PROGRESS_FILE = "KUBEFIT_PROGRESS_FILE"
    """Set by the agent for its trainer: where to write `TrainerReport` JSON, atomically."""
    FAILURE_FILE = "KUBEFIT_FAILURE_FILE"
    """Set by the agent for its trainer: where to write `Failure` JSON before a bad exit."""
    OUTCOME_FILE = "KUBEFIT_OUTCOME_FILE"
    """Where the agent writes `Outcome` JSON at its end; default `/dev/termination-log`."""
    JOB_UID = "KUBEFIT_JOB_UID"
    """Set for agents: uid of the Job that the pod is of; a job that was resumed has another."""
    RUN = "KUBEFIT_RUN"
    """What sets this run of a job apart from others; set while `spec.fetch` is carried out."""
    JOB_DIR = "KUBEFIT_JOB_DIR"
    """Set for the user's program: the folder of the job on the volume."""
    SNAPSHOT_DIR = "KUBEFIT_SNAPSHOT_DIR"
    """Set by the agent for its trainer: folder in memory for snapshots, which outlives it."""
    RESTORE = "KUBEFIT_RESTORE"
    """Set by the agent for its trainer: the snapshot to go on from, the same on all workers."""
    REACHED = "KUBEFIT_REACHED"
    """Set by the agent for its trainer: the step that attempts before this one have reached."""
    TOKEN_FILE = "KUBEFIT_TOKEN_FILE"
    """File with the secret that the agents of a job show each other."""
    LOG_FORMAT = "KUBEFIT_LOG_FORMAT"
    """`text` or `json`: what lines of the log look like; of the operator and of agents."""
    LIFELINE = "KUBEFIT_LIFELINE"
    """Number of a file descriptor, the reading end of a pipe whose other end the parent holds: the
    process stops when it closes, so that nothing outlives a parent that was killed."""


class Phase(StrEnum):
    """`status.phase` of a TrainingJob, shown in the column STATE."""

    PENDING = "Pending"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    RESTARTING = "Restarting"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class GangScheduler(StrEnum):
    """Who can place the workers of a job all at once."""

    KUBERNETES = "kubernetes"
    """Kubernetes' own scheduler, with the feature gate GenericWorkload."""
    COSCHEDULING = "coscheduling"
    """The plugin of that name of scheduler-plugins."""
    VOLCANO = "volcano"


class ConditionType(StrEnum):
    """Types of `status.conditions`."""

    ACCEPTED = "Accepted"
    PODS_READY = "PodsReady"
    PROGRESSING = "Progressing"
    CHECKPOINTED = "Checkpointed"
    COMPLETE = "Complete"
    FAILED = "Failed"


APPLY_TYPED_FAULT = "failed to create typed patch object"
"""How server-side apply begins its refusal of what no schema declares; its code is 500."""
