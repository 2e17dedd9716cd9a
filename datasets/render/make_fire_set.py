"""Make the fire set: 100 rendered pictures with exact labels, 80 to train on and 20 to validate with.

    python datasets/render/make_fire_set.py [--hdri FOLDER] [--out FOLDER] [--only N ...] [--force]

A picture that is already there and was made by the same recipe is left alone, so an interrupted run continues.
Each picture depends on its number only. Training and validation share neither backdrops nor flame shapes.
"""

import argparse
import hashlib
import json
import math
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import flame
import numpy as np
import scene

HERE = Path(__file__).resolve().parent
VERSION = 1  # raise it when the code makes other pictures: all are then made again
LONG_SIDE = 640
QUALITY = 86
TRIES = 30

# Where a fire may stand in each panorama: azimuths (degrees), metres to the nearest and farthest fire and to
# what closes the view, and the light that suits it. `lights`: where suns, lamps and warm walls look like fire.
BACKDROPS = {
    "city": dict(azimuths=[(0, 360)], near=3, far=10, wall=11, moods=["day", "dusk", "night"], lights=[(0, 360)]),
    "forest": dict(
        azimuths=[(50, 185)],
        near=2.5,
        far=9,
        wall=14,
        moods=["day", "dusk", "night", "day"],
        lights=[(195, 235)],
    ),
    "sunset": dict(
        azimuths=[(0, 70), (310, 360)], near=3, far=25, wall=50, moods=["dusk", "day", "night"], lights=[(190, 240)]
    ),
    "night": dict(
        azimuths=[(0, 360)], near=3, far=28, wall=40, moods=["night"], lights=[(25, 45), (95, 120), (215, 240)]
    ),
    "studio": dict(
        azimuths=[(0, 35), (125, 215), (300, 360)],
        near=1.2,
        far=1.6,
        wall=1.8,
        moods=["dark"],
        lights=[(50, 60), (245, 255)],
    ),
    "interior": dict(
        azimuths=[(20, 42), (196, 212), (335, 348)],
        near=1.3,
        far=1.7,
        wall=2.0,
        moods=["indoor", "dark"],
        lights=[(75, 95), (150, 170), (325, 340)],
    ),
    "courtyard": dict(
        azimuths=[(95, 215)], near=2.5, far=9, wall=11, moods=["dusk", "night", "day"], lights=[(20, 60)]
    ),
    "sunrise": dict(
        azimuths=[(0, 190), (255, 360)], near=3, far=30, wall=50, moods=["day", "dusk", "night"], lights=[(205, 235)]
    ),
}
# key: brightness of the backdrop; stops: of the flame; glow: share of its light that reaches the surroundings.
MOODS = {
    "day": dict(key=0.13, stops=(1.4, 1.9), glow=0.12, night=0.0, tint=(1, 1, 1), noise=0.008, bloom=0.05),
    "dusk": dict(key=0.06, stops=(1.6, 2.2), glow=1.2, night=0.4, tint=(0.9, 0.95, 1.1), noise=0.015, bloom=0.07),
    "night": dict(key=0.032, stops=(2.2, 3.1), glow=2.5, night=1.0, tint=(0.8, 0.92, 1.15), noise=0.028, bloom=0.10),
    "indoor": dict(key=0.10, stops=(1.4, 2.0), glow=0.6, night=0.0, tint=(1, 1, 1), noise=0.012, bloom=0.06),
    "dark": dict(key=0.04, stops=(1.8, 2.4), glow=1.8, night=0.5, tint=(0.95, 0.95, 1.05), noise=0.022, bloom=0.09),
}
SPLITS = {
    "train": dict(
        backdrops=["city", "forest", "sunset", "night", "studio", "interior"],
        frames=lambda bake, frame: frame <= (27 if bake == "d" else 37),
        kinds=dict(far=15, campfire=10, group=9, close=9, line=8, smoke=7, drum=6, plain=6, lamps=4, cones=3, steam=3),
    ),
    "val": dict(
        backdrops=["courtyard", "sunrise"],
        frames=lambda bake, frame: frame >= (33 if bake == "d" else 43),
        kinds=dict(far=4, campfire=3, group=2, close=2, line=2, smoke=2, drum=1, plain=1, lamps=1, cones=1, steam=1),
    ),
}
SHAPES = [(4, 3), (16, 9), (3, 4), (4, 3), (1, 1), (3, 2), (4, 3)]


@dataclass
class Plume:
    """One baked frame, placed."""

    foot: np.ndarray
    height: float  # metres, of the visible flame
    smoke: float = 1.0
    width: float = 1.0  # stretch sideways
    flame: float = 1.0
    lean: float = 0.0


@dataclass
class Fire:
    """What one box is drawn around."""

    plumes: list
    things: list = field(default_factory=list)
    smoke: tuple = (0.3, 0.3, 0.3)  # colour of its smoke


def plan():
    """One entry per picture, the same on every machine."""
    entries = []
    for split, rules in SPLITS.items():
        kinds = [kind for kind, count in rules["kinds"].items() for _ in range(count)]
        order = np.random.default_rng(7).permutation(len(kinds))
        moods = {name: 0 for name in rules["backdrops"]}
        plain = reversed(rules["backdrops"])
        for n, k in enumerate(order):
            kind = kinds[k]
            wide = kind in ("far", "line", "smoke", "group", "drum", "lamps")  # these need room
            names = [b for b in rules["backdrops"] if not wide or BACKDROPS[b]["far"] >= 9]
            backdrop = min(names, key=lambda name: (moods[name], names.index(name)))
            choice = BACKDROPS[backdrop]["moods"]
            mood = choice[moods[backdrop] % len(choice)]
            moods[backdrop] += 1
            if kind == "plain":  # each backdrop's own lights once, in its usual light
                backdrop = next(plain)
                mood = BACKDROPS[backdrop]["moods"][0]
            shape = SHAPES[n % len(SHAPES)]
            entries.append(dict(number=len(entries), split=split, kind=kind, backdrop=backdrop, mood=mood, shape=shape))
    return entries


class Stage:
    """What one composition draws from: its random stream, its place, and the camera once it looks somewhere."""

    def __init__(self, rng, place, shape):
        self.rng, self.place, self.shape = rng, place, shape
        self.near, self.far = place["near"], place["far"]
        self.wind = rng.uniform(-0.25, 0.25)
        self.camera = None

    def look(self, row, distance, views="azimuths", fov=(58, 80)):
        """Set up the camera so that the ground at `distance` appears in the picture's row (0 top, 1 bottom)."""
        width, height = (round(LONG_SIDE * side / max(self.shape)) for side in self.shape)
        azimuth = self.rng.uniform(*self.rng.choice(self.place[views]))
        fov, eye = self.rng.uniform(*fov), self.rng.uniform(1.3, 1.8)
        focal = scene.focal_length(max(width, height), fov)
        tilt = math.degrees(math.atan((row - 0.5) * height / focal) - math.atan(eye / distance))
        self.camera = scene.Camera(azimuth, float(np.clip(tilt, -32, 10)), fov, width, height, eye)

    def look_near(self):
        """Look at something in the middle distance: how far it is, and in which column (0 left, 1 right)."""
        distance = self.rng.uniform(self.near, min(self.far, 1.8 * self.near))
        self.look(self.rng.uniform(0.62, 0.88), distance)
        return distance, self.rng.uniform(0.3, 0.7)

    def foot(self, distance, column):
        """The point on the ground at `distance` that appears in the picture's column."""
        sideways = (column - 0.5) * self.camera.width / self.camera.focal * distance
        return distance * self.camera.ahead + sideways * self.camera.right

    def plume(self, pixels, distance, column, smoke=1.0, width=(0.85, 1.5), raised=0.0):
        """A flame that appears `pixels` high."""
        lean = self.wind + self.rng.uniform(-0.05, 0.05)
        foot = self.foot(distance, column) + [0, 0, raised]
        return Plume(foot, pixels * distance / self.camera.focal, smoke, self.rng.uniform(*width), lean=lean)

    def logs(self, plume):
        """A small heap of firewood under a flame."""
        radius, turn = 0.43 * plume.height, self.rng.uniform(0, 2 * math.pi)
        heap = []
        for n in range(5):
            at = plume.foot + [*self.rng.normal(0, 0.15 * radius, 2), radius * (0.12 + 0.1 * (n % 3))]
            thick, long = radius * self.rng.uniform(0.09, 0.15), radius * self.rng.uniform(1.3, 2.0)
            size = thick, long, turn + 1.1 * n, self.rng.uniform(-0.15, 0.25)
            heap.append(scene.Thing("log", at, size, (0.10, 0.065, 0.04), rough=0.5))
        return heap


# One function per kind of scene. Each points the stage's camera and returns fires and other things.


def far(stage):
    """One to four small fires, far away."""
    rng = stage.rng
    distance = rng.uniform(0.5 * stage.far, stage.far)
    stage.look(rng.uniform(0.52, 0.78), distance)
    columns = rng.permutation(np.linspace(0.12, 0.88, 5))[: rng.integers(1, 5)]
    return [Fire([stage.plume(rng.uniform(14, 52), distance * rng.uniform(0.8, 1.2), c, 1.5)]) for c in columns], []


def group(stage):
    """Two or three fires of different size."""
    rng = stage.rng
    distance = rng.uniform(stage.near, (stage.near + stage.far) / 2)
    stage.look(rng.uniform(0.62, 0.88), distance)
    fires = []
    for column in rng.permutation([0.2, 0.5, 0.8])[: rng.integers(2, 4)]:
        column += rng.uniform(-0.05, 0.05)
        plume = stage.plume(rng.uniform(60, 190), distance * rng.uniform(1, 1.6), column, 2)
        fires.append(Fire([plume], stage.logs(plume)))
    return fires, []


def line(stage):
    """Flames in a row that burn into each other: one fire."""
    rng = stage.rng
    distance = rng.uniform(0.7 * stage.near + 0.3 * stage.far, stage.far)
    stage.look(rng.uniform(0.57, 0.83), distance)
    pixels, start = rng.uniform(35, 90), rng.uniform(0.1, 0.35)
    columns = start + 0.4 * pixels / stage.camera.width * np.arange(rng.integers(5, 9))
    row = [stage.plume(pixels * rng.uniform(0.6, 1.3), distance * rng.uniform(0.96, 1.04), c, 2) for c in columns]
    return [Fire(row, smoke=(0.45, 0.45, 0.45))], []


def close(stage):
    """A fire that fills much of the picture; its foot may lie outside."""
    rng = stage.rng
    stage.look(rng.uniform(0.86, 1.02), stage.near, fov=(50, 66))
    pixels = rng.uniform(0.55, 0.95) * stage.camera.height
    return [Fire([stage.plume(pixels, stage.near, rng.uniform(0.3, 0.7), width=(1, 1.8))])], []


def campfire(stage):
    distance, column = stage.look_near()
    plume = stage.plume(stage.rng.uniform(90, 230), distance, column)
    return [Fire([plume], stage.logs(plume))], []


def smoke(stage):
    """One or two fires under heavy dark smoke."""
    rng = stage.rng
    distance, column = stage.look_near()
    spots = [(rng.uniform(60, 150), distance, column), (rng.uniform(40, 80), 1.3 * distance, column + 0.25)]
    grey = rng.uniform(0.06, 0.2)
    fires = []
    for spot in spots[: rng.integers(1, 3)]:
        p = stage.plume(*spot, smoke=6)
        p.lean += math.copysign(0.15, stage.wind)
        risen = Plume(p.foot + [0, 0, 0.3 * p.height], 2.6 * p.height, smoke=5, width=1.3, flame=0, lean=p.lean)
        fires.append(Fire([p, risen], smoke=(grey, grey, grey)))
    return fires, []


def drum(stage):
    """A fire in an oil drum."""
    rng = stage.rng
    distance, column = stage.look_near()
    radius, height = rng.uniform(0.28, 0.36), rng.uniform(0.6, 0.95)
    rust = tuple(rng.uniform(0.5, 1.2) * np.array([0.16, 0.09, 0.06]))
    body = scene.Thing("drum", stage.foot(distance, column), (radius, height), rust, rough=0.3)
    plume = stage.plume(rng.uniform(80, 190), distance, column, width=(1, 1), raised=height - 0.06)
    return [Fire([plume], [body])], []


def plain(stage):
    """No fire: what the backdrop itself has of suns, lamps and warm walls."""
    stage.look(stage.rng.uniform(0.62, 0.88), 6, views="lights")
    return [], []


def lamps(stage):
    """No fire, but warm lamps on posts."""
    rng = stage.rng
    distance, _ = stage.look_near()
    things = []
    for column in rng.permutation([0.15, 0.38, 0.62, 0.85])[: rng.integers(2, 5)]:
        foot = stage.foot(distance * rng.uniform(0.9, 1.8), column)
        top = foot + [0, 0, rng.uniform(0.5, 2.2)]
        warm = 1, rng.uniform(0.4, 0.75), 0.2
        things.append(scene.Thing("drum", foot, (0.03, top[2]), (0.03, 0.03, 0.03)))
        things.append(scene.Thing("sphere", top, (rng.uniform(0.06, 0.16),), warm, emission=rng.uniform(1, 4)))
    return [], things


def cones(stage):
    """No fire, but orange cones, balls and drums."""
    rng = stage.rng
    distance, _ = stage.look_near()
    things = []
    for column in rng.permutation([0.15, 0.32, 0.5, 0.68, 0.85])[: rng.integers(2, 5)]:
        foot = stage.foot(min(distance * rng.uniform(0.8, 1.5), 0.9 * stage.far), column)
        orange = rng.uniform(0.6, 0.9), rng.uniform(0.12, 0.25), 0.02
        radius, height = rng.uniform(0.14, 0.28), rng.uniform(0.5, 0.9)
        body = str(rng.choice(["cone", "cone", "sphere", "drum"]))
        at, size = (foot + [0, 0, radius], (radius,)) if body == "sphere" else (foot, (radius, height))
        things.append(scene.Thing(body, at, size, orange))
    return [], things


def steam(stage):
    """No fire, but steam in warm light."""
    distance, column = stage.look_near()
    cloud = stage.plume(stage.rng.uniform(80, 180), distance, column, smoke=3)
    cloud.flame = 0
    return [Fire([cloud], smoke=tuple(stage.rng.uniform(2, 4) * np.array([1, 0.72, 0.42])))], []


KINDS = {kind.__name__: kind for kind in (far, group, line, close, campfire, smoke, drum, plain, lamps, cones, steam)}


def furnish(entry, camera, fires, things, pixels, key, bright):
    """The scene before its flames are put in: scorched ground, bodies, and what the fires light up."""
    mood = MOODS[entry["mood"]]
    wall = BACKDROPS[entry["backdrop"]]["wall"]
    look = dict(key=key, wall=wall, night=mood["night"], tint=mood["tint"], seed=entry["number"])
    view = scene.Scene(pixels, camera, **look)
    tile = scene.grain(entry["number"] + 1000)
    burning = [p for f in fires for p in f.plumes if p.flame]
    for p in burning:
        if p.foot[2] == 0:
            view.scorch(p.foot, 0.35 * p.height * p.width, tile)
    for thing in [*things, *(t for f in fires for t in f.things)]:
        view.add(thing, tile)
    for p in burning:
        view.firelight(p.foot, p.height, mood["glow"] * bright / math.sqrt(len(burning)))
    return view


def burn(rng, plume, split, flames, camera, depth):
    """One plume as the camera sees it: a random frame of the split's flames, in the plume's size."""
    grids, sizes = flames
    shapes = [(bake, frame) for bake in grids for frame in grids[bake] if SPLITS[split]["frames"](bake, frame)]
    bake, frame = shapes[rng.integers(len(shapes))]
    tall = plume.height / 0.42  # the flame fills the lower part of the baked box
    x, y, z = sizes[bake]
    size = plume.width * tall * x / z, plume.width * tall * y / z, tall
    pixels = tall * camera.focal / np.hypot(*plume.foot[:2])
    factor = float(np.clip(1.1 * pixels / 64, 0.6, 2 if bake == "d" else 3))  # `d` is large: twice as fine is enough
    turn, seed = rng.uniform(0, 360), rng.integers(2**31)
    amounts = dict(smoke_amount=plume.smoke, flame_amount=plume.flame)
    volume = flame.refine(*grids[bake][frame], size, factor=factor, turn=turn, seed=seed, **amounts)
    return flame.march(volume, plume.foot, camera, depth, plume.lean)


def blend(view, fires, layers, bright):
    """Put the plumes in, the farthest first: (picture in linear light, the flame light that is seen of each fire)."""
    image = view.image
    sky = view.irradiance_at(np.array([[0, 0, 1.0]]))[0] / np.pi
    visible = np.zeros((len(fires), *image.shape[:2]), np.float32)
    for _, number, light in sorted(layers, key=lambda layer: -layer[0]):
        window = light.rows, light.cols
        peak = light.flame.max(-1)
        lit = peak[peak > 0.05 * peak.max()]
        level = bright / np.percentile(lit, 90) if lit.size else 0
        grey = np.float32(fires[number].smoke)
        image[window] *= light.through[..., None]
        image[window] += level * light.flame
        image[window] += light.ambient[..., None] * grey * sky
        image[window] += 0.3 * bright * light.glow[..., None] * grey * scene.FIRE_COLOUR
        visible[(slice(None), *window)] *= light.through
        visible[(number, *window)] += level * peak
    return image, visible


def find_boxes(image, visible, fires):
    """A box per burning fire, or None where one is too small, washed out by a bright backdrop, or inside another."""
    boxes = []
    for one, own in zip(fires, visible):
        if not any(p.flame for p in one.plumes):
            continue
        shining = own > 0.15
        mask = shining & (own > 0.4 * image.max(-1))
        box = flame.box_of(mask)
        if box is None or mask.sum() < 0.6 * shining.sum() or any(overlap(box, other) > 0.5 for other in boxes):
            return None
        boxes.append(box)
    return boxes


def develop(rng, entry, pixels, flames):
    """Draw and render one composition: (picture, boxes), or None where a fire cannot be boxed cleanly."""
    mood = MOODS[entry["mood"]]
    stage = Stage(rng, BACKDROPS[entry["backdrop"]], entry["shape"])
    fires, things = KINDS[entry["kind"]](stage)
    camera = stage.camera
    key, bright = mood["key"] * rng.uniform(0.8, 1.25), 2 ** rng.uniform(*mood["stops"])
    feet = [camera.project(p.foot) for f in fires for p in f.plumes if p.flame]
    if entry["kind"] != "close" and any(foot is None or foot[1] > 0.97 * camera.height for foot in feet):
        return None
    view = furnish(entry, camera, fires, things, pixels, key, bright)
    layers = []
    for number, one in enumerate(fires):
        for plume in one.plumes:
            light = burn(rng, plume, entry["split"], flames, camera, view.depth)
            if light is not None:
                layers.append((np.hypot(*plume.foot[:2]), number, light))
    image, visible = blend(view, fires, layers, bright)
    boxes = find_boxes(image, visible, fires)
    if boxes is None:
        return None
    blur, noise = int(rng.choice([0, 0, 0, 3])), mood["noise"] * rng.uniform(0.7, 1.4)
    contrast = rng.uniform(0.2, 0.4)
    return scene.photograph(image, rng, bloom=mood["bloom"], noise=noise, contrast=contrast, blur=blur), boxes


def overlap(a, b):
    """Share of the smaller box that lies in the other."""
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    area = min((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b))
    return max(w, 0) * max(h, 0) / area


def render(entry, panoramas, flames):
    """The picture of one plan entry and its boxes in pixels: the first composition whose fires can be boxed cleanly."""
    pixels = scene.panorama(panoramas[entry["backdrop"]])
    for attempt in range(TRIES):
        rng = np.random.default_rng([entry["number"], attempt])
        made = develop(rng, entry, pixels, flames)
        if made is not None:
            return made
    raise RuntimeError(f"No clean composition for {entry} in {TRIES} tries: widen its backdrop's range")


def label(boxes, width, height):
    """YOLO text: class, centre x, centre y, width, height, as shares of the picture."""
    lines = [
        f"0 {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f} {(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n"
        for x0, y0, x1, y1 in boxes
    ]
    return "".join(lines)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def table(manifest):
    """What the set holds, as the Markdown table of its data card."""
    rows = []
    for split in SPLITS:
        facts = [f for name, f in manifest.items() if name.startswith(split)]
        shares = [(x1 - x0) * (y1 - y0) / math.prod(f["size"]) for f in facts for x0, y0, x1, y1 in f["boxes"]]
        moods = [sum(f["mood"] in pair for f in facts) for pair in (("day", "indoor"), ("dusk", "dark"), ("night",))]
        empty = sum(not f["boxes"] for f in facts)
        small, large = sum(s < 0.01 for s in shares), sum(s > 0.25 for s in shares)
        rows.append([split, len(facts), empty, len(shares), small, large, *moods])
    head = "split, pictures, without fire, boxes, under 1 % of the picture, over 25 %, bright, dim, night".split(", ")
    rows = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hdri", help="folder with the .exr panoramas; default: those inside an installed bpy")
    parser.add_argument(
        "--out", type=Path, default=HERE.parent / "fire", help="where the set lies (default: %(default)s)"
    )
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the pictures to make")
    parser.add_argument("--force", action="store_true", help="make pictures again that are there")
    options = parser.parse_args()

    path = options.out / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {}
    flames = panoramas = None
    begin, entries = time.time(), plan()
    for entry in entries:
        image = options.out / entry["split"] / "images" / f"fire_{entry['number']:03}.jpg"
        text = options.out / entry["split"] / "labels" / f"fire_{entry['number']:03}.txt"
        name = image.relative_to(options.out).as_posix()
        recipe = digest(json.dumps([VERSION, entry]).encode())[:16]
        known = manifest.get(name, {})
        there = text.exists() and image.exists() and known.get("sha256") == digest(image.read_bytes())
        if (options.only and entry["number"] not in options.only) or (
            there and known.get("recipe") == recipe and not options.force
        ):
            continue
        if flames is None:
            flames, panoramas = flame.load(), scene.find_panoramas(options.hdri)
        picture, boxes = render(entry, panoramas, flames)
        data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
        for file, content in ((image, data), (text, label(boxes, *picture.shape[1::-1]).encode())):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        facts = {key: entry[key] for key in ("kind", "backdrop", "mood")}
        manifest[name] = dict(sha256=digest(data), recipe=recipe, size=picture.shape[1::-1], boxes=boxes, **facts)
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(manifest[key])}" for key in sorted(manifest))
        path.write_text("{\n" + lines + "\n}\n")
        what = f"{entry['kind']}, {entry['backdrop']}, {entry['mood']}: {len(boxes)} boxes"
        print(f"{entry['number'] + 1}/{len(entries)} {name} {what}, {time.time() - begin:.0f} s", flush=True)
    print(f"{len(entries)} pictures in {options.out}; its card should say\n{table(manifest)}")


if __name__ == "__main__":
    sys.exit(main())
