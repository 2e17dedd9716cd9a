"""Try the registry with old and new Ultralytics, each in a virtual environment of its own: `make test-versions`.

python tests/versions/run.py                    all VERSIONS, all STEPS
python tests/versions/run.py 8.3.0 newest       these versions
python tests/versions/run.py 8.3.0 make places  these steps of it

Each step prints what it does; the table at the end has one line for each version and step: what passed, and the seconds.
8.3.0 needs Python 3.12 or older: NumPy 1 has no wheel for a newer one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
HOME = ROOT / ".versions"  # the environments, kept for the next time; git ignores them

# What each version was made for: 8.3.0 predates numpy 2 and torch 2.6, which loads checkpoints differently.
VERSIONS = {
    "8.3.0": ["numpy<2", "torch<2.6", "torchvision<0.21"],
    "8.3.100": [],
    "8.3.200": [],
    "8.4.0": [],
    "newest": [],
}
STEPS = {
    "make": "matrix.py",
    "load": "matrix.py",  # what `make` made
    "trains": "fork.py",
    "places": "fork.py",
    "inside": "fork.py",
    "workers": "fork.py",
}


def environment(version: str) -> Path:
    """The Python of a virtual environment with this version in it."""
    python = HOME / version / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", HOME / version], check=True)
    wanted = "ultralytics" if version == "newest" else f"ultralytics=={version}"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--upgrade", "--python", python]
    subprocess.run([*uv, wanted, "timm", "einops", "cloudpickle", *VERSIONS[version]], check=True)
    return python


def run_step(python: Path, step: str, folder: Path, env: dict) -> tuple[bool, str]:
    """Run one step and show its lines as they come. Returns whether it passed, and its last line."""
    place = folder / ("models" if STEPS[step] == "matrix.py" else step)
    command, last = [python, HERE / STEPS[step], step, place], ""
    with tempfile.TemporaryFile("w+") as errors:  # progress bars go to stderr, shown only if the step fails
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            for line in process.stdout:
                print("   ", line, end="", flush=True)
                last = line.strip() or last
        errors.seek(0)
        said = errors.read().strip()
    if process.returncode == 0:
        return True, last
    print(said[-3000:], flush=True)
    return False, said.splitlines()[-1][:200] if said else f"exit status {process.returncode}"


def try_version(version: str, steps: list[str]) -> list[tuple[str, str, bool, float, str]]:
    """Run these steps. Returns a row of the table for each: version, step, passed, seconds, its last line."""
    print(f"\n== Ultralytics {version}", flush=True)
    started = time.perf_counter()
    try:
        python = environment(version)
    except subprocess.CalledProcessError:  # pip and uv have said why
        return [(version, "install", False, time.perf_counter() - started, "see above")]
    folder, rows = Path(tempfile.mkdtemp(prefix="course-")), []
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "YOLO_CONFIG_DIR": str(folder / "settings"),
        "PYTHONUNBUFFERED": "1",
        "TQDM_DISABLE": "1",
    }
    shown = "import torch, ultralytics, numpy as n; print(ultralytics.__version__, 'torch', torch.__version__, 'numpy', n.__version__)"
    subprocess.run([python, "-c", shown], env=env)
    try:
        for step in steps:
            if step == "load" and not rows[-1][2]:
                continue  # nothing was made
            started = time.perf_counter()
            passed, last = run_step(python, step, folder, env)
            rows.append((version, step, passed, time.perf_counter() - started, last))
            print(line_of(rows[-1]), flush=True)
    finally:
        shutil.rmtree(folder)
    return rows


def line_of(row: tuple[str, str, bool, float, str]) -> str:
    version, step, passed, seconds, last = row
    return f"{version:8} {step:8} {'passed' if passed else 'FAILED'} {seconds:5.0f} s  {last}"


if __name__ == "__main__":
    words = sys.argv[1:]
    if unknown := set(words) - set(VERSIONS) - set(STEPS):
        sys.exit(
            f"Unknown: {', '.join(sorted(unknown))}; versions are {', '.join(VERSIONS)}, steps {', '.join(STEPS)}."
        )
    if "load" in words:
        words.append("make")
    versions = [version for version in VERSIONS if version in words] or list(VERSIONS)
    steps = [step for step in STEPS if step in words] or list(STEPS)
    rows = [row for version in versions for row in try_version(version, steps)]
    print("", *map(line_of, rows), sep="\n")
    failed = {row[0] for row in rows if not row[2]}
    print(f"\n{len(versions) - len(failed)} of {len(versions)} versions passed")
    sys.exit(bool(failed))
