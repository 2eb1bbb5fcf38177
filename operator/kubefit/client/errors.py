"""What can go wrong between a program and its jobs, in sentences for people."""

from kubefit.api.v1alpha1 import FailureStatus


class ClientError(Exception):
    """What was asked for cannot be done: one sentence per fault, and a hint what to do."""

    def __init__(self, *sentences: str, hint: str = "") -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences
        self.hint = hint


class InvalidJobError(ClientError):
    """A file or a document is no TrainingJob that can be run."""


class JobOverError(ClientError):
    """A job of that name has ended, and does not run again."""


class JobRunsError(JobOverError):
    """A job of that name runs, and so does not begin."""


class JobFailedError(ClientError):
    """A job has failed; `failure` is its first cause, where one is known."""

    def __init__(
        self, *sentences: str, failure: FailureStatus | None = None, hint: str = ""
    ) -> None:
        super().__init__(*sentences, hint=hint)
        self.failure = failure


class WaitTimeoutError(ClientError, TimeoutError):
    """A job has not ended within the time that was given."""


class NotShippableError(ClientError):
    """A function needs more than its own text, which workers do not have."""
