"""Open a model: a YAML, trained weights or an exported file. A file of weights is a program, so it is looked at first."""

import contextlib
import importlib.util
import io
import pickle
import pickletools
import zipfile
import zlib
from _compat_pickle import IMPORT_MAPPING
from pathlib import Path

import torch
from ultralytics import RTDETR, YOLO
from ultralytics.engine.exporter import export_formats
from ultralytics.nn.tasks import BaseModel, guess_model_task
from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

from ..registry import LARGEST_ARGUMENT, REGISTERED, ModelError, find_yaml, is_backbone
from .errors import InputError, clipped, one_line, plain, read_yaml
from .measure import parameters
from .quiet import nothing_fetched, quiet

# Families that the `yolo` command knows by the model's name, and that cannot hold a backbone of this course.
OTHERS = ("fastsam", "sam_", "sam2_", "sam2.1_", "sam3", "mobile_sam", "yolo_nas")

# What is named by files that hold only tensors, numbers and texts.
WITHOUT_A_NETWORK = {"torch", "collections", "numpy", "builtins", "__builtin__", "pathlib", "_codecs", "datetime"}

# In bytes; numbers lie beside the pickle, which only lists them.
LARGEST_PICKLE = 2**30

# In parameters: 8 GB of them, more than any published model of this kind has.
LARGEST_BACKBONE = 2_000_000_000

# Tasks whose models find boxes.
WITH_BOXES = ("detect", "segment", "pose", "obb")


def load_model(model: str, task: str | None = None) -> YOLO:
    """Build the model of a YAML name, or load that of a checkpoint or of an exported file.

    Args:
        task: of an exported file, which does not say it under older versions of Ultralytics; the others know theirs.

    Raises:
        InputError: there is no such model, or it cannot be built or read.
    """
    path = Path(model)
    with plain(f"model={model[:80]}"):
        there = path.exists()
    if path.is_dir() and not any(path.iterdir()):
        raise InputError(f"model={model}: this folder is empty.")
    if there and not path.is_dir() and not path.is_file():  # a pipe would be waited for
        raise InputError(f"model={model}: this is no file that can be read.")
    known = (".yaml", ".yml", ".pt", *(export_formats()["Suffix"] if there else ()))
    if not model.endswith(known) and not path.is_dir():
        raise InputError(f"model={model[:80]}: give a model file that ends in .yaml, or weights that end in .pt.")
    if other := next((name for name in OTHERS if name in path.stem.lower()), None):
        raise InputError(f"model={model}: models of the family {other.strip('_')} are not supported here; use `yolo`.")
    if path.suffix == ".pt":
        check_checkpoint(path, f"model={model}")
    file = find_yaml(path) if path.suffix in {".yaml", ".yml"} else None
    # The `yolo` command, too, knows RT-DETR by the file's name.
    family = RTDETR if "rtdetr" in path.stem.lower() else YOLO
    of_file = {"task": task} if task and family is YOLO and path.suffix not in {".yaml", ".yml", ".pt"} else {}
    try:
        with plain(), quiet(), nothing_fetched():
            said = read_yaml(file) if file else None
            check_channels(said)
            check_head(said, family)
            check_size(said)
            loaded = family(str(model), **of_file)
            if not isinstance(loaded.model, (str, BaseModel)):
                raise InputError(
                    f"it holds a {type(loaded.model).__name__}, and no checkpoint as Ultralytics writes it."
                )
            if isinstance(loaded.model, BaseModel):
                check_network(loaded.model)
            return RTDETR(str(model)) if family is YOLO and is_rtdetr(loaded) else loaded
    except ModelError:
        raise
    except InputError as error:
        how = "cannot be read as weights" if path.suffix == ".pt" else "cannot be opened"
        raise InputError(f"model={model} {how}: {error}") from error


def check_network(network: BaseModel) -> None:
    """Refuse a network that lacks what every command needs: names of classes, and three channels to read."""
    if not has_names(network):
        raise InputError("its classes have no names, which a checkpoint of Ultralytics holds.")
    check_channels(getattr(network, "yaml", None))


def check_channels(said) -> None:
    """Refuse a model's description that asks for other than three channels; newer Ultralytics passes over the wish."""
    wanted = [said[key] for key in ("ch", "channels") if said.get(key, 3) != 3] if isinstance(said, dict) else []
    if wanted:
        raise InputError(
            f"it asks for {clipped(str(wanted[0]))} channels; only pictures with 3 channels are supported here."
        )


def check_head(said, family: type) -> None:
    """Refuse a model whose last row is no head: by that Ultralytics tells the task."""
    last = said["head"][-1] if isinstance(said, dict) and isinstance(said.get("head"), list) and said["head"] else None
    if family is YOLO and isinstance(last, list) and len(last) == 4 and guess_model_task(said) is None:
        raise InputError(f"its last row, {clipped(str(last[2]))}, is no head of YOLO, such as Detect.")


def check_size(said) -> None:
    """Refuse what no machine holds: a huge `reg_max:`, or a backbone with width=99 in its row, which is built without memory."""
    facts = said if isinstance(said, dict) else {}
    for key, value in facts.items():
        if key != "nc" and isinstance(value, (int, float)) and not abs(value) <= LARGEST_ARGUMENT:
            raise InputError(f"'{clipped(f'{key}: {value}')}': give a number up to {LARGEST_ARGUMENT:,}.")
    for row in facts["backbone"] if isinstance(facts.get("backbone"), list) else ():
        count = 0
        with contextlib.suppress(Exception), torch.device("meta"):  # what cannot be built is said with its row
            count = parameters(REGISTERED[row[2]].cls(*row[3])) if is_backbone(row[2]) else 0
        if count > LARGEST_BACKBONE:
            raise InputError(
                f"its row {clipped(str(row))} would have {count / 1e6:,.0f} million parameters; the most that are "
                f"allowed are {LARGEST_BACKBONE / 1e6:,.0f} million. Give a smaller width, such as 0.25."
            )


def has_names(network: BaseModel) -> bool:
    """Whether a network's classes have names, numbered from 0 on."""
    names = getattr(network, "names", None)
    keys = list(names) if isinstance(names, dict) else range(len(names)) if isinstance(names, list) else ()
    return bool(keys) and sorted(keys, key=str) == sorted(range(len(keys)), key=str)


def check_finite(yolo: YOLO, what: str) -> None:
    """Refuse weights with nan or infinity among them, as a training leaves them that diverged: they find nothing."""
    held = yolo.model.state_dict() if isinstance(yolo.model, BaseModel) else {}
    if spoilt := [key for key, value in held.items() if value.is_floating_point() and not value.isfinite().all()]:
        raise InputError(
            f"{what}: {len(spoilt)} of its {len(held)} tensors hold nan or infinity, the first {spoilt[0]}. Take other "
            f"weights, such as an earlier epoch's; a training that ends so needs a smaller lr0=."
        )


def check_trainable(yolo: YOLO, model: str) -> None:
    """Refuse what `train` cannot train, or cannot measure by its boxes."""
    if isinstance(yolo.model, str):
        raise InputError(f"model={model}: an exported network cannot be trained. Give its .pt, or a model YAML.")
    check_finite(yolo, f"model={model}")
    if yolo.task not in WITH_BOXES:
        raise InputError(
            f"model={model}: its task is '{yolo.task}', and train measures boxes ({', '.join(WITH_BOXES)}). "
            f"Use Ultralytics' own command: yolo {yolo.task} train."
        )


def is_rtdetr(yolo: YOLO) -> bool:
    """Whether a model that Ultralytics' YOLO() made has the head of RT-DETR; older versions leave it a YOLO."""
    rows = getattr(yolo.model, "model", None)
    return not isinstance(yolo, RTDETR) and rows is not None and "RTDETR" in type(rows[-1]).__name__


def check_checkpoint(path: Path, what: str) -> None:
    """Refuse weights that are not there, or that would import what is not installed. Nothing is unpickled.

    Ultralytics would let pip install a package of the name that the file gives, whatever that is.
    """
    if not path.exists():
        if path.name in GITHUB_ASSETS_NAMES and path.parent == Path():
            return
        raise InputError(f"{what}: there is no such file here ({Path.cwd()}).")
    with plain(what):
        with path.open("rb") as file:
            start = file.read(2)
        try:
            pickles = pickles_in(path)
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            RuntimeError,
        ) as error:  # RuntimeError: it asks for a password
            raise InputError(f"{what} cannot be read as weights: {one_line(error)}.") from None
    if not pickles or not zipfile.is_zipfile(path) and start[:1] != pickle.PROTO:
        cut = start == b"PK" and not zipfile.is_zipfile(path)
        raise InputError(
            f"{what} cannot be read as weights: {'it was cut short' if cut else 'it is another kind of file'}."
        )
    names = set().union(*map(modules_named, pickles))
    if any(name.startswith("__torch__") for name in names):
        raise InputError(
            f"{what} is TorchScript, which only val and predict can use: let its name end in .torchscript."
        )
    if missing := sorted(name for name in names if not is_installed(name)):
        raise InputError(
            f"{what} was saved with the package '{missing[0]}', which is not here. Whoever made the file can say where "
            f"it comes from; nothing is installed because a file names it."
        )
    if all(name.split(".")[0] in WITHOUT_A_NETWORK and not name.startswith("torch.nn.") for name in names):
        raise InputError(
            f"{what} holds numbers without a network, as of torch.save(model.state_dict(), ...). Build the model from its "
            f"YAML and load them into it; modules.transfer.load_portable does so with what save_portable wrote."
        )


def pickles_in(path: Path) -> list[bytes]:
    """The pickles of a file of weights.

    Raises:
        zipfile.BadZipFile, zlib.error, EOFError, RuntimeError: it is a damaged archive, or no archive of torch's.
    """
    if not zipfile.is_zipfile(path):  # as torch wrote them before 1.6: several pickles, one behind the other
        return [path.read_bytes()]
    with zipfile.ZipFile(path) as archive:
        inside = [entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")]
        if unpacked := next((entry.file_size for entry in inside if entry.file_size > LARGEST_PICKLE), None):
            raise zipfile.BadZipFile(f"its list of what it holds would have {unpacked / 1e9:.0f} GB")
        return [archive.read(entry) for entry in inside]


def modules_named(text: bytes) -> set[str]:
    """The modules that unpickling this would import, read from its opcodes."""
    found, stream = set(), io.BytesIO(text)
    try:
        while stream.tell() < len(text):
            found |= globals_named(stream)
    except (ValueError, UnicodeDecodeError, IndexError, pickle.UnpicklingError):
        pass  # what follows is no pickle: the numbers of an old file, or a damaged one, which torch will refuse
    return found


def globals_named(stream: io.BytesIO) -> set[str]:
    """The modules of the globals of one pickle."""
    found, texts, memo, last = set(), [], {}, None
    for code, value, _ in pickletools.genops(stream):
        if code.name == "GLOBAL":
            found.add(value.split(" ")[0])
        elif code.name == "STACK_GLOBAL":
            found.add(texts[-2])
        elif code.name == "MEMOIZE":
            memo[len(memo)] = last
        elif code.name in {"BINPUT", "LONG_BINPUT", "PUT"}:
            memo[int(value)] = last
        else:
            last = memo.get(int(value)) if code.name in {"BINGET", "LONG_BINGET", "GET"} else value
            if isinstance(last, str):
                texts.append(last)
    return found


def is_installed(module: str) -> bool:
    """Whether a module can be found; its parents are imported, as they would be."""
    module = IMPORT_MAPPING.get(module, module)  # Python 2's names, which pickles of protocol 2 hold
    if module.startswith("ultralytics.yolo."):  # Ultralytics itself finds its old names
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # ValueError: __main__
        return module == "__main__"
