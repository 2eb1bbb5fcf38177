"""`spec.checkpoint` and `spec.elastic`: how training outlives its workers.

A snapshot is the whole state of training after one step. It is kept in the memory of every worker
often, and written to the job's volume, where it is called a checkpoint, less often.
"""

from typing import Annotated

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model


class Checkpoint(Model):
    """When the state of training is kept, and whether it is taken up again."""

    every_seconds: Annotated[float, Field(ge=1)] = 600.0
    """Seconds between two checkpoints on the volume; the end of training writes one too."""
    every_steps: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None
    """A checkpoint after every so many steps besides."""
    memory_every_seconds: Annotated[float, Field(ge=1)] = 10.0
    """Seconds between two snapshots in the memory of the workers."""
    memory_every_steps: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None
    """A snapshot after every so many steps besides."""
    keep: Annotated[int, Field(ge=1, le=1000)] = 3
    """Checkpoints on the volume; the oldest are removed."""
    resume: bool = True
    """Goes on from the newest checkpoint of a job of this name that was not finished."""
    fail_after_seconds: Annotated[float, Field(ge=1)] = 1800.0
    """Training fails when it has not been possible to write a checkpoint for so long."""


class Elastic(Model):
    """Training with fewer workers than `spec.workers` while some are missing."""

    min_workers: Annotated[int, Field(ge=1)]
    """With fewer than these training waits."""
    shrink_after_seconds: Annotated[float, Field(ge=0)] = 60.0
    """How long a missing worker is waited for before the others go on without it."""
