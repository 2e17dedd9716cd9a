"""Is everything here that the course needs? One line each: OK, WARN or FAIL, and what to do.

`python -m modules check`, or `python modules/course/check.py` where torch or Ultralytics do not even import:
nothing outside the standard library is imported before its own check.
"""

import importlib
import json
import shutil
import sys
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
IN_ITS_FOLDER = (ROOT / "pyproject.toml").exists()  # not so after `pip install git+...`
INSTALL = (
    "run `make lab` again, or `pip install -e .` in the folder of the course"
    if IN_ITS_FOLDER
    else "install the course again, by the command that you installed it with"
)


class Result(NamedTuple):
    """What one check found; `hint` says what to do where `status` is not OK."""

    status: str
    line: str
    hint: str = ""


def imported(name):
    """The module, or a Result that says why it cannot be imported."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        return Result("FAIL", f"{name}: not installed ({error})", INSTALL)
    except Exception as error:  # a library with missing shared objects raises OSError, a mismatched one anything
        return Result("FAIL", f"{name}: does not import: {type(error).__name__}: {first_line(error)}", INSTALL)


def first_line(error):
    return next(iter(str(error).strip().splitlines()), "")


def python(version=sys.version_info):
    found = ".".join(map(str, version[:3]))
    if version < (3, 10):
        return Result("FAIL", f"Python {found}", "the course needs 3.10 or newer: make PYTHON=/path/to/python3.12 lab")
    return Result("OK", f"Python {found}")


def torch():
    library = imported("torch")
    if isinstance(library, Result):
        return library
    try:
        total = float((library.ones(2, 3) @ library.ones(3, 2)).sum())
        numpy_total = float(library.ones(4).numpy().sum())
    except Exception as error:
        hint = "torch and NumPy do not fit together: pip install -U torch numpy"
        return Result("FAIL", f"torch {library.__version__}: {first_line(error)}", hint)
    if (total, numpy_total) != (12.0, 4.0):
        return Result("FAIL", f"torch {library.__version__} computes wrongly", "pip install --force-reinstall torch")
    return Result("OK", f"torch {library.__version__}")


def torchvision():
    library = imported("torchvision")
    if isinstance(library, Result):
        return library
    try:
        tensor = imported("torch").tensor
        kept = library.ops.nms(tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9]]), tensor([0.9, 0.8]), 0.5).tolist()
    except Exception as error:  # its compiled operators belong to another torch
        hint = "torchvision was built for another torch: pip install -U torch torchvision"
        return Result("FAIL", f"torchvision {library.__version__}: {first_line(error)}", hint)
    if kept != [0]:
        return Result("FAIL", f"torchvision {library.__version__} computes wrongly", "pip install -U torch torchvision")
    return Result("OK", f"torchvision {library.__version__}")


def opencv():
    library = imported("cv2")
    if isinstance(library, Result):
        if "lib" in library.line:  # libGL.so.1, libgthread: a server without a desktop
            hint = "pip uninstall -y opencv-python && pip install opencv-python-headless"
            return library._replace(hint=hint)
        return library
    return Result("OK", f"OpenCV {library.__version__}")


def ultralytics():
    library = imported("ultralytics")
    if isinstance(library, Result):
        return library
    line = f"Ultralytics {library.__version__} from {Path(library.__file__).parent}"
    if tuple(map(int, library.__version__.split(".")[:2])) < (8, 3):
        return Result("FAIL", line, "the course needs 8.3 or newer: pip install -U ultralytics")
    if not {"site-packages", "dist-packages"} & set(Path(library.__file__).parts):
        hint = "this is a copy outside site-packages, perhaps an edited fork; if that is not what you want, leave its folder"
        return Result("WARN", line, hint)
    return Result("OK", line)


def timm():
    library = imported("timm")
    return library if isinstance(library, Result) else Result("OK", f"timm {library.__version__}")


def einops():
    library = imported("einops")
    return library if isinstance(library, Result) else Result("OK", f"einops {library.__version__}")


def modules():
    library = imported("modules")
    if isinstance(library, Result):
        return library._replace(hint="if the lines above are OK, this is a bug of the course: please report it")
    if Path(library.__file__).resolve().parent != ROOT / "modules":
        hint = "another package of this name is in the way: pip uninstall modules, then `pip install -e .` here"
        return Result("FAIL", f"modules comes from {Path(library.__file__).parent}", hint)
    classes = [name for name in library.__all__ if isinstance(getattr(library, name), type)]
    return Result("OK", f"modules: {len(classes)} classes known to Ultralytics, such as {classes[0]}")


def gpu():
    library = imported("torch")
    if isinstance(library, Result):
        return Result("WARN", "GPU: cannot tell without torch")
    if library.cuda.is_available():
        memory = library.cuda.get_device_properties(0).total_memory / 2**30
        return Result("OK", f"GPU: {library.cuda.get_device_name(0)}, {memory:.0f} GiB")
    if shutil.which("nvidia-smi"):
        hint = "is the driver too old for this torch, or torch a CPU-only build? Compare `nvidia-smi` and `python -m torch.utils.collect_env`"
        return Result("WARN", "GPU: there is an NVIDIA driver, but torch cannot use it", hint)
    return Result("OK", "GPU: none, so the laptop preset is used")


def fire_set(folder=ROOT / "datasets" / "fire"):
    """Every picture of the manifest, each with its label file: one without would train as if nothing burned in it."""
    if not IN_ITS_FOLDER and not folder.exists():
        hint = "to train on it: git clone the course and `pip install -e .` in its folder; data of your own needs none"
        return Result("WARN", "fire set: not part of what pip installs from git", hint)
    again = "fetch the whole folder again: `git checkout datasets/fire`"
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return Result("FAIL", f"fire set: manifest.json cannot be read ({first_line(error)})", again)
    names = list(manifest) if isinstance(manifest, dict) else []
    if not names or not all("/images/" in name for name in names):
        return Result("FAIL", "fire set: manifest.json does not list its pictures", again)
    files = [name for picture in names for name in (picture, label_of(picture))]
    missing = [name for name in files if not is_there(folder / name)]
    if missing:
        return Result(
            "FAIL", f"fire set: {len(missing)} of {len(files)} files missing, such as {missing[0][:80]}", again
        )
    train, val = (sum(name.startswith(split) for name in names) for split in ("train/", "val/"))
    return Result("OK", f"fire set: {train} pictures to train, {val} to validate")


def is_there(path):
    """Whether there is such a file; one with an impossible name is not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def label_of(picture):
    """train/images/fire_000.jpg -> train/labels/fire_000.txt"""
    return str(PurePosixPath(picture.replace("/images/", "/labels/")).with_suffix(".txt"))


def disk(free=None):
    free = shutil.disk_usage(ROOT).free / 1e9 if free is None else free
    line = f"disk: {free:.0f} GB free"
    if free < 1:
        return Result("FAIL", line, "a training run and its pictures need about 1 GB")
    if free < 5:
        return Result("WARN", line, "enough for lessons; long training runs keep checkpoints in runs/")
    return Result("OK", line)


CHECKS = (python, torch, torchvision, opencv, ultralytics, timm, einops, modules, gpu, fire_set, disk)


def report(checks=CHECKS):
    """Print one line for every check, with what to do. Returns how many failed."""
    failed = 0
    for check in checks:
        status, line, hint = check()
        print(f"{status:<5} {line}")
        if hint:
            print(f"      -> {hint}")
        failed += status == "FAIL"
    print(f"\n{failed} to put right." if failed else "\nAll set.")
    return failed


def main():
    return 1 if report() else 0


if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # instead of this file's folder, whose names (train, fire) would hide packages
    sys.exit(main())
