"""What the programs of a test file return: on one process, and on several by rank."""

import pytest


@pytest.fixture(scope="module")
def one(request, worker_group):
    return worker_group(request.module.SCENARIOS, workers=1)[0]


@pytest.fixture(scope="module", params=[2, 3])
def many(request, worker_group):
    return worker_group(request.module.SCENARIOS, workers=request.param)
