"""Lines of a worker's log, with what they are about: the agent's own and those of its trainer."""

import datetime
from dataclasses import dataclass

from kubefit.api.log_lines import AGENT_PREFIX, LogFormat, Source, json_line


@dataclass(slots=True, kw_only=True)
class Lines:
    """What is known of this worker at the moment; set by whoever learns it."""

    format: LogFormat = LogFormat.TEXT
    namespace: str | None = None
    job: str | None = None
    rank: int | None = None
    attempt: int | None = None
    step: int | None = None

    def of_agent(self, message: str, *, level: str = "info") -> str:
        """What the agent says."""
        if self.format is LogFormat.TEXT:
            return f"{AGENT_PREFIX}{message}"
        return self._json(message, level, Source.AGENT)

    def of_trainer(self, line: bytes) -> bytes:
        """A line of the program's output; text stays as it is, byte for byte."""
        if self.format is LogFormat.TEXT:
            return line
        message = line.decode(errors="replace").rstrip("\r\n")
        return f"{self._json(message, 'info', Source.TRAINER)}\n".encode()

    def _json(self, message: str, level: str, source: Source) -> str:
        return json_line(
            datetime.datetime.now(datetime.UTC),
            level,
            message,
            namespace=self.namespace,
            job=self.job,
            rank=self.rank,
            attempt=self.attempt,
            step=self.step,
            source=source,
        )


LINES = Lines()
"""Those of this process, which is one worker."""
