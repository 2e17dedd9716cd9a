"""Try the registry with old and new Ultralytics, each in a virtual environment of its own: `make test-versions`.

python tests/versions/run.py            all VERSIONS
python tests/versions/run.py 8.3.0      some

8.3.0 needs Python 3.12 or older: NumPy 1 has no wheel for a newer one.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".versions"  # the environments, kept for the next time; git ignores them

# What each version was made for: 8.3.0 predates numpy 2 and torch 2.6, which loads checkpoints differently.
VERSIONS = {
    "8.3.0": ["numpy<2", "torch<2.6", "torchvision<0.21"],
    "8.3.100": [],
    "8.3.200": [],
    "8.4.0": [],
    "newest": [],
}
STEPS = [("matrix.py", "make"), ("matrix.py", "load")]
STEPS += [("fork.py", step) for step in ("trains", "places", "inside", "workers")]


def environment(version: str) -> Path:
    """The Python of a virtual environment with this version in it."""
    python = HOME / version / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", HOME / version], check=True)
    wanted = "ultralytics" if version == "newest" else f"ultralytics=={version}"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--upgrade", "--python", python]
    subprocess.run([*uv, wanted, "timm", "einops", "cloudpickle", *VERSIONS[version]], check=True)
    return python


def try_version(version: str) -> bool:
    """Run all STEPS, and say whether they passed."""
    print(f"\n== Ultralytics {version}", flush=True)
    try:
        python = environment(version)
    except subprocess.CalledProcessError:  # pip and uv have said why
        return False
    folder = Path(tempfile.mkdtemp(prefix="course-"))
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
        for script, step in STEPS:
            place = folder / ("models" if script == "matrix.py" else step)
            command = [python, ROOT / "tests" / "versions" / script, step, place]
            done = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True)  # progress bars go to stderr
            if done.returncode:
                print(done.stderr[-3000:])
                return False
        return True
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(VERSIONS)
    unknown = set(chosen) - set(VERSIONS)
    if unknown:
        sys.exit(f"Unknown version {', '.join(unknown)}; choose from {', '.join(VERSIONS)}.")
    failed = [version for version in chosen if not try_version(version)]
    print(
        f"\n{len(chosen) - len(failed)} of {len(chosen)} versions passed"
        + (f"; failed: {', '.join(failed)}" if failed else "")
    )
    sys.exit(bool(failed))
