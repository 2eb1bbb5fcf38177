"""The operator's settings, from environment variables `KUBEFIT_…`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kubefit.api.errors import explain
from kubefit.api.log_lines import LogFormat
from kubefit.api.names import GangScheduler
from kubefit.core.observed import Defaults

_PREFIX = "KUBEFIT_"


class Settings(BaseModel):
    """Field `x_y` is read from `KUBEFIT_X_Y`; lists are separated by commas."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    trainer_image: Annotated[str, Field(min_length=1)]
    """Image of workers whose job names none, and of TensorBoard."""
    trainer_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    network_policies: bool = True
    """Whether each job has a NetworkPolicy."""
    gang_scheduler: GangScheduler | None = None
    """Who heeds the PodGroups of jobs with `spec.scheduling.gang`."""
    gang_scheduler_name: str = ""
    """`schedulerName` of their pods; the usual one when empty."""
    namespaces: tuple[str, ...] = ()
    """Namespaces to watch; all when empty."""
    lease_namespace: Annotated[str, Field(min_length=1)]
    """Where the Lease lies whose holder acts: the operator's own namespace."""
    lease_name: Annotated[str, Field(min_length=1)] = "kubefit"
    port: Annotated[int, Field(ge=1, le=65535)] = 9090
    """Of `/metrics`, `/healthz` and `/readyz`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: LogFormat = LogFormat.TEXT
    """Of the operator's own log."""
    worker_log_format: LogFormat = LogFormat.TEXT
    """Of the logs of workers."""

    @property
    def defaults(self) -> Defaults:
        """What jobs get that do not say otherwise."""
        return Defaults(
            image=self.trainer_image,
            image_pull_policy=self.trainer_pull_policy,
            image_pull_secrets=self.image_pull_secrets,
            log_format=self.worker_log_format,
            network_policies=self.network_policies,
            gang_scheduler=self.gang_scheduler,
            gang_scheduler_name=self.gang_scheduler_name,
        )


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Reads the settings.

    Raises:
        ValueError: a variable is missing or wrong; the message names it.

    """
    given: dict[str, object] = {}
    for name, annotation in Settings.model_fields.items():
        text = environment.get(_PREFIX + name.upper())
        if text is not None:
            is_list = annotation.annotation == tuple[str, ...]
            given[name] = [part for part in text.split(",") if part] if is_list else text
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        faults = "; ".join(_PREFIX + fault[:1].upper() + fault[1:] for fault in explain(error))
        raise ValueError(faults) from None
