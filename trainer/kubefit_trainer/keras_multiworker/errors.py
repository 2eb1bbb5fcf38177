"""What this library refuses, and how it says so; nothing here imports TensorFlow."""


class MultiWorkerError(RuntimeError):
    """Base of all errors of this library; the message is one sentence with what to do."""


class UnsupportedVersionError(MultiWorkerError):
    """The installed pair of Keras and TensorFlow is not in the table of supported pairs."""


class UnsupportedProgramError(MultiWorkerError):
    """The program does something that cannot be right on several workers."""


class DifferentDataError(MultiWorkerError):
    """Workers that must see the same global batch saw different ones."""


class DifferentProgramError(MultiWorkerError):
    """Workers run programs that differ: in versions, model, optimizer, steps, or order of calls."""


class PeerFailedError(MultiWorkerError):
    """Another worker failed; the message carries its rank and its traceback."""


class WorkerLostError(MultiWorkerError):
    """Another worker is gone or does not answer any more; why is for that worker to say."""
