"""Check the fire set: is it whole, are its labels right, do its splits share nothing, and what is in it?

    python datasets/render/check.py [--set FOLDER]

Prints a report, writes the generated part of the folder's README.md, and exits with 1 where something is wrong.
Every `..._faults` function returns one line per fault. Boxes are [x0, y0, x1, y1] in pixels, x1 and y1 excluded.
"""

import argparse
import hashlib
import json
import math
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import cv2
import masks
import numpy as np

SPLITS = ("train", "val")
FIELDS = ("sha256", "size", "boxes", "masks", "kind", "backdrop", "mood", "bakes", "source")
SMALLEST = 8  # pixels, a side of a box
NESTED = 0.5  # share of a box that may lie in another
NEAR = 8  # bits of 64: copies that were scaled, compressed or cropped by 2 % stay within; two views of one room do not
AREAS = (0.1, 0.5, 1, 5, 25, 50)  # percent of the picture: borders between the classes of box area
BEGIN, END = "<!-- numbers: written by datasets/render/check.py -->", "<!-- end of the numbers -->"


def load(folder):
    """The manifest {name: facts}. Raises SystemExit where there is none, or where it lacks what is to be checked."""
    path = Path(folder) / "manifest.json"
    if not path.is_file():
        raise SystemExit(f"{path}: no such file. Give --set the folder of a set made by make_fire_set.py")
    manifest = json.loads(path.read_text())
    for name, facts in manifest.items():
        missing = [field for field in FIELDS if field not in facts]
        if missing:
            raise SystemExit(f"{path}: {name} has no {', '.join(missing)}. Make the set anew with make_fire_set.py")
    return manifest


def part(manifest, split):
    return {name: facts for name, facts in manifest.items() if name.startswith(split + "/")}


def label_of(name):
    return name.replace("/images/", "/labels/").replace(".jpg", ".txt")


# -------------------------------------------------------------------------------------------------- files and labels
def file_faults(folder, manifest):
    """Pictures and labels are those of the manifest, byte for byte, and no picture is there twice."""
    there = {
        path.relative_to(folder).as_posix() for what in ("images", "labels") for path in folder.glob(f"*/{what}/*")
    }
    told = set(manifest) | {label_of(name) for name in manifest}
    faults = [f"{name}: in the folder, but not in manifest.json" for name in sorted(there - told)]
    faults += [f"{name}: in manifest.json, but not in the folder" for name in sorted(told - there)]
    first = {}
    for name in sorted(there & set(manifest)):
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if digest != manifest[name]["sha256"]:
            faults.append(f"{name}: not the picture of manifest.json (another sha256)")
        if first.setdefault(digest, name) != name:
            faults.append(f"{name}: the same file as {first[digest]}")
    return faults


def read_label(path, size):
    """The boxes of a YOLO label file, in pixels. Raises ValueError where a row is not `0 x y w h`, all from 0 to 1."""
    boxes = []
    for row in path.read_text().splitlines():
        try:
            kind, x, y, w, h = (float(value) for value in row.split())
        except ValueError:
            raise ValueError(f"row {row!r}: five numbers are allowed, 0 x y w h") from None
        if kind != 0 or not all(0 <= value <= 1 for value in (x, y, w, h)):
            raise ValueError(f"row {row!r}: the class is 0, and x y w h are shares of the picture, from 0 to 1")
        boxes.append([(x - w / 2) * size[0], (y - h / 2) * size[1], (x + w / 2) * size[0], (y + h / 2) * size[1]])
    return boxes


def label_faults(folder, manifest):
    """Label files say what the manifest says, in range; no box is tiny or lies mostly in another."""
    faults = []
    for name, facts in manifest.items():
        try:
            written = read_label(folder / label_of(name), facts["size"])
        except (ValueError, FileNotFoundError) as error:
            faults.append(f"{label_of(name)}: {error}")
            continue
        boxes = facts["boxes"]
        if len(written) != len(boxes) or not np.allclose(written, boxes, atol=0.01):
            faults.append(f"{label_of(name)}: {np.round(written, 1).tolist()}, but manifest.json has {boxes}")
        for box in boxes:
            if not (0 <= box[0] < box[2] <= facts["size"][0] and 0 <= box[1] < box[3] <= facts["size"][1]):
                faults.append(f"{name}: box {box} leaves the picture of {facts['size']} px")
            if min(box[2] - box[0], box[3] - box[1]) < SMALLEST:
                faults.append(f"{name}: box {box} has a side under {SMALLEST} px")
            if any(other is not box and inside(box, other) > NESTED for other in boxes):
                faults.append(f"{name}: box {box} lies mostly in another")
    return faults


def inside(box, other):
    """Share of a box that lies in another."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    return max(width, 0) * max(height, 0) / ((box[2] - box[0]) * (box[3] - box[1]))


# ------------------------------------------------------------------------------------------------- masks and flames
def mask_faults(manifest):
    """Every fire's burning cells reach all four sides of its box and never leave it."""
    faults = []
    for name, facts in manifest.items():
        if len(facts["masks"]) != len(facts["boxes"]):
            faults.append(f"{name}: {len(facts['boxes'])} boxes, but {len(facts['masks'])} masks")
            continue
        for box, text in zip(facts["boxes"], facts["masks"]):
            try:
                ys, xs = np.nonzero(masks.unpack(text, *facts["size"]))
            except ValueError as error:
                faults.append(f"{name}: {error}")
                continue
            burning = [side // masks.CELL for side in (xs.min(), ys.min(), xs.max(), ys.max())] if xs.size else None
            if burning != [side // masks.CELL for side in (box[0], box[1], box[2] - 1, box[3] - 1)]:
                faults.append(f"{name}: box {box} is not drawn around its burning cells")
    return faults


def fiery(picture):
    """Where a BGR picture is bright, and more red than blue, as a flame is."""
    blue, _, red = (picture[..., channel].astype(np.int16) for channel in range(3))
    return (red > 110) & (red > blue + 50)


def flame_faults(picture, facts):
    """Boxes of a BGR picture that do not look like fire: their burning cells, and each half of the box, must glow."""
    glows = fiery(picture)
    faults = []
    for box, text in zip(facts["boxes"], facts["masks"]):
        share = glows[masks.unpack(text, *facts["size"])].mean()
        window = glows[box[1] : box[3], box[0] : box[2]]
        halves = np.array_split(window, 2, 0) + np.array_split(window, 2, 1)
        if share < 0.1 or not all(half.any() for half in halves):
            faults.append(f"box {box}: only {share:.0%} of its burning cells are bright and flame-coloured")
    return faults


def suspects(picture, boxes):
    """[x, y, width, height] of strongly flame-coloured blobs outside all boxes: lamps and suns, or a forgotten fire."""
    blue, green, red = (picture[..., channel].astype(np.int16) for channel in range(3))
    glows = ((red > 225) & (red > blue + 110) & (green < red - 15)).astype(np.uint8)
    for x0, y0, x1, y1 in boxes:
        margin = 12 + max(x1 - x0, y1 - y0) // 8  # glare and lit smoke
        glows[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin] = 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(glows)
    return [blob[:4].tolist() for blob in stats[1:] if blob[cv2.CC_STAT_AREA] >= 5e-4 * glows.size]


# ------------------------------------------------------------------------------------------------ splits and doubles
def split_faults(manifest):
    """Training and validation share neither a backdrop nor a baked flame."""
    train, val = (part(manifest, split).values() for split in SPLITS)
    faults = []
    for what, names in (("backdrop", lambda facts: {facts["backdrop"]}), ("bake", lambda facts: set(facts["bakes"]))):
        both = set().union(*map(names, train)) & set().union(*map(names, val))
        faults += [f"{what} {name} is in both splits" for name in sorted(both)]
    nameless = [name for name, facts in manifest.items() if facts["boxes"] and not facts["bakes"]]
    return faults + [f"{name}: a fire, but manifest.json names no bake" for name in nameless]


def perceptual_hash(picture):
    """64 bits that change little when a BGR picture is scaled, compressed or made brighter: signs of low frequencies."""
    height, width = (max(8, round(32 * side / max(picture.shape[:2]))) for side in picture.shape[:2])
    small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), (width, height), interpolation=cv2.INTER_AREA)
    grey = np.full((32, 32), small.mean(), np.float32)  # pictures of different shapes are no copies of each other
    top, left = (32 - height) // 2, (32 - width) // 2
    grey[top : top + height, left : left + width] = small
    low = cv2.dct(grey)[:8, :8].ravel()
    return low > np.median(low)


def nearest(hashes, others=None):
    """Pairs of pictures (bits that differ, name, other name), the most alike first; without `others` among themselves."""
    within = others is None
    others = hashes if within else others
    if not hashes or not others:
        return []
    a, b = (np.stack(list(group.values())).astype(np.int16) for group in (hashes, others))
    apart = (a[:, None] != b[None]).sum(-1)
    rows, cols = np.triu_indices(len(a), 1) if within else (axis.ravel() for axis in np.indices(apart.shape))
    order = np.argsort(apart[rows, cols], kind="stable")
    names, more = list(hashes), list(others)
    return [(int(apart[rows[n], cols[n]]), names[rows[n]], more[cols[n]]) for n in order]


def double_faults(pairs):
    return [f"{a} and {b} are near-duplicates ({bits} of 64 bits differ)" for bits, a, b in pairs if bits <= NEAR]


def inspect(folder, manifest):
    """Look at every picture once: (faults, blobs outside all boxes, {name: perceptual hash})."""
    faults, blobs, hashes = [], [], {}
    for name, facts in manifest.items():
        picture = cv2.imread(str(folder / name))
        if picture is None or list(picture.shape[1::-1]) != list(facts["size"]):
            faults.append(f"{name}: not a picture of {facts['size'][0]} x {facts['size'][1]} px")
            continue
        hashes[name] = perceptual_hash(picture)
        faults += [f"{name}: {fault}" for fault in flame_faults(picture, facts)]
        if facts["boxes"]:
            blobs += [f"{name}: {blob}" for blob in suspects(picture, facts["boxes"])]
    return faults, blobs, hashes


# --------------------------------------------------------------------------------------------------------- data card
def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def histogram(title, counts):
    """A table with one row per value: {value: (training, validation)}, and the share of both as a bar."""
    total = sum(map(sum, counts.values())) or 1
    head = [title, *SPLITS, "share", ""]
    rows = []
    for value, (train, val) in counts.items():
        share = (train + val) / total
        rows.append([value, train, val, f"{share:.0%}", "█" * round(25 * share)])
    return table(head, rows).replace("---: |\n", "--- |\n", 1)


def shares(facts):
    """Area of each box, in percent of the picture."""
    return [100 * (x1 - x0) * (y1 - y0) / math.prod(facts["size"]) for x0, y0, x1, y1 in facts["boxes"]]


def count(manifest, values):
    """{value: (training, validation)} of what `values(facts)` yields, the most frequent first."""
    train, val = (Counter(v for facts in part(manifest, split).values() for v in values(facts)) for split in SPLITS)
    return {value: (train[value], val[value]) for value, _ in (train + val).most_common()}


def overview(folder, manifest):
    rows = []
    for split in SPLITS:
        names = part(manifest, split)
        boxes = [share for facts in names.values() for share in shares(facts)]
        places = len({(facts["source"], facts["backdrop"]) for facts in names.values()})
        bakes = len({bake for facts in names.values() for bake in facts["bakes"]})
        empty = sum(not facts["boxes"] for facts in names.values())
        small = f"{sum(share < 1 for share in boxes) / max(1, len(boxes)):.0%}"
        size = f"{sum((folder / name).stat().st_size for name in names) / 1e6:.1f}"
        rows.append([split, len(names), empty, len(boxes), small, places, bakes, size])
    head = "split, pictures, without fire, boxes, of them under 1 % of the picture, backdrops, bakes, MB".split(", ")
    return table(head, rows)


def area_classes():
    """Names of the classes of box area."""
    names = [f"{low} to {high} %" for low, high in zip(AREAS, AREAS[1:])]
    return [f"under {AREAS[0]} %", *names, f"over {AREAS[-1]} %"]


def areas(manifest):
    """How many boxes each class of area has, small before large."""

    def classes(facts):
        return [area_classes()[int(np.searchsorted(AREAS, share, "right"))] for share in shares(facts)]

    found = count(manifest, classes)
    return {name: found.get(name, (0, 0)) for name in area_classes()}


def fires(manifest):
    """How many pictures have 0, 1, 2 ... fires."""
    return dict(sorted(count(manifest, lambda facts: [len(facts["boxes"])]).items()))


def shapes(manifest):
    """How many pictures are 4:3, 16:9 ..., width before height."""

    def ratio(facts):
        width, height = Fraction(*facts["size"]).limit_denominator(16).as_integer_ratio()
        return [f"{width}:{height}"]

    return count(manifest, ratio)


def positions(manifest):
    """Where the boxes' middles lie: share per ninth of the picture, (3, 3), rows from the top."""
    ninths = np.zeros((3, 3))
    for facts in manifest.values():
        for x0, y0, x1, y1 in facts["boxes"]:
            column, row = 3 * (x0 + x1) / 2 / facts["size"][0], 3 * (y0 + y1) / 2 / facts["size"][1]
            ninths[int(row), int(column)] += 1
    return ninths / max(1, ninths.sum())


def doubles(hashes):
    """What the perceptual hash finds across the splits and in each of them."""
    train, val = (part(hashes, split) for split in SPLITS)
    rows = []
    for where, pairs in (("train and val", nearest(train, val)), ("train", nearest(train)), ("val", nearest(val))):
        closest = pairs[0][0] if pairs else "-"
        rows.append([where, f"{len(pairs):,}", closest, sum(bits <= NEAR for bits, _, _ in pairs)])
    return table(["pairs of pictures", "number", "closest, bits of 64", f"near-duplicates, at most {NEAR} bits"], rows)


def numbers(folder, manifest, hashes):
    """The generated part of the data card, as Markdown."""
    rows = zip(("top", "middle", "bottom"), positions(manifest))
    ninths = [[f"**{row}**", *(f"{share:.0%}" for share in line)] for row, line in rows]
    return "\n\n".join(
        [
            overview(folder, manifest),
            histogram("box area, of the picture", areas(manifest)),
            histogram("fires in a picture", fires(manifest)),
            histogram("kind of scene", count(manifest, lambda facts: [facts["kind"]])),
            histogram("light", count(manifest, lambda facts: [facts["mood"]])),
            histogram("backdrop", count(manifest, lambda facts: [facts["source"]])),
            histogram("shape, width : height", shapes(manifest)),
            "Where the middles of the boxes lie:",
            table(["", "left", "middle", "right"], ninths),
            "Near-duplicates, by a 64-bit perceptual hash:",
            doubles(hashes),
        ]
    )


def with_numbers(card, generated):
    """A data card whose part between the markers is `generated`."""
    if BEGIN not in card or END not in card.split(BEGIN, 1)[1]:
        raise SystemExit(f"README.md has no place for the numbers: put these two lines into it\n{BEGIN}\n{END}")
    before, rest = card.split(BEGIN, 1)
    return f"{before}{BEGIN}\n\n{generated}\n\n{END}{rest.split(END, 1)[1]}"


def report(folder):
    """Check the set, write its data card, print what was found. Returns how many faults there are."""
    manifest = load(folder)
    faults = file_faults(folder, manifest) + label_faults(folder, manifest)
    faults += mask_faults(manifest) + split_faults(manifest)
    if faults:
        print("The pictures are looked at, and the data card is written, once this is mended:")
    else:
        faults, blobs, hashes = inspect(folder, manifest)
        train, val = (part(hashes, split) for split in SPLITS)
        across = nearest(train, val)
        faults += double_faults(across)
        for title, pairs in (
            ("Closest pairs across the splits", across),
            ("Closest pairs within train", nearest(train)),
        ):
            print(f"{title} (near-duplicates differ in at most {NEAR} bits):")
            for bits, one, other in pairs[:5]:
                print(f"  {bits:2} bits: {one}, {other}")
        print(f"{len(blobs)} flame-coloured blobs outside all boxes, as x, y, width, height; look at them:")
        for blob in blobs:
            print(f"  {blob}")
        card = folder / "README.md"
        if card.is_file():
            text = with_numbers(card.read_text(encoding="utf-8"), numbers(folder, manifest, hashes))
            card.write_text(text, encoding="utf-8")
        else:
            print(f"{card}: no such file, so there is no data card to write the numbers into")
        print(f"\n{overview(folder, manifest)}\n")
    for fault in faults:
        print(f"WRONG  {fault}")
    print(f"{len(manifest)} pictures, {len(faults)} faults")
    return len(faults)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[1] / "fire"
    parser.add_argument("--set", type=Path, default=default, help="folder of the set (default: %(default)s)")
    return int(report(parser.parse_args().set) > 0)


if __name__ == "__main__":
    sys.exit(main())
