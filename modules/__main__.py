"""`python -m modules train model=yolo11n-RepViT.yaml`: the `yolo` command line, with this package's classes registered."""

import glob
import inspect
import os
import re
import shutil
import sys
from collections import deque
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

from ultralytics import RTDETR
from ultralytics.cfg import (
    DEFAULT_CFG_DICT,
    DEFAULT_CFG_PATH,
    MODES,
    TASKS,
    entrypoint,
    merge_equals_args,
    parse_key_value_pair,
)
from ultralytics.engine.model import Model

from .course.checkpoints import check_finite, load_model
from .course.command import carry_out, leave
from .course.errors import InputError, plain, shown, warn
from .course.files import nothing_lost
from .course.fire import FIRE_YAML
from .course.inputs import (
    check_cache,
    check_classes,
    check_device,
    check_embed,
    check_imgsz,
    check_place,
    check_settings,
    check_sides,
    check_source,
    check_tracker,
    similar,
)
from .course.job import read_cfg
from .course.judge import choose_threshold
from .course.quiet import exporter_hushed, hints_of_ours, nothing_fetched, pictures_not_read
from .course.sets import check_data, check_folders
from .course.shipped import checkpoint
from .course.threads import all_cores
from .course.train import DEFAULT_MODEL, train

USAGE = f"""\
python -m modules COMMAND key=value ...

  train     train a detector on the fire set        model={DEFAULT_MODEL} preset=smoke|laptop|gpu|results|full
  val       measure trained weights                 model=runs/.../weights/best.pt data=...
  predict   find fires in pictures or films         model=... source=FOLDER, FILE or CAMERA NUMBER
  track     follow what is found through a film     model=... source=...
  export    write the network in another format     model=... format=onnx
  trace     print the rows of a model YAML          model={DEFAULT_MODEL}
  graft     print a stock model with our backbone   graft yolo11n.yaml EMO_1M > yolo11-Mine.yaml
  data      check, show, split or convert a set     data check MY.yaml; data split FOLDER names=fire
  vendor    copy modules into your own code         vendor PATH EMO_1M
  doctor    say why a model does not learn          doctor MODEL DATA nbs=64 ..., or doctor runs/NAME
  bench     measure what models cost on this machine bench EMO_1M yolo11n-EMO resnet18
  compare   put runs side by side                   compare RUN RUN ... pictures=4 save=runs/compare.png
  check     look at this machine's set-up

COMMAND --help lists the arguments of a command. All arguments of Ultralytics' `yolo` command work, in its orders too
(detect train ..., task=detect mode=train ...), and so do benchmark, cfg, copy-cfg, checks, settings and version.
model=fire/yolo11n-RepViT and the like are weights that come with the course, trained on the fire set.
Results go to the folder runs/ of the current folder. Without model=, val, predict, track and export take the newest
run's. Rows 0 to 4 of the course's models are the backbone: freeze=5 keeps it as it is."""

# What Ultralytics' own command line does by itself, without a model.
PASSED_ON = ("cfg", "copy-cfg", "checks", "settings", "version")
NOT_SUPPORTED = ("solutions", "login", "logout", "hub")
# Which groups of Ultralytics' arguments a command takes.
GROUPS = {
    "train": ("Train", "Hyperparameters"),
    "val": ("Val/Test",),
    "predict": ("Predict", "Visualize"),
    "track": ("Predict", "Visualize", "Tracker"),
    "export": ("Export",),
    "benchmark": ("Export",),
}


def read_words(words: list[str]) -> dict:
    """`["train", "model=a.yaml", "epochs=3", "plots"]` -> `{"mode": "train", "model": "a.yaml", "epochs": 3, "plots": True}`."""
    settings = {}
    for word in merge_equals_args(words):
        word = word.removeprefix("--").removesuffix(",")
        if "=" in word:
            try:
                key, value = parse_key_value_pair(word)
            except AssertionError:
                raise InputError(f"'{word}' has no value: write key=value.") from None
            if key in ("name", "project") and value is not None:  # older versions read name=1_2 as the number 12
                value = word.partition("=")[2].strip()
            if key in settings:
                raise InputError(f"{key}= is given twice, as {settings[key]} and as {value}.")
            settings[key] = os.path.expanduser(value) if isinstance(value, str) else value
        elif word in TASKS and "task" not in settings:
            settings["task"] = word
        elif word in MODES and "mode" not in settings:
            settings["mode"] = word
        elif isinstance(DEFAULT_CFG_DICT.get(word), bool) or word in {"half", "int8", "nms"}:
            settings[word] = True
        elif "mode" not in settings:
            settings["mode"] = word
        else:
            raise InputError(f"'{word}': arguments are written key=value, as model={DEFAULT_MODEL}.")
    return settings


def newest_weights() -> str:
    """The best.pt of the run in the current folder that was trained last."""
    found = sorted(Path("runs").glob("*/weights/best.pt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise InputError("model= is missing, and runs/ holds no trained weights. Train first, or name a .pt file.")
    print(f"model={found[-1]} (the newest run)")
    return str(found[-1])


def run_train(settings: dict) -> None:
    task = settings.pop("task", None)
    check_settings(settings, also=["preset"])
    if task and not settings.get("resume"):
        check_task(task, str(settings.get("model") or DEFAULT_MODEL))
    train(**settings)


def check_task(task: str, model: str) -> None:
    """Refuse a task that is not the model's own, which decides."""
    own = load_model(model).task
    if task not in TASKS or task != own:
        raise InputError(f"task={task}: {model} is a model of the task '{own}'. Leave task out, or give another model.")


def run_trace(settings: dict) -> None:
    from .trace import trace

    takes = inspect.signature(trace).parameters
    if unknown := [key for key in settings if key not in takes and key != "model"]:
        raise InputError(f"trace has no argument '{unknown[0]}'; it takes model= and imgsz=.")
    if "imgsz" in settings:
        settings["imgsz"] = check_imgsz(settings["imgsz"])
    model = str(settings.pop("model", DEFAULT_MODEL))
    if isinstance(load_model(model), RTDETR):
        raise InputError(f"model={model}: trace prints the rows of YOLO models, and this is an RT-DETR.")
    trace(model, **settings)


def run_graft(words: list[str]) -> None:
    from .course.graft import grafted

    if len(words) != 2 or not words[0].endswith((".yaml", ".yml")):
        raise InputError("graft takes a model of Ultralytics and a backbone: graft yolo11n.yaml EMO_1M")
    print(grafted(*words), end="")


def run_data(words: list[str]) -> int:
    from .course.data import main

    return main(words)


def run_vendor(words: list[str]) -> None:
    from .course.vendor import vendor

    if not words or any("=" in word for word in words):
        raise InputError("vendor takes a folder, and the classes if not all: vendor PATH EMO_1M C2f_iRMB")
    vendor(words[0], words[1:])


def run_doctor(words: list[str]) -> None:
    from .course.doctor import doctor

    named = [word for word in words if "=" not in word]
    settings = read_words([word for word in words if "=" in word])
    if len(named) > 2:
        raise InputError(f"doctor takes a model, a data YAML and key=value, and was given {' '.join(named)}.")
    for key, word in zip(("model", "data"), named):
        if key in settings:
            raise InputError(f"{key} is given twice, as {word} and as {key}={settings[key]}.")
        settings[key] = word
    doctor(settings.pop("model", DEFAULT_MODEL), **settings)


def run_bench(words: list[str]) -> None:
    from .course.bench import main

    main(words)


def run_compare(words: list[str]) -> None:
    from .course.side_by_side import compare

    named = [word for word in words if "=" not in word]
    settings = read_words([word for word in words if "=" in word])
    takes = [name for name in inspect.signature(compare).parameters if name != "runs"]
    if unknown := [key for key in settings if key not in takes]:
        raise InputError(f"compare has no argument '{unknown[0]}'; it takes {', '.join(takes)}.")
    compare(named, **settings)


def run_check(settings: dict) -> int:
    from .course import check

    if settings:
        raise InputError(f"check takes no arguments, and was given '{next(iter(settings))}'.")
    return check.main()


def run_stock(mode: str, settings: dict) -> int:
    """Hand a command over to Ultralytics, with the course's defaults and after a look at what was asked for.

    Returns the exit code: 1 where some of the pictures could not be read, so that a script notices; results of the
    others are there.
    """
    check_settings(settings)
    settings = {**read_cfg(settings.pop("cfg", None)), **settings}
    check_device(settings.get("device"))
    settings["model"] = str(settings.get("model") or newest_weights())
    model = load_model(settings["model"], settings.get("task") if settings.get("task") in TASKS else None)
    task = model.task
    if not isinstance(model.model, str):
        check_classes(settings.get("classes"), dict(model.names))
        check_embed(settings.get("embed"), model.model.model)
        check_finite(model, f"model={settings['model']}")
    if settings.get("task", task) != task:
        check_task(settings["task"], settings["model"])
    project = Path(str(settings.setdefault("project", Path("runs").resolve())))
    check_place(project, str(settings.get("name", "")))
    check_sides(settings.get("imgsz", 32))
    if mode != "tune" and settings.get("batch", 1) < 1:
        raise InputError(
            f"batch={settings['batch']}: only train finds a number of pictures itself. Give one, as batch=8."
        )
    if mode in {"val", "benchmark"}:
        settings.setdefault("data", FIRE_YAML)
        part = settings.get("split", "val")
        if task == "classify":
            check_folders(settings["data"], part)
        else:
            settings["data"] = check_data(settings["data"], task, parts=(part,)).yaml
        check_cache(settings, settings["data"])
    count = None
    if mode in {"predict", "track"}:
        settings.setdefault("save", True)
        settings.setdefault("source", FIRE_YAML.parent / "val" / "images")
        count = check_source(settings["source"])
        check_tracker(settings.get("tracker"))
        choose_threshold(settings)
    with plain(), no_empty_folders(project, mode), nothing_fetched():
        with pictures_not_read() as unread:
            try:
                ask(model, mode, settings)
            except InputError as error:  # older versions end so where the last picture cannot be read
                if not unread or "need at least one array to stack" not in str(error):
                    raise
        if unread and len(unread) == count:
            raise InputError(f"source={settings['source']}: none of the {count} pictures there can be read.")
    if unread:
        warn(
            f"{len(unread)} of {count or 'the'} pictures cannot be read and were passed over; the first: {shown(unread[0])}."
        )
    return 1 if unread else 0


@contextmanager
def no_empty_folders(project: Path, mode: str):
    """Remove the empty folders that a refused command of Ultralytics leaves in `project`."""
    before = set(project.glob(f"{mode}*"))
    try:
        yield
    except Exception:
        made = [p for p in project.glob(f"{mode}*") if p not in before]
        for folder in [*(inner for p in made for inner in p.glob("*")), *made, project]:
            try:
                folder.rmdir()
            except OSError:  # it holds results, or is a file
                continue
        raise


@contextmanager
def nothing_half(folder: Path, pattern: str):
    """Remove what a command that fails leaves in `folder` under such names: half a file, or one from which it wanted to go on."""
    before = set(folder.glob(pattern))
    try:
        yield
    except Exception:
        for path in set(folder.glob(pattern)) - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def ask(model: Model, mode: str, settings: dict) -> None:
    """Let Ultralytics do it. What it finds is not kept: that of a long film would fill the memory."""
    path = Path(settings["model"])
    exported = nothing_half(path.parent, f"{glob.escape(path.stem)}*") if mode == "export" else nullcontext()
    with plain(), hints_of_ours(), exporter_hushed(), all_cores(), nothing_lost(), exported:
        if mode in {"predict", "track"}:
            deque(getattr(model, mode)(stream=True, **settings), maxlen=0)
        else:
            getattr(model, mode)(**settings)


def pass_on(words: list[str]) -> None:
    """Run one of the commands that Ultralytics has beside its modes. It reads its words from ARGV."""
    copied = nothing_half(Path(), "*_copy.yaml")
    with plain(), hints_of_ours(), copied, mock.patch("ultralytics.cfg.ARGV", ["yolo", *words]):
        entrypoint()


OURS: dict[str, Callable[[dict], int | None]] = {"train": run_train, "trace": run_trace, "check": run_check}
# Commands that read their words themselves: name -> function(words), which returns an exit code or None.
WITH_WORDS: dict[str, Callable[[list[str]], int | None]] = {
    "bench": run_bench,
    "compare": run_compare,
    "data": run_data,
    "doctor": run_doctor,
    "graft": run_graft,
    "vendor": run_vendor,
}


def run(words: list[str]) -> int | None:
    """Run the command that `words` name."""
    if unreadable := next((word for word in words if not is_text(word)), None):
        raise InputError(f"{unreadable}: this name is not in UTF-8. Rename it.")
    if words[0] in WITH_WORDS:
        return WITH_WORDS[words[0]](words[1:])
    if words[0].removeprefix("--") in PASSED_ON:
        return pass_on([words[0].removeprefix("--"), *words[1:]])
    if words[0] in NOT_SUPPORTED:
        raise InputError(f"'{words[0]}' is not supported here. Use Ultralytics' own command: yolo {' '.join(words)}.")
    settings = read_words(words)
    if str(settings.get("model", "")).startswith("fire/"):
        settings["model"] = str(checkpoint(settings["model"]))
    command = settings.pop("mode", None)
    known = [*OURS, *WITH_WORDS, *MODES, *PASSED_ON]
    if command is None:
        raise InputError(f"Which command? Write one of {', '.join(dict.fromkeys(known))} first.")
    if command in OURS:
        return OURS[command](settings)
    if command in MODES:
        return run_stock(command, settings)
    raise InputError(f"There is no command '{command}'.{similar(command, known)} 'help' lists them.")


def is_text(word: str) -> bool:
    """Whether a word can be written anywhere: bytes that are no UTF-8 stand in it as lone surrogates."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


def asks_for_help(words: list[str]) -> bool:
    return not words or words[0] == "help" or any(word in {"-h", "--help"} for word in words)


def usage(words: list[str]) -> str:
    """The list of commands, or the arguments of the command that `words` name."""
    if words[:1] == ["bench"]:
        from .course.bench import HELP

        return HELP
    if words[:1] == ["compare"]:
        from .course.side_by_side import HELP

        return HELP
    command = next((word for word in words if word in {*OURS, *MODES}), None)
    if command is None:
        return USAGE
    lines = [line for line in USAGE.splitlines() if line.split()[:1] == [command]]
    if command == "trace":
        lines.append("\n  model: a model YAML\n  imgsz: 640 # (int) side of the empty picture that is run once")
    if command == "train":
        lines.append("\n  preset: # smoke (seconds), laptop (minutes), full: what the arguments below are by default")
    return "\n".join([*lines, *arguments(GROUPS.get(command, ()))])


def arguments(groups: tuple[str, ...]) -> list[str]:
    """Ultralytics' arguments of these groups, with defaults and meanings, as its default.yaml lists them."""
    lines, inside = [], False
    for line in DEFAULT_CFG_PATH.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"# (\S+).* -{9}", line):
            inside = heading[1].split(".")[0] in groups
            lines += [f"\n{heading[1]}"] if inside else []
        elif inside and line.strip():
            lines.append(f"  {line}")
    return lines


def main(words: list[str]) -> int:
    """Run one command line; returns the exit code."""
    hint = " The same command goes on after the last finished epoch." if "train" in words else ""
    hint = " The same command goes on." if words[:1] == ["bench"] else hint
    return carry_out(lambda: print(usage(words)) if asks_for_help(words) else run(words), hint)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
