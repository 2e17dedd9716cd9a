"""`python -m modules data check|split|show|convert ...`: from a folder of photographs to a set that can be trusted."""

import json
import random
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from matplotlib.figure import Figure
from PIL import Image
from ultralytics.data.utils import IMG_FORMATS, img2label_paths

from .errors import InputError, plain, shown
from .files import save_figure
from .fire import read_boxes, show_labelled
from .inputs import check_drawing
from .pictures import GREEN
from .sets import Data, check_data, check_names, check_picture, read_lines

SIDE = 12  # of a picture's hash, which has SIDE x SIDE bits
ALIKE = 0.16  # two pictures whose hashes differ in a smaller part of their bits are taken for the same scene
AREAS = (0.01, 0.05, 0.25)  # of the picture: tiny, small, middle, large


# ------------------------------------------------------------------------------------------------------------- looking
def picture_hash(path: Path) -> np.ndarray:
    """Bits that stay nearly the same when a picture is scaled, compressed, brightened or cut a little (dHash)."""
    with plain(shown(path)), Image.open(path) as picture:
        picture.draft("L", (128, 128))
        grey = np.asarray(picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), dtype=np.int16)
    return (grey[:, 1:] > grey[:, :-1]).ravel()


def alike(pictures: list[Path]) -> list[tuple[int, int]]:
    """Pairs of pictures, as their places in the list, that show the same scene."""
    if not pictures:
        return []
    hashes = np.stack([picture_hash(path) for path in pictures]).astype(np.float32)
    ones, pairs = hashes.sum(1), []
    for start in range(0, len(hashes), 1000):  # of many pictures, a table of all pairs would not fit into memory
        part = slice(start, start + 1000)
        differ = ones[part, None] + ones[None] - 2 * hashes[part] @ hashes.T
        pairs += [(i + start, j) for i, j in zip(*np.nonzero(differ < ALIKE * SIDE**2)) if i + start < j]
    return pairs


@dataclass(frozen=True)
class Finding:
    """One thing that a look at a set found. Printed, it is a line that says what to do."""

    text: str
    advice: str = ""

    def __str__(self):
        return f"! {self.text}. {self.advice}" if self.advice else f"  {self.text}"


def check(data) -> list[Finding]:
    """Look at a detection set: what it holds, and what will hurt a training. Nothing is written.

    Args:
        data: the set's YAML.

    Raises:
        InputError: the YAML leads to no usable picture.
    """
    found = check_data(data)
    findings = [Finding(problem, "Ultralytics leaves this picture out.") for problem in found.problems]
    findings += [Finding(remark, "Correct the labels.") for remark in found.remarks]
    for part, pictures in found.pictures.items():
        findings += look_at_part(part, pictures, found.names)
    pictures = [picture for part in found.pictures.values() for picture in part]
    train = set(found.pictures["train"])
    crossing = [
        (pictures[i], pictures[j]) for i, j in alike(pictures) if (pictures[i] in train) != (pictures[j] in train)
    ]
    if crossing:
        a, b = crossing[0]
        findings.append(
            Finding(
                f"{len(crossing)} pairs of pictures look alike and stand in both parts, as {a.name} and {b.name}",
                "The score would be too good: split again by scenes (data split).",
            )
        )
    else:
        findings.append(Finding("no picture to train on looks like one to validate on"))
    return findings


def look_at_part(part: str, pictures: list[Path], names: dict) -> list[Finding]:
    """What one part of a set holds."""
    boxes = [read_boxes(path) for path in pictures]
    classes = np.array([c for path in pictures for c in read_classes(path)], dtype=int)
    areas = np.concatenate([b[:, 2] * b[:, 3] for b in boxes]) if boxes else np.zeros(0)
    empty = sum(not len(b) for b in boxes)
    findings = [Finding(f"{part}: {len(pictures)} pictures, {len(areas)} boxes, {empty} pictures without any")]
    if not len(areas):
        return [*findings, Finding(f"{part} has no box at all", "Is there a folder labels/ beside images/?")]
    share = np.histogram(areas, [0, *AREAS, 1.0001])[0] / len(areas)
    words = ("under 1 %", "1 to 5 %", "5 to 25 %", "over 25 %")
    sizes = ", ".join(f"{s:.0%} {word}" for s, word in zip(share, words))
    findings.append(Finding(f"{part}: boxes by their part of the picture: {sizes}"))
    if share[0] > 0.5:
        findings.append(Finding(f"{part}: {share[0]:.0%} of the boxes are tiny", "Train with a larger imgsz first."))
    counts = np.bincount(classes, minlength=len(names))[: len(names)]
    findings.append(Finding(f"{part}: boxes by class: {', '.join(f'{n} {names[i]}' for i, n in enumerate(counts))}"))
    if part == "train":
        for i, n in enumerate(counts):
            if n < counts.max() / 10:
                findings.append(
                    Finding(
                        f"class {i} ({names[i]}) has {n} boxes, the largest class {counts.max()}", "Add pictures of it."
                    )
                )
        if not empty:
            findings.append(Finding("no picture is without a box", "Add some that show what is mistaken for it."))
    return findings


def read_classes(picture: Path) -> list[int]:
    """The class numbers in a picture's label file."""
    lines = read_lines(Path(img2label_paths([str(picture)])[0]))
    return [int(float(line.split()[0])) for line in lines if line.strip()]


# ----------------------------------------------------------------------------------------------------------- splitting
def scenes(pictures: list[Path]) -> list[list[Path]]:
    """Pictures in groups that must not be torn apart: those that look alike, and those that were numbered together.

    Pictures of one film or burst share their name up to a last number, as in kitchen_0001.jpg and kitchen_0002.jpg.
    A name that is nothing but a number says nothing.
    """
    parent = list(range(len(pictures)))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    named: dict[str, int] = {}
    for i, path in enumerate(pictures):
        stem = re.sub(r"[-_ ]*\d+$", "", path.stem)
        if stem and re.fullmatch(r".*\D.*", path.stem) and not GENERIC.fullmatch(stem):
            parent[root(i)] = root(named.setdefault(f"{path.parent}/{stem}", i))
    for i, j in alike(pictures):
        parent[root(int(j))] = root(int(i))
    groups: dict[int, list[Path]] = {}
    for i, path in enumerate(pictures):
        groups.setdefault(root(i), []).append(path)
    return list(groups.values())


# Names that cameras and downloads give to everything: they tell nothing about the scene.
GENERIC = re.compile(
    r"(?i)img|dsc|dscn|dscf|image|images|photo|picture|pic|frame|p|fire|train|val|file|screenshot|pxl|mvimg"
)


def split(folder, names: list[str], shares=(0.7, 0.2, 0.1), seed: int = 0) -> Path:
    """Write a data YAML and lists of pictures for the parts train, val and test. Nothing is moved or copied.

    Pictures of one scene stay together (see `scenes`), so that no part has seen another.

    Args:
        folder: holds `images/` and `labels/`.
        names: of the classes, in the order of their numbers.
        shares: of train, val and test; together 1.
        seed: of the sample.

    Returns:
        the path of the YAML, `split.yaml` in `folder`.

    Raises:
        InputError: there are no pictures, too few scenes, or a split already.
    """
    folder = Path(folder)
    pictures = sorted(p for p in (folder / "images").rglob("*") if p.suffix[1:].lower() in IMG_FORMATS)
    if not pictures:
        raise InputError(
            f"{folder}: no pictures in {folder / 'images'}. Put them there, and their labels into labels/."
        )
    if why := next(filter(None, map(check_picture, pictures)), ""):
        raise InputError(f"{why}. Mend or remove it, then split.")
    target = folder / "split.yaml"
    if target.exists():
        raise InputError(f"{shown(target)} is there already, and a split that was used must stay. Rename or remove it.")
    if len(shares) != 3 or abs(sum(shares) - 1) > 1e-6 or min(shares) < 0:
        raise InputError(f"shares={shares}: give three parts of 1 for train, val and test, as 0.7,0.2,0.1.")
    groups = scenes(pictures)
    parts = fill(groups, dict(zip(("train", "val", "test"), shares)), len(pictures), random.Random(seed))
    if not parts["train"] or not parts["val"]:
        raise InputError(
            f"{folder}: its {len(pictures)} pictures show {len(groups)} scenes, too few for a part to train on and one "
            f"to validate on. Add pictures of other places."
        )
    content = {"path": str(folder.resolve())}
    for part, chosen in parts.items():
        if chosen:
            listing = folder / f"{part}.txt"
            listing.write_text(
                "".join(f"./{p.relative_to(folder).as_posix()}\n" for p in sorted(chosen)), encoding="utf-8"
            )
            content[part] = listing.name
    content["names"] = dict(enumerate(names))
    target.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    sizes = ", ".join(f"{len(chosen)} {part}" for part, chosen in parts.items())
    print(f"{len(pictures)} pictures of {len(groups)} scenes: {sizes}. Wrote {shown(target)}")
    return target


def fill(groups: list[list[Path]], shares: dict[str, float], total: int, rng: random.Random) -> dict[str, list[Path]]:
    """Deal whole groups, the largest first, each to the part that lacks the most."""
    rng.shuffle(groups)
    parts: dict[str, list[Path]] = {part: [] for part in shares}
    for group in sorted(groups, key=len, reverse=True):
        part = max(shares, key=lambda p: shares[p] * total - len(parts[p]))
        parts[part] += group
    return parts


# ------------------------------------------------------------------------------------------------------------- showing
def show(data, path="labels.png", count: int = 12, seed: int = 0) -> Path:
    """Draw a sample of labelled pictures, half of them to train on and half to validate on, and write it to `path`."""
    path, rng = Path(path), random.Random(seed)
    check_drawing("path", path)
    found: Data = check_data(data)
    if path.exists():
        raise InputError(f"{shown(path)} is there already. Name another file: path=NAME.png.")
    chosen = [
        picture
        for part in ("train", "val")
        for picture in sorted(rng.sample(found.pictures[part], min(count // 2, len(found.pictures[part]))))
    ]
    rows = -(-len(chosen) // 4)
    figure = Figure(figsize=(12, 2.6 * rows), layout="constrained")
    for ax, picture in zip(figure.subplots(rows, 4, squeeze=False).flat, chosen):
        show_labelled(ax, picture, GREEN)
        ax.set_title(picture.name, fontsize=8)
    for ax in figure.axes[len(chosen) :]:
        ax.axis("off")
    save_figure(figure, path)
    print(f"wrote {shown(path)}: {len(chosen)} pictures with their labels")
    return path


# ---------------------------------------------------------------------------------------------------------- converting
def convert(annotations, labels, names: list[str] | None = None) -> list[str]:
    """Write a YOLO label file for each picture of a Pascal VOC folder (.xml) or a COCO file (.json).

    Args:
        annotations: the folder of .xml files, or the .json file.
        labels: the folder to write; it must not exist.
        names: the classes in their order; without it those of the file: VOC's sorted, COCO's by their id.

    Returns:
        the class names in their order.

    Raises:
        InputError: there is nothing to convert, a class is unknown, or `labels` exists.
    """
    source, labels = Path(annotations), Path(labels)
    if labels.exists():
        raise InputError(f"{shown(labels)} is there already; nothing is written over. Name another folder.")
    found, known = read_coco(source) if source.suffix == ".json" else read_voc_folder(source)
    names = names or known
    for picture, rows in found.items():
        if unknown := [name for name, _ in rows if name not in names]:
            raise InputError(f"{picture}: class '{unknown[0]}' is not among names={','.join(names)}.")
    for picture, rows in found.items():
        text = "".join(f"{names.index(name)} {' '.join(f'{v:.6f}' for v in box)}\n" for name, box in rows)
        path = labels / Path(picture).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(found)} pictures converted to {shown(labels)}; names={','.join(names)}")
    return names


def as_parts(x1: float, y1: float, x2: float, y2: float, width: float, height: float) -> list[float]:
    """Corners in pixels -> centre x, centre y, width, height as parts of the picture; what lies outside is cut off."""
    left, right = (min(max(x, 0), width) / width for x in (x1, x2))
    top, bottom = (min(max(y, 0), height) / height for y in (y1, y2))
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def read_voc_folder(folder: Path) -> tuple[dict[str, list], list[str]]:
    """The objects of each file of a VOC folder, under the file's name, and the class names that occur."""
    files = sorted(folder.glob("*.xml"))
    if not files:
        raise InputError(
            f"{folder}: there are no .xml files. Give a folder of Pascal VOC files, or a COCO file (.json)."
        )
    found = {file.name: read_voc(file) for file in files}
    return found, sorted({name for rows in found.values() for name, _ in rows})


def read_coco(file: Path) -> tuple[dict[str, list], list[str]]:
    """The objects of each picture of a COCO file, and its class names. Crowds, which are no single objects, are left out."""
    if not file.is_file():
        raise InputError(f"{file}: there is no such file.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        classes = {c["id"]: c["name"] for c in sorted(content["categories"], key=lambda c: c["id"])}
        sizes = {i["id"]: (i["file_name"], i["width"], i["height"]) for i in content["images"]}
        found = {name: [] for name, *_ in sizes.values()}
        for item in content["annotations"]:
            if not item.get("iscrowd"):
                name, *size = sizes[item["image_id"]]
                x, y, w, h = item["bbox"]
                found[name].append((classes[item["category_id"]], as_parts(x, y, x + w, y + h, *size)))
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(
            f"{shown(file)} is no COCO file with images, categories and boxes ({type(error).__name__}: {error})."
        ) from None
    if away := [name for name in found if Path(name).is_absolute() or ".." in Path(name).parts]:
        raise InputError(
            f"{shown(file)}: the picture '{away[0]}' lies outside the folder. Make file_name relative to it."
        )
    if len({Path(name).with_suffix("") for name in found}) < len(sizes):
        raise InputError(f"{shown(file)}: two pictures have one name, and YOLO finds labels by the picture's name.")
    return found, list(classes.values())


def read_voc(file: Path) -> list[tuple[str, list[float]]]:
    """The objects of one VOC file: name, and centre x, centre y, width, height as parts of the picture's size."""
    try:
        root = ET.parse(file).getroot()
        width, height = (float(root.find("size").find(side).text) for side in ("width", "height"))
        rows = []
        for item in root.iter("object"):
            x1, y1, x2, y2 = (float(item.find("bndbox").find(k).text) for k in ("xmin", "ymin", "xmax", "ymax"))
            box = as_parts(x1 - 1, y1 - 1, x2, y2, width, height)  # VOC counts pixels from 1
            rows.append((item.find("name").text, box))
    except (ET.ParseError, AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"{shown(file)} is no Pascal VOC file with sizes and boxes ({error}).") from None
    return rows


# ------------------------------------------------------------------------------------------------------- command line
USAGE = """\
python -m modules data check MY.yaml                                   what is in a set, and what will hurt a training
python -m modules data show MY.yaml [path=labels.png]                  draw a sample of labelled pictures
python -m modules data split FOLDER names=fire,smoke [shares=.7,.2,.1] write split.yaml and lists; scenes stay together
python -m modules data convert ANNOTATIONS LABELS [names=fire,smoke]   VOC folder or COCO .json -> YOLO labels"""


def main(words: list[str]) -> int:
    """Run `data WORDS`; returns the exit code."""
    places = [word for word in words if "=" not in word]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    takes = {
        "check": (1, ()),
        "show": (1, ("path",)),
        "split": (1, ("names", "shares", "seed")),
        "convert": (2, ("names",)),
    }
    command, *places = places or ["help"]
    if command not in takes:
        print(USAGE)
        return 0 if command == "help" else 2
    count, keys = takes[command]
    if len(places) != count or not set(given) <= set(keys):
        raise InputError(f"data {command} is written as:\n{USAGE}")
    names = given["names"].split(",") if "names" in given else None
    if names and (wrong := check_names({"names": names})):
        raise InputError(f"names={given['names']}: {wrong}.")
    if command == "check":
        findings = check(places[0])
        print("\n".join(map(str, findings)))
    elif command == "show":
        show(places[0], **given)
    elif command == "convert":
        convert(*places, names)
    else:
        if names is None:
            raise InputError("data split needs the classes in the order of their numbers, as names=fire,smoke.")
        key = "shares"
        try:
            shares = tuple(float(share) for share in given.get(key, "0.7,0.2,0.1").split(","))
            key = "seed"
            seed = int(given.get(key, 0))
        except ValueError:
            raise InputError(f"{key}={given[key]}: write numbers, as shares=0.7,0.2,0.1 and seed=0.") from None
        split(places[0], names, shares, seed)
    return 0
