"""Compose one picture: backdrop, things, flames and smoke, camera; and a box around each fire's own light."""

import json
import math
from functools import cache

import backdrops
import bake
import check
import cv2
import flame
import kinds
import masks
import numpy as np
import plates
import scene

TRIES = 30
SEEN = 0.15  # flame light at least this share of white belongs to a fire ...
SHARE = 0.4  # ... where it is this share of all light in the pixel
FACING = {"line", "wall", "window", "vehicle", "drift"}  # shapes that have a front

# key: brightness of the backdrop; stops: of the flame; glow: share of its light that reaches the surroundings.
MOODS = {
    "day": dict(key=0.14, stops=(0.7, 2.4), glow=0.12, night=0.0, tint=(1, 1, 1), noise=0.008, bloom=0.05),
    "grey": dict(key=0.17, stops=(0.7, 2.0), glow=0.12, night=0.0, tint=(1, 1, 1.03), noise=0.010, bloom=0.05),
    "dusk": dict(key=0.06, stops=(1.0, 2.6), glow=1.2, night=0.4, tint=(0.9, 0.95, 1.1), noise=0.015, bloom=0.08),
    "night": dict(key=0.035, stops=(1.4, 3.3), glow=2.5, night=1.0, tint=(0.8, 0.92, 1.15), noise=0.025, bloom=0.12),
    "indoor": dict(key=0.10, stops=(0.9, 2.4), glow=0.6, night=0.0, tint=(1, 1, 1), noise=0.012, bloom=0.06),
    "dark": dict(key=0.03, stops=(1.2, 2.8), glow=1.8, night=0.5, tint=(0.95, 0.95, 1.05), noise=0.022, bloom=0.09),
    "black": dict(key=0.004, stops=(1.0, 2.8), glow=1.2, night=1.0, tint=(0.9, 0.95, 1.1), noise=0.012, bloom=0.09),
}


@cache
def load_plate(name):
    """A plate's arrays, and its `meta` as a dict."""
    with np.load(plates.FOLDER / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return arrays | {"meta": json.loads(str(arrays["meta"]))}


load_panorama = cache(backdrops.load)


def set_stage(rng, entry):
    """Point the camera: (view without flames, fires, things, facts: what there is and in which light)."""
    if entry["source"] == "plate":
        arrays = load_plate(entry["backdrop"])
        meta = arrays["meta"]
        stage = kinds.Set(rng, arrays, entry["shape"])
        kind, fires = stage.burn() if entry["kind"] == "fire" and stage.anchors else stage.rest()
        usual = ["indoor", "indoor", "dark"] if meta["indoor"] else ["day", "day", "grey", "grey", "dusk", "night"]
        things, mood = [], rng.choice(meta["moods"] or usual)
    else:
        place = backdrops.PANORAMAS[entry["backdrop"]]
        stage = kinds.Place(rng, place, entry["shape"])
        kind, mood = entry["kind"], rng.choice(place["moods"])
        fires, things = kinds.KINDS[kind](stage)
    how = MOODS[mood]
    key = how["key"] * 2 ** rng.uniform(-0.6, 0.6)
    look = dict(key=key, night=how["night"], tint=np.float32(how["tint"]) * rng.uniform(0.93, 1.07, 3))
    if entry["source"] == "plate":
        view = scene.Plate(arrays, stage.camera, stage.left, stage.top, **look)
    else:
        pixels = load_panorama(entry["backdrop"])
        view = scene.Panorama(pixels, stage.camera, wall=place["wall"], seed=entry["number"], **look)
    if mood in ("day", "grey", "dusk", "night") and rng.random() < 0.35:
        lit = fires and mood in ("dusk", "night")  # smoke in the air takes the colour of the fire
        colour = scene.FIRE_COLOUR * rng.uniform(1, 4) if lit else np.ones(3) * rng.uniform(1, 2.5)
        view.haze(rng.uniform(0.1, 0.6), key * colour)
    soft = entry["source"] == "panorama" and place["soft"]
    if soft or kind in (*kinds.NEAR, "candle") and rng.random() < 0.5:  # the flame is in focus
        view.image = cv2.GaussianBlur(view.image, (0, 0), rng.uniform(2, 8))
    return view, fires, things, dict(kind=kind, mood=str(mood))


def furnish(view, fires, things, glow, seed):
    """What fires do to their surroundings: scorched ground, light on everything; and the bodies they burn on."""
    tile = scene.grain(seed)
    burning = [(f, p) for f in fires for p in f.plumes if p.flame]
    for one, plume in burning:
        if one.scorch:
            view.scorch(plume.foot, 0.35 * plume.height * plume.width, tile)
    for thing in [*things, *(t for f in fires for t in f.things)]:
        view.add(thing, tile)
    for _, plume in burning:
        view.firelight(plume.foot, plume.height, glow / math.sqrt(len(burning)))


def bakes_of(family, split):
    """Names of the fires of one shape that a split may show."""
    return sorted(name for name, recipe in bake.BAKES.items() if (recipe.family, recipe.split) == (family, split))


def burn(rng, plume, split, flames, view):
    """One plume as the camera sees it: (a random frame of the split's flames in the plume's size, the bake's name)."""
    grids, sizes = flames
    names = bakes_of(plume.family, split)
    name = names[rng.integers(len(names))]
    frames = sorted(grids[name])
    fire, smoke = grids[name][frames[rng.integers(len(frames))]]
    x, y, z = sizes[name]
    tall = plume.height / flame.extent(fire if plume.flame else smoke)[2]
    size = plume.width * tall * x / z, plume.width * tall * y / z, tall
    pixels = tall * view.camera.focal / np.linalg.norm(plume.foot - view.camera.position)
    factor = float(np.clip(pixels / len(fire), 0.6, 5))
    turn = rng.uniform(-15, 15) if plume.family in FACING else rng.uniform(0, 360)
    amounts = dict(smoke_amount=plume.smoke, flame_amount=plume.flame)
    volume = flame.refine(fire, smoke, size, factor=factor, turn=turn, seed=rng.integers(2**31), **amounts)
    return flame.march(volume, plume.foot, view.camera, view.depth, plume.lean), name


def glow(fire, camera):
    """How much of its fire's light reaches the smoke, over the picture: 1 in the flame, less with the distance."""
    flames = [p for p in fire.plumes if p.flame]
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    total = np.zeros_like(x)
    for plume in flames:
        u, v = camera.project(plume.foot + [0, 0, 0.6 * plume.height])
        size = plume.height * camera.focal / np.linalg.norm(plume.foot - camera.position)
        total += 1 / (1 + ((x - u) ** 2 + (y - v) ** 2) / size**2)
    return total[..., None] / max(1, len(flames)) * scene.FIRE_COLOUR


def blend(view, fires, layers, bright, hue):
    """Put the plumes in, the farthest first: (picture in linear light, the flame light that is seen of each fire)."""
    image = view.image
    sky = view.irradiance_at(np.array([[0, 0, 1.0]]))[0] / np.pi
    light_of = [sky + 0.25 * bright * glow(fire, view.camera) for fire in fires]
    visible = np.zeros((len(fires), *image.shape[:2]), np.float32)
    for _, number, light in sorted(layers, key=lambda layer: -layer[0]):
        window = light.rows, light.cols
        peak = light.flame.max(-1)
        lit = peak[peak > 0.05 * peak.max()]
        level = bright / np.percentile(lit, 90) if lit.size else 0
        grey = np.float32(fires[number].smoke)
        image[window] *= light.through[..., None]
        image[window] += level * light.flame * hue
        image[window] += light.ambient[..., None] * grey * light_of[number][window]
        image[window] += 0.3 * bright * light.glow[..., None] * grey * scene.FIRE_COLOUR
        visible[(slice(None), *window)] *= light.through
        visible[(number, *window)] += level * peak
    return image, visible


def without_sparks(mask):
    """A fire's mask without stray pieces that are under 1 % of its largest one."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA]
    if count == 1:
        return mask
    keep = areas >= max(2, 0.01 * areas[1:].max())
    keep[0] = False
    return keep[pieces]


def find_fires(image, visible, fires):
    """(boxes, masks) of the burning fires, or None where one is too small, washed out, or inside another's box."""
    boxes, found = [], []
    for one, own in zip(fires, visible):
        if not any(p.flame for p in one.plumes):
            continue
        shining = own > SEEN
        mask = without_sparks(shining & (own > SHARE * image.max(-1)))
        box = bounds(mask)
        if box is None or mask.sum() < 0.6 * shining.sum():
            return None
        if any(max(check.inside(box, other), check.inside(other, box)) > 0.5 for other in boxes):
            return None
        boxes.append(box)
        found.append(mask)
    return boxes, found


def bounds(mask, smallest=8):
    """The box (x0, y0, x1, y1) around a mask; None if a side is under `smallest` pixels."""
    if not mask.any():
        return None
    ys, xs = np.nonzero(mask)
    box = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    return box if min(box[2] - box[0], box[3] - box[1]) >= smallest else None


def draw(rng, entry, flames):
    """Draw one composition: (picture, facts for the manifest), or None where a fire cannot be boxed cleanly."""
    view, fires, things, facts = set_stage(rng, entry)
    mood, camera = MOODS[facts["mood"]], view.camera
    bright = 2 ** rng.uniform(*mood["stops"])
    feet = [camera.project(p.foot) for f in fires for p in f.plumes if p.flame]
    inside = [f is not None and -0.1 < f[0] / camera.width < 1.1 and 0 < f[1] / camera.height < 1 for f in feet]
    if facts["kind"] != "close" and not all(inside):
        return None
    furnish(view, fires, things, mood["glow"] * bright, entry["number"] + 1000)
    layers, bakes = [], set()
    for number, one in enumerate(fires):
        for plume in one.plumes:
            light, bake = burn(rng, plume, entry["split"], flames, view)
            if light is not None:
                layers.append((np.hypot(*plume.foot[:2]), number, light))
                bakes.add(bake)
    hue = np.float32([1, rng.uniform(0.75, 1.4), rng.uniform(0.3, 1.5)])
    image, visible = blend(view, fires, layers, bright, hue)
    found = find_fires(image, visible, fires)
    if found is None:
        return None
    boxes, burning = found
    style = dict(
        bloom=mood["bloom"] * rng.uniform(0.6, 1.8),
        noise=mood["noise"] * rng.uniform(0.4, 1.6),
        contrast=rng.uniform(0.1, 0.6),
        saturation=rng.uniform(0.75, 1.3),
        blur=int(rng.choice([0, 0, 0, 0, 3, 5])),
        soft=float(rng.choice([1, 1, 1, 1.5, 2])),
    )
    picture = scene.photograph(image, rng, **style)
    if rng.random() < 0.4:  # most pictures on the web were compressed before
        worse = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 75))])[1]
        picture = cv2.imdecode(worse, cv2.IMREAD_COLOR)
    if rng.random() < 0.15:
        write_caption(picture, rng)
    if rng.random() < 0.5:
        width = picture.shape[1]
        picture = np.ascontiguousarray(picture[:, ::-1])
        boxes = [(width - x1, y0, width - x0, y1) for x0, y0, x1, y1 in boxes]
        burning = [mask[:, ::-1] for mask in burning]
    return picture, facts | dict(boxes=boxes, masks=[masks.pack(mask) for mask in burning], bakes=sorted(bakes))


def write_caption(picture, rng):
    """Write a line of letters near the rim: pictures on the web carry captions, often red or yellow ones."""
    height, width = picture.shape[:2]
    text = "".join(chr(rng.integers(65, 91)) for _ in range(rng.integers(4, 18)))
    size, colour = (
        rng.uniform(0.4, 1.0),
        [(255, 255, 255), (40, 40, 230), (40, 200, 240), (20, 120, 240)][rng.integers(4)],
    )
    at = int(rng.uniform(0.02, 0.6) * width), int(rng.choice([0.07, 0.97]) * height)
    font = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX]))
    cv2.putText(picture, text, at, font, size, colour, 1 + int(2 * size), cv2.LINE_AA)


def compose(entry, flames):
    """The picture of one plan entry and what the manifest says of it: the first try whose fires can all be boxed."""
    for attempt in range(TRIES):
        made = draw(np.random.default_rng([entry["number"], attempt]), entry, flames)
        if made is not None:
            return made
    raise RuntimeError(f"No clean composition for {entry} in {TRIES} tries: widen its backdrop's range")
