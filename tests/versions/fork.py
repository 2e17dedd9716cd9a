"""A fork of the installed Ultralytics: `fork.py STEP FOLDER`, with STEP one of STEPS.

`trains` carries four modules into the fork, trains each there, and loads the checkpoints where this repository cannot be
seen.
`places` puts the one line where articles and people put it, and says what happens there.
`inside` imports the course within such a fork.
`workers` starts two processes with the script that Ultralytics writes for several GPUs.
"""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

import ultralytics  # noqa: E402

from modules.course import two_processes  # noqa: E402
from modules.course.errors import InputError  # noqa: E402
from modules.course.fire import fire_pictures  # noqa: E402
from modules.course.vendor import PACKAGE, vendor  # noqa: E402

INSTALLED = Path(ultralytics.__file__).parent
# class: a model with it
CARRIED = {
    "EMO_1M": "yolo11n-EMO.yaml",
    "repvit_m0_9": "yolo11n-RepViT.yaml",
    "revcol_tiny": "yolo11n-RevColV1.yaml",
    "C2f_iRMB": "yolov10n-C2f_iRMB.yaml",
}
FILES = {"emo", "repvit", "revcol", "c2f_irmb"}
BUILD = "from ultralytics import YOLO; print('built', type(YOLO('yolo11n-EMO.yaml').model.model[0]).__module__)"
TOO_EARLY = "Put the line at the end of ultralytics/__init__.py."


def make_fork(folder: Path, classes: list[str]) -> Path:
    """A source tree of Ultralytics with modules of the course in it."""
    unwanted = shutil.ignore_patterns("__pycache__", "assets")
    shutil.copytree(INSTALLED, folder / "ultralytics", ignore=unwanted)
    vendor(folder, classes)
    return folder


def run_in(fork: Path, code: str, course: bool = False) -> subprocess.CompletedProcess:
    """Run code that sees the fork before the installed Ultralytics, and this repository only if `course`."""
    seen = [fork, *([ROOT] if course else []), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    seen = [str(path) for path in seen if path and Path(path).resolve() != ROOT or course and path]
    guard = "" if course else f"import sys\nsys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
    blocked = "" if course else "sys.modules['modules'] = None\n"
    return subprocess.run(
        [sys.executable, "-c", guard + blocked + textwrap.dedent(code)],
        cwd=fork,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(seen)},
        capture_output=True,
        text=True,
    )


def printed(run: subprocess.CompletedProcess) -> str:
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def few_pictures(folder: Path) -> Path:
    """Four pictures of the fire set with their labels; returns the data YAML."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for picture in fire_pictures("train", kind="campfire")[:4]:
        shutil.copy(picture, folder / "images")
        shutil.copy(picture.parents[1] / "labels" / f"{picture.stem}.txt", folder / "labels")
    data = folder / "data.yaml"
    data.write_text(f"path: {folder}\ntrain: images\nval: images\nnames: [fire]\n")
    return data


def trains(folder: Path) -> None:
    fork, data, runs = make_fork(folder / "fork", list(CARRIED)), few_pictures(folder / "set"), folder / "runs"
    models = [*CARRIED.values()]
    there = printed(
        run_in(
            fork,
            f"""
            import ultralytics
            from ultralytics import YOLO
            assert ultralytics.__file__.startswith({str(fork)!r})
            for name in {models}:
                yolo = YOLO(name)
                print("parameters", name, sum(p.numel() for p in yolo.model.parameters()))
                yolo.train(
                    data={str(data)!r}, epochs=1, imgsz=64, batch=4, workers=0, plots=False, device="cpu",
                    project={str(runs)!r}, name=name, verbose=False)
            """,
        )
    )
    for name in models:
        here = f"parameters {name} {sum(p.numel() for p in ultralytics.YOLO(name).model.parameters())}\n"
        assert here in there, f"here {here}, there {there[-300:]}"
    weights = [str(runs / name / "weights" / "last.pt") for name in models]
    loaded = printed(
        run_in(
            fork,
            f"""
            from ultralytics import YOLO
            for path in {weights}:
                print("from", *sorted({{type(m).__module__ for m in YOLO(path).model.modules()}}))
            """,
        )
    )
    assert all(f"ultralytics.{PACKAGE}.{name}" in loaded.split() for name in FILES), loaded
    print(f"{len(models)} models built, trained and their checkpoints loaded; none of it sees the course")


def at_end(text: str, line: str) -> str:
    return f"{text.rstrip()}\n\n{line}\n"


def before_first_class(text: str, line: str) -> str:
    before, cut, after = text.partition("\nclass BaseModel")
    return f"{before}\n{line}\n{cut}{after}"


# Where the line may stand: file, how it is put there, and whether the classes are registered then. Elsewhere it must say
# where to put it.
PLACES = {
    "end of ultralytics/__init__.py": ("__init__.py", at_end, True),
    "start of ultralytics/__init__.py": ("__init__.py", lambda text, line: f"{line}\n{text}", False),
    "end of nn/__init__.py": ("nn/__init__.py", at_end, True),
    "end of nn/tasks.py": ("nn/tasks.py", at_end, True),
    "imports of nn/tasks.py": ("nn/tasks.py", before_first_class, False),
    "end of nn/modules/__init__.py": ("nn/modules/__init__.py", at_end, False),
    "end of nn/modules/block.py": ("nn/modules/block.py", at_end, False),
}


def places(folder: Path) -> None:
    fork = make_fork(folder / "fork", ["EMO_1M"])
    host = fork / "ultralytics"
    (host / "__init__.py").write_text((INSTALLED / "__init__.py").read_text(encoding="utf-8"), encoding="utf-8")
    for place, (name, put, works) in PLACES.items():
        text = (host / name).read_text(encoding="utf-8")
        (host / name).write_text(put(text, f"from ultralytics import {PACKAGE}"), encoding="utf-8")
        run = run_in(fork, BUILD)
        (host / name).write_text(text, encoding="utf-8")
        last = (run.stderr.strip().splitlines() or [""])[-1]
        print(f"{place:<34}{'works' if run.returncode == 0 else last}", flush=True)
        assert (run.returncode == 0) == works and (works or last.endswith(TOO_EARLY)), run.stderr[-1500:]
    by_hand(fork)
    works = sum(works for *_, works in PLACES.values())
    print(f"the line works in {works} places; in {len(PLACES) - works}, and by hand, it says where it must stand")


def by_hand(fork: Path) -> None:
    """Two files copied, two lines at the start of ultralytics/__init__.py: the registry itself says where they must stand."""
    init = fork / "ultralytics" / "__init__.py"
    (fork / "ultralytics" / PACKAGE / "__init__.py").write_text("")
    lines = f"from ultralytics.{PACKAGE} import emo, registry\nregistry.register(emo.EMO_1M)\n"
    text = init.read_text(encoding="utf-8")
    init.write_text(lines + text, encoding="utf-8")
    last = run_in(fork, BUILD).stderr.strip().splitlines()[-1]
    print(f"{'by hand, at the start':<34}{last}", flush=True)
    assert last.endswith(TOO_EARLY), last
    init.write_text(text + lines, encoding="utf-8")
    code = BUILD.replace("yolo11n-EMO.yaml", f"ultralytics/{PACKAGE}/cfg/yolo11n-EMO.yaml")
    assert f"built ultralytics.{PACKAGE}.emo" in printed(run_in(fork, code))


def inside(folder: Path) -> None:
    fork = make_fork(folder / "fork", ["EMO_1M"])
    both = printed(run_in(fork, f"import modules\n{BUILD}", course=True))
    assert "built modules.emo" in both, both
    emo = fork / "ultralytics" / PACKAGE / "emo.py"
    text = emo.read_text(encoding="utf-8")
    emo.write_text(text.replace("class EMO_1M(EMO):\n", "class EMO_1M(EMO):\n    changed = True\n"), encoding="utf-8")
    run = run_in(fork, "import modules", course=True)
    last = run.stderr.strip().splitlines()[-1]
    assert run.returncode and "The name EMO_1M is taken by ultralytics." in last, run.stderr[-1500:]
    print(f"with another EMO_1M in the fork: {last}")
    print("the course runs inside the fork, and says which name is taken by another class")


def workers(folder: Path) -> None:
    lines = two_processes.run("yolo11n-TinyNet.yaml")
    assert lines.count("row 0 is TinyNet") == 2, lines
    differences = [float(line.split()[-4]) for line in lines.splitlines()]
    assert max(differences) < 1e-4, lines
    print(
        lines,
        f"2 workers know TinyNet; their gradients differ from one process by at most {max(differences):.0e}",
        sep="\n",
    )


STEPS = {step.__name__: step for step in (trains, places, inside, workers)}

if __name__ == "__main__":
    step, place = sys.argv[1], Path(sys.argv[2]).resolve()
    try:
        STEPS[step](place)
    except InputError as error:
        sys.exit(f"{step}: {error}")
