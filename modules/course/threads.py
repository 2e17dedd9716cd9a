"""How many cores torch may use. Ultralytics leaves one of them idle, which is half of a small machine.

The environment variable COURSE_THREADS says another number. Without it OMP_NUM_THREADS counts, as for torch itself.
"""

import contextlib
import os
import sys
from unittest import mock

# Ultralytics sets OMP_NUM_THREADS when it is imported; only what stood there before is somebody's wish.
WISH = None if "ultralytics" in sys.modules else os.environ.get("OMP_NUM_THREADS")


def threads() -> int:
    """The number of threads to compute with: what the environment says, else one for each core of this process."""
    for wish in (os.environ.get("COURSE_THREADS"), WISH):
        if wish and wish.isdigit() and int(wish):
            return int(wish)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def all_cores():
    """Ultralytics trains, measures and predicts with `threads()` threads where it computes on the CPU."""
    with mock.patch("ultralytics.utils.torch_utils.NUM_THREADS", threads()):
        yield
