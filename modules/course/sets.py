"""Look at a detection set without changing it, and say in one line what is wrong with it."""

import glob
import os
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import ultralytics
from PIL import Image
from ultralytics.data.utils import IMG_FORMATS, check_det_dataset, img2label_paths, verify_image_label

from ..registry import MOST_CLASSES
from .errors import InputError, clipped, file_system, one_line, plain, read_yaml, shown, warn
from .quiet import nothing_fetched, quiet


@dataclass
class Data:
    """A detection set that has been looked at."""

    yaml: str
    names: dict[int, str]
    listed: dict[str, int] = field(default_factory=dict)  # how many pictures "train" and "val" have,
    pictures: dict[str, list[Path]] = field(default_factory=dict)  # those that can be used,
    problems: list[str] = field(default_factory=list)  # why the others cannot,
    repeated: int = 0  # and how often a picture was listed once more
    remarks: list[str] = field(default_factory=list)  # what is odd about labels that are used


def check_data(data, task: str = "detect", parts: tuple[str, ...] = ("train", "val")) -> Data:
    """Read a data YAML and every picture and label its `parts` lead to, as Ultralytics will. Nothing is written.

    Raises:
        InputError: there is no such set, or no usable picture in one of its parts.
    """
    path = find_data_yaml(data)
    with plain(f"data={data}"):
        facts = read_yaml(path)
    if wrong := check_mapping(facts) or check_names(facts) or check_parts(facts, parts) or check_task(facts, task):
        raise InputError(f"data={data}: {wrong}.")
    name = str(path.resolve()) if Path(data).is_file() else path.name
    try:
        with quiet(), nothing_fetched():
            found = check_det_dataset(name, autodownload=False)
    except Exception as error:  # it raises all kinds, SyntaxError among them
        raise InputError(f"data={data}: {why_not_found(error, facts)}") from error
    looked_at = Data(name, dict(found["names"]))
    for part in parts:
        look_at_part(looked_at, data, part, found, task)
    return looked_at


def check_folders(data, part: str) -> None:
    """Refuse what is no set for classification, a folder of folders.

    Ultralytics would fetch one of such a name, or copy the pictures of a folder into two parts beside it.
    """
    for names in (("train",), (part, "validation") if part == "val" else (part,)):
        with plain(f"data={data}"):
            places = [Path(str(data)) / name for name in names if (Path(str(data)) / name).is_dir()]
            there = any(inner.is_dir() for place in places for inner in place.iterdir())
        if not there:
            raise InputError(
                f"data={data}: a model of the task 'classify' needs a folder that holds train/ and {part}/, and in each "
                f"of them a folder of pictures for each class."
            )


def find_data_yaml(data) -> Path:
    """The file of a path, or of the bare name of a set that Ultralytics describes."""
    hint = "Give a data YAML; the course's own is datasets/fire/fire.yaml."
    with plain(f"data={str(data)[:80]}"):
        path = Path(str(data))
        stock = Path(ultralytics.__file__).parent / "cfg" / "datasets" / path.name
        if path.is_dir():
            raise InputError(f"data={data}: this is a folder. {hint}")
        if path.is_file() and path.suffix.lower() not in {".yaml", ".yml"}:
            raise InputError(f"data={data}: this file does not end in .yaml. {hint}")
        if path.is_file():
            return path
        if path.parent == Path() and stock.is_file():
            return stock
    raise InputError(f"data={data}: there is no such file. {hint}")


def check_mapping(facts) -> str:
    """What a data YAML holds instead of keys and values, or nothing."""
    if isinstance(facts, dict):
        return ""
    said = "is empty" if facts is None else f"holds a {type(facts).__name__}"
    return f"this file {said}; a data YAML has the keys 'path:', 'train:', 'val:' and 'names:'"


def check_names(facts: dict) -> str:
    """What is wrong with the names of the classes, or nothing."""
    names, nc = facts.get("names"), facts.get("nc")
    if names is None and nc is None:
        return "it has no 'names:'. List the classes, as names: {0: fire}"
    if nc is not None and (isinstance(nc, bool) or not isinstance(nc, int) or not 1 <= nc <= MOST_CLASSES):
        return f"'nc: {clipped(str(nc))}' must be a number of classes, from 1 to {MOST_CLASSES:,}"
    if names is None:
        return ""
    if not isinstance(names, (dict, list)) or not names:
        return f"'names: {clipped(str(names))}' must list the classes, as names: {{0: fire}}"
    keys = list(names) if isinstance(names, dict) else list(range(len(names)))
    if [str(key) for key in sorted(keys, key=str)] != sorted(map(str, range(len(names)))):
        return (
            f"the numbers in 'names:' are {', '.join(map(str, keys))[:80]}; they must run from 0 to {len(names) - 1}, "
            f"here and in the labels"
        )
    words = list(names.values()) if isinstance(names, dict) else names
    if read := [word for word in words if isinstance(word, bool)]:
        return f"YAML reads one of the 'names:' as {read[0]}, for yes, no, on and off mean that; put the word in quotes"
    if empty := [key for key, word in zip(keys, words) if not is_name(word)]:
        return f"in 'names:' class {empty[0]} has no name"
    words = list(map(str, words))
    if odd := [word for word in words if re.search(r"[\x00-\x1f\x7f-\x9f]", word)]:
        return f"in 'names:' {clipped(repr(odd[0]))} holds a character that cannot be printed"
    if twice := [word for word in words if words.count(word) > 1][:1]:
        return f"in 'names:' several classes are called '{clipped(twice[0])}'; give each a name of its own"
    if nc is not None and nc != len(names):
        return f"'nc: {nc}' and the {len(names)} 'names:' do not agree"
    return ""


def is_name(word) -> bool:
    """Whether YAML read this as a name: a text that is not empty, or a number."""
    return bool(word.strip()) if isinstance(word, str) else isinstance(word, (int, float))


def check_parts(facts: dict, parts: tuple[str, ...]) -> str:
    """What is wrong with where the pictures are said to be, or nothing."""
    if "val" not in facts and "validation" in facts:  # as Ultralytics reads it
        facts = {**facts, "val": facts["validation"]}
    needed = ("train", "val", *parts)
    for key in dict.fromkeys((*needed, "test", "minival")):
        value = facts.get(key)
        if value is None and key not in needed:
            continue
        if value is None:
            return f"its '{key}:' key missing. Say where these pictures are, as {key}: {key}/images"
        places = value if isinstance(value, list) else [value]
        if not places or not all(isinstance(place, str) and place.strip() for place in places):
            given = clipped(f"{key}: {value}")
            return f"'{given}' must be a folder of pictures, or a list of folders, as {key}: {key}/images"
    if not isinstance(facts.get("path") or "", str):
        return f"'path: {clipped(str(facts['path']))}' must be a folder"
    if facts.get("channels", 3) != 3:
        return f"'channels: {clipped(str(facts['channels']))}': only pictures with 3 channels are supported here"
    return ""


def check_task(facts: dict, task: str) -> str:
    """What this set lacks for a model of another task than detection, or nothing."""
    shape = facts.get("kpt_shape")
    if task != "pose":
        return ""
    if not (
        isinstance(shape, list) and len(shape) == 2 and all(isinstance(n, int) for n in shape) and shape[1] in (2, 3)
    ):
        return "a pose model needs 'kpt_shape:', the number of points and 2 or 3 numbers each, as kpt_shape: [17, 3]"
    return ""


def why_not_found(error: Exception, facts: dict) -> str:
    """What Ultralytics says of a set that it cannot use."""
    message = (isinstance(error, OSError) and file_system(error)) or one_line(error)
    message = message.split(" Note dataset download directory")[0].rstrip(". ")
    if facts.get("download") and "not found" in message:
        fetch = "from ultralytics.data.utils import check_det_dataset; check_det_dataset('NAME.yaml')"
        return f"{message}. Looking does not run its 'download:'. To fetch the pictures: python -c \"{fetch}\""
    return f"{message}. Correct 'path:', 'train:', 'val:' and 'names:' in this file."


def look_at_part(looked_at: Data, data, part: str, found: dict, task: str) -> None:
    """Note which pictures of one part can be used, and why the others cannot."""
    for place in map(Path, found[part] if isinstance(found[part], list) else [found[part]]):
        if not place.exists():  # one of several, for Ultralytics has looked for the others
            raise InputError(f"data={data}: there is no {shown(place)}, which '{part}:' names. Correct this file.")
    listed = list_pictures(found[part])
    if not listed:
        raise InputError(f"data={data}: no pictures under {found[part]}. Correct '{part}:' in this file.")
    images = each_once(listed)
    looked_at.repeated += len(listed) - len(images)
    with quiet(), nothing_fetched(), ThreadPoolExecutor() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PIL's, of large pictures
        looks = list(pool.map(lambda image: look_at_picture(image, found, task), images))
    wrong = [why for why, _ in looks]
    looked_at.remarks += [remark for _, remark in looks if remark]
    looked_at.listed[part] = len(images)
    looked_at.pictures[part] = [image for image, why in zip(images, wrong) if not why]
    problems = [why for why in wrong if why]
    looked_at.problems += problems
    if not looked_at.pictures[part]:
        raise InputError(
            f"data={data}: none of the {len(images)} pictures of '{part}:' can be used; the first: {problems[0]}."
        )
    labels = [Path(p) for p in img2label_paths([str(image) for image in looked_at.pictures[part]])]
    looked_at.remarks += shared_labels(looked_at.pictures[part], labels)
    if not any(label.is_file() and label.stat().st_size for label in labels):
        message = (
            f"data={data}: none of the {len(labels)} pictures of '{part}:' has a label. Ultralytics looks for that of "
            f"{shown(looked_at.pictures[part][0])} in {shown(labels[0])}"
        )
        if part == "train":
            raise InputError(f"{message}; without labels there is nothing to learn.")
        warn(f"{message}; all scores will be 0.")


def shared_labels(images: list[Path], labels: list[Path]) -> list[str]:
    """A line for each label file that two pictures share, as those of a.jpg and a.png."""
    first, remarks = {}, []
    for image, label in zip(images, labels):
        other = first.setdefault(label, image)
        if other is not image and label.is_file():
            remarks.append(f"{shown(other)} and {image.name} both take their boxes from {shown(label)}")
    return remarks


def list_pictures(source) -> list[Path]:
    """The pictures of a folder, of a text file that lists them, or of a list of these, in Ultralytics' order."""
    found = []
    for item in map(Path, source if isinstance(source, list) else [source]):
        if item.is_dir():  # glob follows links to folders; Path.rglob would not
            found += map(Path, glob.glob(f"{glob.escape(str(item))}/**/*.*", recursive=True))
        elif item.is_file():
            if item.suffix[1:].lower() in IMG_FORMATS:
                raise InputError(
                    f"{shown(item)} is a picture. Name the folder that holds the pictures, or a list of them."
                )
            with plain(shown(item)):
                lines = item.read_text(encoding="utf-8-sig").strip().splitlines()
            found += [item.parent / line[2:] if line.startswith("./") else Path(line) for line in lines]
    return sorted(p for p in found if p.suffix[1:].lower() in IMG_FORMATS)


def each_once(images: list[Path]) -> list[Path]:
    """The same without files that were there before: folders may overlap, links may lead in circles, lists may repeat."""
    found = {}
    for image in images:
        found.setdefault(os.path.realpath(image), image)
    return list(found.values())


def look_at_picture(image: Path, data: dict, task: str) -> tuple[str, str]:
    """Why this picture is left out, with the file and the line, and what is odd about its label; both mostly empty."""
    if why := check_picture(image):
        return why, ""
    label = Path(img2label_paths([str(image)])[0])
    points, dims = data.get("kpt_shape") or (0, 0)
    job = (str(image), str(label), "", task == "pose", len(data["names"]), points, dims)
    try:
        verdict = verify_image_label((*job, False))
    except ValueError:  # 8.3.0 does not yet ask for single_cls
        verdict = verify_image_label(job)
    _, boxes, _, outlines, *_, said = verdict
    if boxes is None:
        return why_left_out(image, label, data, said), ""
    if outlines and (why := check_mixture(label)):
        return why, ""
    if task in {"segment", "obb"} and len(boxes) and not outlines:
        needed = f"a model of the task '{task}' needs outlines: class x1 y1 x2 y2 x3 y3 ..."
        return f"{shown(label)}: it has boxes, and {needed}", ""
    return "", remark(label, boxes, said)


def check_picture(image: Path) -> str:
    """Why this file cannot be used as a picture, or nothing."""
    readable = str(image).encode("utf-8", "backslashreplace").decode()
    if readable != str(image):  # bytes of a name that are no UTF-8 stand as lone surrogates
        return f"{readable}: its name is not in UTF-8; rename it"
    if "\n" in readable:
        return f"{readable!r}: its name holds a line break; rename it"
    if not image.exists():
        return f"{shown(image)}: there is no such file"
    if not image.is_file():  # a pipe would be waited for
        return f"{shown(image)}: this is no file that can be read"
    try:
        with Image.open(image) as opened:
            opened.verify()
    except Image.DecompressionBombError:
        return f"{shown(image)}: it has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller"
    except Exception:  # PIL raises whatever its plug-ins do
        return f"{shown(image)}: this is no picture, or a damaged one"
    return ""


def remark(label: Path, boxes: np.ndarray, said: str) -> str:
    """What is odd about a label that Ultralytics takes, or nothing."""
    if flat := int((boxes[:, 3:5].min(1) == 0).sum()) if len(boxes) else 0:
        return f"{shown(label)}: {flat} of {len(boxes)} boxes have no width or no height, and cannot be found"
    if removed := re.search(r"(\d+) duplicate labels removed", said):
        return f"{shown(label)}: {removed[1]} rows stand there once more, and are used once"
    return ""


def check_mixture(label: Path) -> str:
    """What is wrong with a label file that has boxes beside outlines: older versions take a box for two corners."""
    lengths = [len(line.split()) for line in read_lines(label)]
    if 5 in lengths and max(lengths) > 6:
        return f"{shown(label)}, line {lengths.index(5) + 1}: this is a box, and other rows are outlines. Give outlines alone"
    return ""


def why_left_out(image: Path, label: Path, data: dict, said: str) -> str:
    """The row of the label file that is wrong, else what Ultralytics said."""
    for number, line in enumerate(read_lines(label), 1):
        if line.strip() and (why := check_row(line.split(), data["names"])):
            return f"{shown(label)}, line {number}: {why}"
        if "reshape" in said and len(line.split()) > 6 and len(line.split()) % 2 == 0:
            return (
                f"{shown(label)}, line {number}: an outline needs pairs of numbers after its class: x1 y1 x2 y2 x3 y3"
            )
    if not data.get("kpt_shape") and (why := check_mixture(label)):
        return why
    return f"{shown(image)}: {one_line(said).split('ignoring corrupt image/label: ')[-1]}"


def read_lines(label: Path) -> list[str]:
    """The rows of a label file; none where there is no such file."""
    return label.read_text(encoding="utf-8-sig", errors="replace").splitlines() if label.is_file() else []


def check_row(words: list[str], names: dict) -> str:
    """What is wrong with one row `class x y width height` of a label file, or nothing."""
    try:
        cls, *box = (float(w) for w in words)
    except ValueError:
        return f"'{clipped(' '.join(words))}' is not all numbers"
    if cls not in range(len(names)):
        known = ", ".join(f"{i} ({name})" for i, name in list(names.items())[:5])
        return f"class {cls:g} does not exist; known are {known}"
    if len(box) < 4:
        return f"{len(words)} numbers, where class, x, y, width and height are needed"
    if len(box) == 4:
        for name, value in zip(("x", "y", "width", "height"), box):
            if not 0 <= value <= 1:
                return f"{name} is {value:g}, outside 0 to 1 (all are parts of the picture's size)"
    return ""
