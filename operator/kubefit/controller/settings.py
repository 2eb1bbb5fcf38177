"""The operator's settings, from environment variables `KUBEFIT_…`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kubefit.api.errors import explain
from kubefit.core.observed import Defaults

_PREFIX = "KUBEFIT_"


class Settings(BaseModel):
    """Field `x_y` is read from `KUBEFIT_X_Y`; lists are separated by commas."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    trainer_image: Annotated[str, Field(min_length=1)]
    """Image of workers whose job names none, and of TensorBoard."""
    trainer_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    """Namespaces to watch; all when empty."""
    port: Annotated[int, Field(ge=1, le=65535)] = 9090
    """Of `/metrics` and `/healthz`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def defaults(self) -> Defaults:
        """What jobs get that do not say otherwise."""
        return Defaults(
            image=self.trainer_image,
            image_pull_policy=self.trainer_pull_policy,
            image_pull_secrets=self.image_pull_secrets,
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
