"""Memory of images that are decoded one after the other."""

import os
import resource
import subprocess
import sys

_PROGRAM = """
import resource, sys, threading
import numpy as np
from kubefit_trainer.images import memory

def decode() -> None:
    for _ in range(100):
        np.ones(600_000, np.uint8)

if sys.argv[1] == "kept":
    memory.kept()
decoding = threading.Thread(target=decode)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
decoding.start()
decoding.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def fresh_pages(how: str) -> int:
    command = [sys.executable, "-c", _PROGRAM, how]
    # The C library's first setting, which it would otherwise raise as it sees what is freed.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(128 << 10)}
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return int(ran.stdout)


def test_the_pages_of_an_image_are_used_again_for_the_next() -> None:
    pages = 600_000 // resource.getpagesize()
    assert fresh_pages("kept") < 10 * pages < 100 * pages <= fresh_pages("given back")
