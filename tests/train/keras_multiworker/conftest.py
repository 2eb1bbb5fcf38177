"""What the programs of a test file return: on one process, and on several by rank.

Three workers show what two do, and more: shares that differ, a middle one. A file that has both
says so by `WORKERS`.
"""

import pytest

_MANY = (3,)


def pytest_generate_tests(metafunc):
    if "many" in metafunc.fixturenames:
        workers = getattr(metafunc.module, "WORKERS", _MANY)
        metafunc.parametrize("many", workers, indirect=True, scope="module")


@pytest.fixture(scope="module")
def one(request, worker_group):
    return worker_group(request.module.SCENARIOS, workers=1)[0]


@pytest.fixture(scope="module")
def many(request, worker_group):
    return worker_group(request.module.SCENARIOS, workers=request.param)
