"""A job that waits for a right of the operator's says which, and what to do."""

import pytest

from kubefit.controller.connection import ApiError
from kubefit.controller.reconcile import refusal

OPERATOR = "system:serviceaccount:kubefit-system:kubefit"


def _lacking(resource: str) -> ApiError:
    words = f'{resource} "digits" is forbidden: User "{OPERATOR}" cannot patch resource'
    return ApiError(403, f'{words} "{resource}" in API group "x" in the namespace "team"')


def test_a_role_older_than_the_operator_is_named_with_what_does_without_it() -> None:
    assert refusal(_lacking("networkpolicies")) == (
        f"the operator, {OPERATOR}, has no right to patch networkpolicies: upgrade its role along"
        " with it, as helm upgrade does, or set networkPolicies.jobs=false of the chart"
    )
    assert refusal(_lacking("services")).endswith("as helm upgrade does")


@pytest.mark.parametrize(
    "words",
    [
        'jobs.batch "digits" is forbidden: exceeded quota: small, requested: count/jobs=1',
        'admission webhook "policy" denied the request: no label team',
    ],
)
def test_a_refusal_that_is_about_the_job_is_told_as_it_is(words: str) -> None:
    assert refusal(ApiError(403, words)) == words
