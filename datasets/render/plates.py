"""Render the places that fires burn in: one file per plate, without fire, with the depth of every pixel.

    python datasets/render/plates.py [--only NAME ...] [--force]

A plate that is there and was made by the same recipe is left alone. Needs `bpy`; the table can be read without it.
"""

import argparse
import importlib.util
import json
import time
from dataclasses import asdict
from pathlib import Path

import blender
import numpy as np
import sets_built
import sets_indoor
import sets_nature

FOLDER = Path(__file__).with_name("plates")
SAMPLES = dict(sets_built=10, sets_nature=5, sets_indoor=6)  # leaves and rooms cost more a sample
PLATES = sets_built.PLATES | sets_nature.PLATES | sets_indoor.PLATES


def is_fresh(name):
    path = FOLDER / f"{name}.npz"
    if not path.exists():
        return False
    with np.load(path) as file:
        return json.loads(str(file["meta"]))["recipe"] == PLATES[name].digest()


def render(name):
    """Build and render one plate, and write its file."""
    plate = PLATES[name]
    blender.reset(SAMPLES[plate.build.__module__])
    shot = plate.build(np.random.default_rng(plate.seed), **plate.options)
    arrays = blender.render(shot.camera)
    if shot.haze:
        arrays["image"] = blender.hazy(arrays["image"], arrays["depth"], *shot.haze)
    camera = {key: getattr(shot.camera, key) for key in ("azimuth", "elevation", "fov", "width", "height", "eye")}
    meta = dict(recipe=plate.digest(), split=plate.split, set=plate.build.__name__, camera=camera)
    meta |= {key: value for key, value in asdict(shot).items() if key in ("indoor", "lamp", "moods", "anchors")}
    small = {key: value if value.dtype == bool else value.astype(np.float16) for key, value in arrays.items()}
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(
        FOLDER / f"{name}.npz", meta=json.dumps(meta, default=lambda a: np.asarray(a).tolist()), **small
    )


def render_all(names=tuple(PLATES), force=False):
    """Render the plates that are missing or were made by another recipe."""
    missing = [name for name in names if force or not is_fresh(name)]
    if missing and importlib.util.find_spec("bpy") is None:
        raise SystemExit("No Blender module: places are rendered with Python 3.11 after `pip install bpy==5.0.1`")
    for number, name in enumerate(missing, 1):
        begin = time.process_time()
        render(name)
        print(f"{number}/{len(missing)} {name}, {time.process_time() - begin:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=PLATES, default=list(PLATES), metavar="NAME", help="names of plates"
    )
    parser.add_argument("--force", action="store_true", help="render plates again that are there")
    options = parser.parse_args()
    render_all(options.only, options.force)


if __name__ == "__main__":
    main()
