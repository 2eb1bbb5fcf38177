"""What agents say to the one that hosts the rendezvous, and what it answers.

Level-triggered: a report is the whole state of a member, a directive all that it is to do. Either
may be lost, late or repeated without harm.
"""

from enum import StrEnum

from kubefit.api.base import Model
from kubefit.api.contract import Cause, Failure, Spent


class Member(StrEnum):
    """What a member does."""

    IDLE = "Idle"
    """It has no trainer, and could start one."""
    RUNNING = "Running"
    ENDED = "Ended"
    """Its trainer of that generation has ended."""


class Report(Model):
    """State of one member."""

    rank: int
    """Completion index of its pod."""
    incarnation: str
    """Random, another one for every agent process."""
    began: float = 0.0
    """Unix time in seconds at which that process began: of two with one rank the later counts."""
    number: int = 0
    """Counts the reports of an incarnation: one that was overtaken tells nothing new."""
    meeting: str = ""
    """Of the directive that this member was given last: no other rendezvous believes the report."""
    address: str = ""
    """Of its pod, as it is on the way to worker 0; that one does not tell its own."""
    state: Member
    generation: int = 0
    """Of the trainer that runs or has ended; 0 before the first."""
    failure: Failure | None = None
    """Why that trainer failed; None if it ended well."""
    ended: float = 0.0
    """Unix time in seconds of that end."""
    step: int = 0
    """Steps done, as its trainer told last."""
    spent: Spent | None = None
    """What the time of the trainer of that generation went into, as it told last."""
    stalled: str = ""
    """Why its trainer seems to be stuck; empty while it does not."""
    port: int = 0
    """A free port for TensorFlow's server of its next trainer."""
    snapshots: list[str] = []
    """Names of the snapshots in its memory, newest first."""
    reading: bool = False
    """Whether the snapshots in its memory are still being verified."""
    workers: int = 0
    """Workers asked for, as this member was told when it started."""
    leaving: bool = False
    """It has been told to stop, and will not start another trainer."""


class Action(StrEnum):
    """What a member is to do."""

    WAIT = "Wait"
    RUN = "Run"
    """To have a trainer of the directive's generation, and no other."""
    STOP = "Stop"
    """To have its trainer keep its state together with the others, and end."""
    END = "End"
    """To end its trainer at once."""
    FINISH = "Finish"
    FAIL = "Fail"


class Directive(Model):
    """What a member is to do."""

    meeting: str = ""
    """Random, of the rendezvous that gives it; its next report repeats that."""
    action: Action
    generation: int
    members: list[int] = []
    """Completion indices of the members of that generation, in the order of their ranks in it."""
    addresses: list[str] = []
    """`host:port` of their TensorFlow servers."""
    restore: str = ""
    """Snapshot to go on from: a name if members hold it in memory, else a path on the volume."""
    holders: list[str] = []
    """`host:port` of agents that hold it."""
    reached: int = 0
    """Step that generations before this one have reached."""
    waiting_for: str = ""
    cause: Cause | None = None
    """Why the job, or the generation before, has failed."""
    dump: bool = False
    """Whether the stacks of the trainer are to be written to its log before it ends."""
