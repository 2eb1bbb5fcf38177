"""What an agent tells about itself at this moment; shared by its threads."""

import threading
from pathlib import Path
from typing import Any

from kubefit.api.contract import AgentPhase, Failure, TrainerReport, WorkerStatus
from kubefit_trainer import report


class State:
    """The status of this worker; the trainer's report is read when somebody asks."""

    def __init__(self, *, rank: int, workers: int, attempt: int, progress_file: Path) -> None:
        self._lock = threading.Lock()
        self._progress_file = progress_file
        self._status = WorkerStatus(
            rank=rank, workers=workers, attempt=attempt, phase=AgentPhase.STARTING
        )

    def enter(
        self,
        phase: AgentPhase,
        *,
        waiting_for: str = "",
        failure: Failure | None = None,
        **changes: Any,
    ) -> None:
        """Changes what the agent does, and other fields of its status."""
        with self._lock:
            update = {"phase": phase, "waiting_for": waiting_for, "failure": failure}
            self._status = self._status.model_copy(update={**update, **changes})

    def report(self) -> TrainerReport | None:
        """What the trainer told last."""
        return report.read(self._progress_file, TrainerReport)

    def status(self) -> WorkerStatus:
        """The answer of `/status`."""
        with self._lock:
            status = self._status
        return status.model_copy(update={"report": self.report()})
