"""The environment of every test, and of every lesson that nbval runs: small, quiet, offline, away from the user's own settings."""

import os
import tempfile

from tools.lessons import greet_ultralytics, kernel_environment

# Blanks to fill in are no lessons to run: tests/test_exercises.py runs them, without a kernel.
collect_ignore = ["notebooks/exercises"]


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return  # a worker of pytest-xdist has inherited all this
    config.ultralytics_settings = tempfile.TemporaryDirectory(prefix="backbones-by-hand-")
    os.environ.update(kernel_environment("smoke", config.ultralytics_settings.name))
    os.environ["COURSE_RUNS"] = os.path.join(config.ultralytics_settings.name, "runs")
    # COURSE_THREADS, because Ultralytics, where it is imported first, makes OMP_NUM_THREADS its own.
    # Two workers on two cores, and sums in the same order on every machine.
    os.environ["OMP_NUM_THREADS"] = os.environ["COURSE_THREADS"] = "1"
    if config.getoption("nbval", False):
        greet_ultralytics(os.environ)


def pytest_unconfigure(config):
    if hasattr(config, "ultralytics_settings"):
        config.ultralytics_settings.cleanup()
