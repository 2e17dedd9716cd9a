"""Panoramas that stand behind a fire: whose they are, and where a fire may stand in them.

    python datasets/render/backdrops.py

fetches those that do not come with Blender into `datasets/render/backdrops/` (git ignores that folder).
"""

import base64
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

FOLDER = Path(__file__).with_name("backdrops")

# All are by Poly Haven (Blender's by Greg Zaal), CC0. viser's wheel is MIT and silent about its pictures; each is, at twice
# the resolution, one of those that @pmndrs/assets gives under CC0 (`same`; correlation over 0.98).
PACKAGES = {
    "bpy": dict(version="5.0.1", inside="datafiles/studiolights/world"),
    "viser": dict(tool="pip", version="1.0.0", inside="viser/client/build/hdri"),
    "@pmndrs/assets": dict(tool="npm", version="1.7.0", inside="package/hdri"),
}
BLENDER = dict(package="bpy", soft=False)
SHARP = dict(package="viser", soft=False)
SOFT = dict(package="@pmndrs/assets", soft=True)  # 512 x 256: fit for what lies out of focus, behind a fire close by

# Azimuths in degrees from the left edge to the right, where a fire may stand; metres to the nearest and farthest fire
# and to what closes the view; the light that suits it. `lights`: where suns, lamps and warm walls look like fire.
PANORAMAS = {
    "city": BLENDER
    | dict(split="train", shows="car park on a roof, towers", azimuths=[(0, 360)], near=3, far=10, wall=11,
           moods=["day", "grey", "dusk", "night"], lights=[(0, 360)]),
    "forest": BLENDER
    | dict(split="train", shows="path in a Japanese garden", azimuths=[(50, 185)], near=2.5, far=9, wall=14,
           moods=["day", "grey", "dusk", "night"], lights=[(195, 235)]),
    "sunset": BLENDER
    | dict(split="train", shows="paved square in Venice, low sun", azimuths=[(0, 70), (310, 360)], near=3, far=25,
           wall=50, moods=["dusk", "day", "grey", "night"], lights=[(190, 240)]),
    "night": BLENDER
    | dict(split="train", shows="golf course at night, lamps", azimuths=[(0, 360)], near=3, far=28, wall=40,
           moods=["night"], lights=[(25, 45), (95, 120), (215, 240)]),
    "studio": BLENDER
    | dict(split="train", shows="photo studio, lamps", azimuths=[(0, 35), (125, 215), (300, 360)], near=1.2, far=1.6,
           wall=1.8, moods=["dark", "black"], lights=[(50, 60), (245, 255)]),
    "interior": BLENDER
    | dict(split="train", shows="hotel room", azimuths=[(20, 42), (196, 212), (335, 348)], near=1.3, far=1.7, wall=2.0,
           moods=["indoor", "dark"], lights=[(75, 95), (150, 170), (325, 340)]),
    "courtyard": BLENDER
    | dict(split="val", shows="courtyard of an old house", azimuths=[(95, 215)], near=2.5, far=9, wall=11,
           moods=["dusk", "night", "day", "black"], lights=[(20, 60)]),
    "sunrise": BLENDER
    | dict(split="val", shows="field at sunrise", azimuths=[(0, 190), (255, 360)], near=3, far=30, wall=50,
           moods=["day", "grey", "dusk", "night"], lights=[(205, 235)]),
    "warehouse": SHARP
    | dict(
        path="empty_warehouse_01_1k.hdr",
        same="warehouse",
        split="train",
        shows="empty storage hall, concrete floor, strip lights, pillars",
        azimuths=[(195, 284), (297, 328)],
        near=2.5,
        far=12,
        wall=17,
        moods=["indoor", "dark"],
        lights=[(180, 290)],
    ),
    "park": SHARP
    | dict(
        path="rooitou_park_1k.hdr",
        same="park",
        split="train",
        shows="wide lawn, low sun, trees and houses far away",
        azimuths=[(0, 360)],
        near=3,
        far=35,
        wall=80,
        moods=["day", "grey", "dusk", "night"],
        lights=[(180, 250)],
    ),
    "woods": SHARP
    | dict(
        path="forest_slope_1k.hdr",
        same="forest",
        split="train",
        shows="sunlit forest floor with needles, moss, rocks and trunks",
        azimuths=[(55, 205), (215, 300)],
        near=2,
        far=4.5,
        wall=8,
        moods=["day", "grey", "dusk", "night"],
        lights=[(0, 40), (225, 345)],
    ),
    "museum": SHARP
    | dict(
        path="st_fagans_interior_1k.hdr",
        same="lobby",
        split="train",
        shows="entrance hall, wooden floor, ceiling lamps, red benches",
        azimuths=[(218, 290)],
        near=2,
        far=6,
        wall=9,
        moods=["indoor", "dark"],
        lights=[(45, 110), (150, 215), (315, 345)],
    ),
    "dawn": SHARP
    | dict(
        path="kiara_1_dawn_1k.hdr",
        same="dawn",
        split="val",
        shows="bare rock above a valley, hills, glowing sky",
        azimuths=[(0, 120), (310, 360)],
        near=2.2,
        far=4.5,
        wall=50,
        moods=["dusk", "night"],
        lights=[(150, 270)],
    ),
    "flat": SHARP
    | dict(
        path="lebombo_1k.hdr",
        same="apartment",
        split="val",
        shows="empty living room, wooden floor, window, wall lamps, patch of sun",
        azimuths=[(62, 108), (165, 195), (285, 340)],
        near=1.5,
        far=2.3,
        wall=2.7,
        moods=["indoor", "dark"],
        lights=[(135, 150), (175, 195), (240, 330)],
    ),
    "workshop": SOFT
    | dict(
        path="workshop.exr.js",
        split="train",
        shows="factory hall, green lanes, yellow screens, orange cranes",
        azimuths=[(35, 50), (125, 140), (195, 235), (300, 330)],
        near=2.5,
        far=8,
        wall=12,
        moods=["indoor", "dark"],
        lights=[(0, 15), (195, 255), (345, 360)],
    ),
    "bridge": SOFT
    | dict(
        path="bridge.exr.js",
        split="train",
        shows="glazed footbridge between buildings",
        azimuths=[(35, 55), (215, 235)],
        near=2,
        far=10,
        wall=25,
        moods=["indoor", "dark"],
        lights=[(38, 52), (218, 232)],
    ),
    "arcade": SOFT
    | dict(
        path="esplanade.exr.js",
        split="train",
        shows="shopping arcade, many warm lamps, a lit sign",
        azimuths=[(100, 150), (185, 225)],
        near=2,
        far=6,
        wall=9,
        moods=["indoor", "dark"],
        lights=[(0, 360)],
    ),
    "ballroom": SOFT
    | dict(
        path="hall.exr.js",
        split="train",
        shows="large empty hall, parquet, chandeliers, black ceiling",
        azimuths=[(0, 360)],
        near=2.5,
        far=11,
        wall=14,
        moods=["indoor", "dark"],
        lights=[(0, 360)],
    ),
    "quay": SOFT  # Venice, like Blender's `sunset`: same split
    | dict(
        path="venice.exr.js",
        split="train",
        shows="paved waterfront, brick house, trees, evening sky",
        azimuths=[(0, 150)],
        near=3,
        far=30,
        wall=45,
        moods=["dusk", "night", "day"],
        lights=[(110, 200)],
    ),
    "piazza": SOFT
    | dict(
        path="sunset.exr.js",
        split="train",
        shows="paved city square, palace, tower, low sun over water",
        azimuths=[(25, 120), (155, 295)],
        near=3,
        far=16,
        wall=22,
        moods=["dusk", "day", "grey", "night"],
        lights=[(185, 250), (290, 310)],
    ),
    "lab": SOFT
    | dict(
        path="lab.exr.js",
        split="val",
        shows="old machine hall, green walls, motors, wooden desks, lamps",
        azimuths=[(85, 105), (250, 280)],
        near=2,
        far=5,
        wall=7,
        moods=["indoor", "dark"],
        lights=[(30, 240)],
    ),
}  # fmt: skip


def run(*command, folder):
    """Run a package client in `folder`."""
    if shutil.which(command[0]) is None:
        raise SystemExit(f"{command[0]} is missing: it is needed to fetch backdrops, please install it")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"`{' '.join(command)}` failed:\n{done.stderr.strip()[-800:]}")


def download(package, folder):
    """Download a package and unpack it into `folder`."""
    tool, version = PACKAGES[package]["tool"], PACKAGES[package]["version"]
    if tool == "pip":
        run(sys.executable, "-m", "pip", "download", "--no-deps", f"{package}=={version}", folder=folder)
        shutil.unpack_archive(next(folder.glob("*.whl")), folder, "zip")
    else:
        run("npm", "pack", f"{package}@{version}", folder=folder)
        shutil.unpack_archive(next(folder.glob("*.tgz")), folder, "gztar", filter="data")


def heal(light):
    """Fill the pixels below zero, rings around lamps that some panoramas were shrunk with, from those around them."""
    good = (light.min(-1) > 0).astype(np.float32)[..., None]
    logs = good * np.log(np.maximum(light, 1e-4))
    share = cv2.blur(good, (7, 7))[..., None]
    filled = np.exp(cv2.blur(logs, (7, 7)) / np.maximum(share, 1e-3))
    return np.where(good > 0, light, filled)


def read(source):
    """A panorama as a package holds it, (H, W, 3) RGB in linear light."""
    if source.suffix == ".hdr":
        return cv2.imread(str(source), cv2.IMREAD_UNCHANGED)[..., ::-1]
    packed = re.search(r"base64,([\w+/=]+)", source.read_text())[1]  # export default 'data:application/exr;base64,...'
    source.with_suffix("").write_bytes(base64.b64decode(packed))
    return read_exr(source.with_suffix(""))


def read_exr(path):
    """An OpenEXR picture, (H, W, 3) RGB in linear light."""
    try:
        import OpenEXR
    except ImportError as error:
        raise SystemExit("The panoramas are OpenEXR files: pip install OpenEXR") from error
    with OpenEXR.File(str(path)) as file:
        return file.channels()["RGB"].pixels.astype(np.float32)


def fetch():
    """Put the panoramas that do not come with Blender into FOLDER, as arrays. Those already there stay."""
    FOLDER.mkdir(exist_ok=True)
    for package, facts in PACKAGES.items():
        missing = [
            name for name, place in PANORAMAS.items() if place["package"] == package and not path_of(name).exists()
        ]
        if package == "bpy" or not missing:
            continue
        with tempfile.TemporaryDirectory() as unpacked:
            download(package, Path(unpacked))
            for name in missing:
                light = heal(read(Path(unpacked) / facts["inside"] / PANORAMAS[name]["path"]))
                np.save(path_of(name), np.clip(light, 0, 65504).astype(np.float16))
        print(f"{package} {facts['version']}: {', '.join(missing)}")


def path_of(name):
    """Where a panorama lies."""
    if PANORAMAS[name]["package"] != "bpy":
        return FOLDER / f"{name}.npy"
    found = importlib.util.find_spec("bpy")
    if found is None:
        raise SystemExit("No Blender module: the fire set is made with Python 3.11 after `pip install bpy==5.0.1`")
    return next(Path(found.origin).parent.glob(f"*/{PACKAGES['bpy']['inside']}/{name}.exr"))


def load(name):
    """A panorama in linear light, (H, W, 3) RGB: azimuth runs to the right, the middle row is the horizon."""
    path = path_of(name)
    if not path.exists():
        raise SystemExit(f"The panorama '{name}' is missing: python datasets/render/backdrops.py")
    pixels = np.load(path).astype(np.float32) if path.suffix == ".npy" else read_exr(path)
    return np.maximum(pixels, 1e-4)


if __name__ == "__main__":
    fetch()
