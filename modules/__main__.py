"""`python -m modules train model=yolo11n-EMO.yaml`: the `yolo` command line, with this package's classes registered."""

import inspect
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

from ultralytics.cfg import DEFAULT_CFG_DICT, MODES, TASKS, entrypoint, merge_equals_args, parse_key_value_pair

from .course.fire import FIRE_YAML
from .course.inputs import InputError, check_data, check_device, check_settings, load_model, similar
from .course.quiet import nothing_fetched
from .course.train import DEFAULT_MODEL, train
from .registry import ModelError

USAGE = f"""\
python -m modules COMMAND key=value ...

  train     train a detector on the fire set        model={DEFAULT_MODEL} preset=smoke|laptop|gpu|results|full
  val       measure trained weights                 model=runs/.../weights/best.pt data=...
  predict   find fires in pictures or films         model=... source=FOLDER, FILE or CAMERA NUMBER
  export    write the network in another format     model=... format=onnx
  trace     print the rows of a model YAML          model={DEFAULT_MODEL}
  graft     print a stock model with our backbone   graft yolo11n.yaml EMO_1M > yolo11-Mine.yaml
  check     look at this machine's set-up

All arguments of Ultralytics' `yolo` command work (python -m modules cfg lists them), and so do its other commands.
Results go to the folder runs/ of the current folder. Without model=, val, predict and export take the newest run's."""


def read_words(words: list[str]) -> dict:
    """`["model=a.yaml", "epochs=3", "plots"]` -> `{"model": "a.yaml", "epochs": 3, "plots": True}`."""
    settings = {}
    for word in merge_equals_args(words):
        word = word.removeprefix("--")
        if "=" in word:
            try:
                key, value = parse_key_value_pair(word)
            except AssertionError:
                raise InputError(f"'{word}' has no value: write key=value.") from None
            settings[key] = value
        elif word in TASKS:
            settings["task"] = word
        elif isinstance(DEFAULT_CFG_DICT.get(word), bool):
            settings[word] = True
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
    settings.pop("task", None)  # the model's own
    check_settings(settings, also=["preset"])
    train(**settings)


def run_trace(settings: dict) -> None:
    from .trace import trace

    takes = inspect.signature(trace).parameters
    if unknown := [key for key in settings if key not in takes and key != "model"]:
        raise InputError(f"trace has no argument '{unknown[0]}'; it takes model= and imgsz=.")
    try:
        trace(settings.pop("model", DEFAULT_MODEL), **settings)
    except FileNotFoundError as error:
        raise InputError(str(error)) from None


def run_graft(words: list[str]) -> None:
    from .course.graft import grafted

    if len(words) != 2:
        raise InputError("graft takes a model of Ultralytics and a backbone: graft yolo11n.yaml EMO_1M")
    print(grafted(*words), end="")


def run_check(settings: dict) -> None:
    from .course import check

    sys.exit(check.main())


def run_stock(mode: str, settings: dict) -> None:
    """Hand a command over to Ultralytics, with the course's defaults and after a look at what was asked for."""
    check_settings(settings)
    check_device(settings.get("device"))
    settings.setdefault("model", None)
    settings["model"] = settings["model"] or newest_weights()
    task = load_model(str(settings["model"])).task
    settings.setdefault("project", str(Path("runs").resolve()))
    if mode == "val":
        settings.setdefault("data", FIRE_YAML)
        settings["data"] = check_data(settings["data"], task).yaml
    if mode in {"predict", "track"}:
        settings.setdefault("save", True)
        settings.setdefault("source", FIRE_YAML.parent / "val" / "images")
        source = str(settings["source"])
        if not ("://" in source or source.isdigit() or source == "screen" or "*" in source or Path(source).exists()):
            raise InputError(f"source={source}: there is no such file or folder.")
    words = [f"{key}={value}" for key, value in settings.items()]
    with nothing_fetched() if mode in {"val", "predict", "track"} else nullcontext():
        pass_on([mode, *words])


def pass_on(words: list[str]) -> None:
    """Run Ultralytics' own command line, which reads its words from ARGV."""
    with mock.patch("ultralytics.cfg.ARGV", ["yolo", *words]):
        entrypoint()


def choose(command: str) -> Callable[[dict], None]:
    """What runs a command, given its settings."""
    ours = {"train": run_train, "trace": run_trace, "check": run_check}
    if command in ours:
        return ours[command]
    if command in MODES:
        return lambda settings: run_stock(command, settings)
    raise InputError(f"There is no command '{command}'.{similar(command, [*ours, *MODES])} 'help' lists them.")


def main(words: list[str]) -> int:
    """Run one command line; returns the exit code."""
    if not words or words[0] in {"help", "-h", "--help"}:
        print(USAGE)
        return 0
    try:
        if words[0] in {"cfg", "checks", "settings", "version"}:
            pass_on(words)
        elif words[0] == "graft":
            run_graft(words[1:])
        else:
            choose(words[0])(read_words(words[1:]))
    except (InputError, ModelError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on after the last finished epoch.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
