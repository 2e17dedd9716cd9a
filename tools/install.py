"""Install the course from this folder, without internet: python install.py, with a Python that has torch.

`make bundle` puts this file beside the wheels that it needs.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels"


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--disable-pip-version-check"]
    alone = os.environ | {"PIP_CONFIG_FILE": os.devnull}  # a machine's own index or constraints are for other times
    run = subprocess.run([*command, "--no-index", "--find-links", str(WHEELS), *arguments], cwd=HERE, env=alone)
    if run.returncode:
        sys.exit(
            f"install: pip failed, see above. The wheels are for {names_of(WHEELS)}; this is {sys.version.split()[0]}."
        )


def names_of(wheels: Path) -> str:
    """Python versions that the wheels are for, as "cp311"."""
    return ", ".join(sorted({wheel.stem.split("-")[2] for wheel in wheels.glob("*-cp3*-cp3*.whl")} - {"cp3"}))


def main() -> None:
    if not WHEELS.is_dir():
        sys.exit("install: no folder wheels/ here. This file works in what `make bundle` made; otherwise: make check")
    missing = [name for name in ("torch", "torchvision") if not importlib.util.find_spec(name)]
    if missing and not list(WHEELS.glob("torch-*.whl")):
        sys.exit(
            f"install: {' and '.join(missing)} missing in {sys.executable}. Use the Python that has it, as in "
            "/path/to/venv/bin/python install.py, or ask for a bundle with torch (make bundle OPTIONS=--torch)."
        )
    pip("--upgrade", "pip", "setuptools", "wheel")
    pip("--no-build-isolation", "--editable", ".[lab]")
    subprocess.run(
        [sys.executable, "-m", "ipykernel", "install", "--user"]
        + ["--name", "backbones-by-hand", "--display-name", "Backbones by Hand"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # where it may not write, the kernel of this Python works all the same
    )
    print(subprocess.run([sys.executable, "modules/course/check.py"], cwd=HERE, capture_output=True, text=True).stdout)
    print(f"{sys.executable} -m jupyterlab notebooks")


if __name__ == "__main__":
    main()
