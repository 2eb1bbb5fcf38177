"""What texts and recordings have in common: what is held out of them, and what is left out."""

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import Model, rule
from kubefit.api.recipe.data import (
    ONE_TEST,
    ONE_VALIDATION,
    ClassWeights,
    LabelKind,
    OnUnreadable,
)

HOLDING_OUT = [
    rule("!has(self.validation) || self.validationSplit == 0.0", ONE_VALIDATION),
    rule(
        "(!has(self.test) || self.testSplit == 0.0) && self.testSplit + self.validationSplit < 1.0",
        ONE_TEST,
    ),
]
"""Rules of the API server for every model that holds samples out."""


class HoldingOut(Model):
    """Samples with one class each, of which some may be held out."""

    validation_split: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of the training samples held out for validation.

    Chosen by the seed, of each class alike, the same for any number of workers.
    """
    test_split: Annotated[float, Field(ge=0.0, le=0.9)] = 0.0
    """Share of the training samples held out for the evaluation after training, chosen likewise."""
    class_weights: ClassWeights = ClassWeights.NONE
    """How much the classes weigh in the loss of training."""
    on_unreadable: OnUnreadable = OnUnreadable.FAIL
    """What becomes of samples that cannot be used: in another encoding, empty, silent or cut short.

    With `skip` they are left out on every worker, and counted and named.
    """
    validation: Model | SkipJsonSchema[None] = None
    test: Model | SkipJsonSchema[None] = None

    @model_validator(mode="after")
    def _splits_fit(self) -> Self:
        if self.validation is not None and self.validation_split > 0:
            raise ValueError(ONE_VALIDATION)
        if (self.test is not None and self.test_split) or (
            self.test_split + self.validation_split >= 1
        ):
            raise ValueError(ONE_TEST)
        return self

    @property
    def labels(self) -> LabelKind:
        """What is known of each sample."""
        return LabelKind.SINGLE_LABEL

    @property
    def validates(self) -> bool:
        """Whether there are samples to validate on."""
        return self.validation is not None or self.validation_split > 0
