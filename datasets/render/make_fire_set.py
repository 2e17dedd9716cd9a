"""Make the fire set: rendered pictures of fires and of look-alikes, with exact labels.

    python datasets/render/make_fire_set.py [--out FOLDER] [--only N ...] [--force] [--jobs N]

The steps: bake (fires, with Blender), render (places, with Blender), compose (pictures), check (the set as a whole).
What is there and was made by the same recipe is left alone, so an interrupted run continues.
Each picture depends on its number only. Training and validation share neither backdrops nor bakes.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import check
import compose
import cv2
import flame
import kinds
import plates

VERSION = 2  # raise it when the code makes other pictures: all are then made again
QUALITY = 82
FIRE = Path(__file__).resolve().parents[1] / "fire"


def label(boxes, width, height):
    """YOLO text: class, centre x, centre y, width, height, as shares of the picture."""
    lines = [
        f"0 {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f} {(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n"
        for x0, y0, x1, y1 in boxes
    ]
    return "".join(lines)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def recipe(entry):
    """What a picture is made from: it changes when the picture has to be made again."""
    made_from = [VERSION, entry]
    if entry["source"] == "plate":
        made_from.append(plates.PLATES[entry["backdrop"]].digest())
    return digest(json.dumps(made_from).encode())[:16]


def prepare():
    """Load once in every process what all pictures share."""
    global FLAMES
    cv2.setNumThreads(1)
    FLAMES = flame.load()


def make(entry):
    return entry, *compose.compose(entry, FLAMES)


def write_manifest(path, manifest):
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(manifest[key])}" for key in sorted(manifest))
    path.write_text("{\n" + lines + "\n}\n")


def compose_all(entries, out, jobs, force=False):
    """Make the pictures that are missing or made by another recipe, with their labels, and note them."""
    path = out / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {}
    missing = []
    for entry in entries:
        name = f"{entry['split']}/images/fire_{entry['number']:03}.jpg"
        known = manifest.get(name, {})
        there = (out / name).exists() and known.get("sha256") == digest((out / name).read_bytes())
        if force or not there or known["recipe"] != recipe(entry):
            missing.append(entry)
    if not missing:
        return manifest
    begin = time.time()
    with multiprocessing.Pool(min(jobs, len(missing)), prepare) as pool:
        for done, (entry, picture, facts) in enumerate(pool.imap(make, missing), 1):
            name = f"{entry['split']}/images/fire_{entry['number']:03}.jpg"
            image, text = out / name, (out / name.replace("images", "labels")).with_suffix(".txt")
            data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
            size = picture.shape[1::-1]
            for file, content in ((image, data), (text, label(facts["boxes"], *size).encode())):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            known = dict(sha256=digest(data), recipe=recipe(entry), size=size, source=entry["source"])
            manifest[name] = known | dict(backdrop=entry["backdrop"]) | facts
            write_manifest(path, manifest)
            what = f"{facts['kind']}, {entry['backdrop']}, {facts['mood']}: {len(facts['boxes'])} boxes"
            print(f"{done}/{len(missing)} {name} {what}, {time.time() - begin:.0f} s", flush=True)
    return manifest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FIRE, help="where the set lies (default: %(default)s)")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the pictures to make")
    parser.add_argument("--force", action="store_true", help="make pictures again that are there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: %(default)s)")
    options = parser.parse_args()
    for step in ("bake.py", "plates.py", "backdrops.py"):  # each in a process of its own: Blender may take its down
        subprocess.run([sys.executable, Path(__file__).with_name(step)], check=True)
    entries = [e for e in kinds.plan() if not options.only or e["number"] in options.only]
    compose_all(entries, options.out, options.jobs, options.force)
    return int(check.report(options.out) > 0)


if __name__ == "__main__":
    sys.exit(main())
