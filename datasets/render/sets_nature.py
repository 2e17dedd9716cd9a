"""Places outdoors: woods, hills, fields, camps, bare ground; and skies and leaves that only look like fire.

Each set stands around the camera's foot, which is the origin; directions are (azimuth in degrees, distance in metres).
"""

import math

import numpy as np
import shapes
from blender import Plate, Shot, gradient, hdri, material, mesh, place, sun
from scene import Camera, grain, look_up
from shapes import TURN, join, tube

BARK = {
    "grey": ((0.04, 0.035, 0.03), (0.13, 0.115, 0.095)),
    "brown": ((0.03, 0.018, 0.012), (0.10, 0.065, 0.045)),
    "red": ((0.05, 0.022, 0.012), (0.15, 0.07, 0.035)),
    "birch": ((0.10, 0.09, 0.08), (0.42, 0.40, 0.36)),
}
LEAVES = {
    "green": ((0.035, 0.075, 0.012), (0.09, 0.14, 0.025)),
    "dark": ((0.012, 0.035, 0.012), (0.03, 0.06, 0.02)),
    "olive": ((0.06, 0.065, 0.02), (0.11, 0.11, 0.04)),
    "fresh": ((0.08, 0.16, 0.02), (0.16, 0.24, 0.05)),
    "autumn": ((0.38, 0.10, 0.012), (0.45, 0.24, 0.02)),
    "red": ((0.30, 0.03, 0.01), (0.42, 0.09, 0.015)),
    "yellow": ((0.40, 0.26, 0.03), (0.30, 0.22, 0.03)),
    "dry": ((0.22, 0.15, 0.07), (0.36, 0.27, 0.14)),
}
EARTH = {
    "leafy": ((0.035, 0.022, 0.012), (0.085, 0.052, 0.027)),
    "dark": ((0.02, 0.014, 0.01), (0.05, 0.036, 0.024)),
    "dry": ((0.10, 0.075, 0.042), (0.19, 0.15, 0.09)),
    "sand": ((0.22, 0.17, 0.11), (0.33, 0.27, 0.19)),
    "green": ((0.03, 0.045, 0.012), (0.07, 0.085, 0.025)),
    "snow": ((0.62, 0.66, 0.72), (0.82, 0.83, 0.85)),
    "ash": ((0.06, 0.058, 0.055), (0.16, 0.15, 0.145)),
}
ROCK = (0.07, 0.07, 0.065), (0.20, 0.19, 0.17)

# Skies: what `blender.gradient` takes.
DAY = dict(zenith=(0.16, 0.33, 0.75), horizon=(0.62, 0.74, 0.9), cloud=0.85, cloud_colour=(1.1, 1.1, 1.1))
GREY = dict(zenith=(0.55, 0.58, 0.62), horizon=(0.8, 0.8, 0.8), cloud=0.9, cloud_colour=(0.42, 0.44, 0.47))
HAZY = dict(zenith=(0.20, 0.34, 0.6), horizon=(0.85, 0.74, 0.56), cloud=0.25, cloud_colour=(0.95, 0.88, 0.8))
DUSK = dict(zenith=(0.05, 0.08, 0.17), horizon=(0.38, 0.26, 0.24), cloud=0.8, cloud_colour=(0.12, 0.10, 0.13))
NIGHT = dict(
    zenith=(0.004, 0.006, 0.013), horizon=(0.02, 0.022, 0.03), below=(0.003, 0.003, 0.004), cloud=0.7,
    cloud_colour=(0.012, 0.013, 0.017),
)  # fmt: skip
GOLD = dict(
    zenith=(0.05, 0.07, 0.16), horizon=(0.95, 0.28, 0.05), power=0.42, cloud=0.75, cloud_colour=(0.55, 0.10, 0.03),
    below=(0.05, 0.02, 0.01), sun=(4, 1.5, (1.6, 0.55, 0.1), 1.5, 0.9, (14, 7, 2)),
)  # fmt: skip
RED = dict(
    zenith=(0.10, 0.05, 0.09), horizon=(0.9, 0.16, 0.03), cloud=0.9, cloud_colour=(0.30, 0.05, 0.035),
    below=(0.03, 0.01, 0.01), sun=(-9, 3, (1.5, 0.35, 0.05), 1.2, 1.3, (10, 3.2, 0.6)),
)  # fmt: skip


def light(sky, sunlight=None):
    """Put up a sky: a drawn one (dict), or a panorama (name, turn, strength); and a sun, if any."""
    if isinstance(sky, dict):
        gradient(**sky)
    else:
        hdri(*sky)
    if sunlight:
        sun(*sunlight)


# --------------------------------------------------------------------------------------------------------------- land
def spot(azimuth, distance):
    """The point (x, y) in a direction."""
    return distance * math.sin(math.radians(azimuth)), distance * math.cos(math.radians(azimuth))


class Waves:
    """Smooth random hills over (x, y), about -1 to 1, as long as 1."""

    def __init__(self, rng, count=28):
        pitch = TURN * rng.uniform(0.4, 1.6, count)
        pitch[count // 2 :] *= rng.uniform(1, 3.5, count - count // 2)
        angle = rng.uniform(0, TURN, count)
        self.pitch = np.stack([pitch * np.cos(angle), pitch * np.sin(angle)], -1)
        self.phase = rng.uniform(0, TURN, count)
        size = pitch**-1.6
        self.size = size / np.sqrt((size**2).sum() / 2) / 1.6

    def __call__(self, x, y):
        waves = zip(self.size, self.pitch, self.phase)
        return sum(size * np.sin(along * x + across * y + phase) for size, (along, across), phase in waves)


class Land:
    """The height of the ground: nearly flat at the camera, then hills (length, height); `rise(distance)` is added."""

    def __init__(self, rng, rough=0.1, hills=(), rise=None, flat=6.0):
        self.tile = grain(rng.integers(1000))
        self.rough, self.flat = rough, flat
        self.hills = [(length, height, Waves(rng)) for length, height in hills]
        self.rise = rise or np.zeros_like

    def __call__(self, x, y):
        x, y = np.asarray(x, float), np.asarray(y, float)
        distance = np.hypot(x, y)
        z = self.rough * (look_up(self.tile, x / 17, y / 17) + 0.3 * look_up(self.tile, x / 2.3, y / 2.3))
        for length, height, waves in self.hills:
            z = z + height * waves(x / length, y / length) * np.clip((distance - self.flat) / length, 0, 1) ** 1.3
        return z + self.rise(distance)

    def on(self, xy, above=0.0):
        """Points (N, 2) or one (x, y), lifted onto the ground."""
        xy = np.asarray(xy, float)
        return np.concatenate([xy, (self(xy[..., 0], xy[..., 1]) + above)[..., None]], -1)

    def show(self, skin, far, azimuth, half=60, near=0.3, rows=220):
        """Put the ground in, out to `far` metres: a fan whose faces grow with the distance."""
        distance = np.geomspace(near, far, rows)[:, None]
        angle = np.radians(azimuth + np.linspace(-half, half, 220))
        points = self.on(np.stack([distance * np.sin(angle), distance * np.cos(angle)], -1))
        place(mesh("ground", [(*shapes.grid(points), skin)]), ground=True)

    def is_seen(self, camera, direction, above=1.0):
        """Whether a point above the ground lies free before the camera."""
        point = self.on(spot(*direction), above)
        pixel = camera.project(point)
        way = camera.position + np.linspace(0.05, 0.98, 120)[:, None] * (point - camera.position)
        free = (self(way[:, 0], way[:, 1]) < way[:, 2]).all()
        return free and pixel is not None and 0 < pixel[0] < camera.width and 0 < pixel[1] < camera.height


def scatter(rng, count, near, far, azimuth, half, crowd=0.5):
    """Points (count, 2) in a sector; `crowd` 0.5 is even, less gathers them far away, more close by."""
    distance = near + (far - near) * rng.uniform(0, 1, count) ** crowd
    angle = np.radians(azimuth + rng.uniform(-half, half, count))
    return np.stack([distance * np.sin(angle), distance * np.cos(angle)], -1)


def clear(xy, azimuth, half, depth, around=3.0):
    """Drop points near the camera, or in the wedge of `half` degrees to both sides, up to `depth` metres."""
    distance = np.hypot(*xy.T)
    aside = (np.degrees(np.arctan2(*xy.T)) - azimuth + 180) % 360 - 180
    return xy[(distance > around) & ~((abs(aside) < half) & (distance < depth))]


def apart(xy, gap):
    """Drop points that stand too close to an earlier one."""
    kept = []
    for point in xy:
        if all(np.hypot(*(point - other)) > gap for other in kept):
            kept.append(point)
    return np.array(kept)


def anchor(kind, at, height, width, to=None):
    """Where something may burn; `to`: where a line of fire ends."""
    made = dict(kind=kind, at=[round(float(v), 3) for v in at], height=list(height), width=width)
    if to is not None:
        made["along"] = [round(float(v), 3) for v in np.subtract(to, at)]
    return made


def front(land, begin, end, height, width=1.0):
    """A line of burning grass between two directions."""
    return anchor("grass", land.on(spot(*begin)), height, width, land.on(spot(*end)))


# -------------------------------------------------------------------------------------------------------------- plants
def bark(name):
    return material("bark", *BARK[name], period=0.12, bump=0.035, stretch=(1, 1, 0.18), vary=0.5, rough=0.9)


def foliage(name):
    return material("leaves", *LEAVES[name], period=3, leaf=True, vary=0.5, island=0.7)


def soil(name, period=0.9, bump=0.05):
    return material("soil", *EARTH[name], period=period, bump=bump, rough=0.95)


def tree(rng, kind, wood, leaf, far=False):
    """The mesh of a tree; a far one has few large leaves."""
    if kind == "conifer":
        size = dict(leaf=1.0, count=700) if far else dict()
        body = shapes.conifer(rng, rng.uniform(12, 17), crown=rng.uniform(0.05, 0.3), **size)
    elif kind == "pole":
        body = shapes.conifer(rng, rng.uniform(16, 20), leaf=0.4, count=3000, crown=0.62)
    elif kind == "bare":
        body = shapes.broadleaf(rng, rng.uniform(9, 14), crown=0.3, thick=0.8, count=1)
    elif kind == "bush":
        size = dict(leaf=0.3, count=300) if far else dict(leaf=0.09, count=1600)
        body = shapes.broadleaf(rng, rng.uniform(1.6, 2.6), crown=0.05, spread=0.9, **size)
    elif far:
        body = shapes.broadleaf(rng, rng.uniform(8, 12), leaf=1.0, count=500, crown=0.25, levels=1, spread=0.8)
    else:
        body = shapes.broadleaf(rng, rng.uniform(11, 17))
    return mesh(kind, [(*part, skin) for part, skin in zip(body, (wood, leaf))])


def trees(rng, kinds, wood, leaf, far=False):
    return [tree(rng, kind, wood, leaf, far) for kind in kinds for _ in range(2)]


def plant(rng, land, forms, xy, scale=(0.7, 1.2), sink=0.15, lean=0.02):
    """Put one of the meshes at each point, turned and sized at random."""
    for point in land.on(np.asarray(xy)):
        turn = *rng.normal(0, lean, 2), rng.uniform(0, TURN)
        place(forms[rng.integers(len(forms))], point - [0, 0, sink], turn, rng.uniform(*scale))


def turf(rng, leaf, height, patch=1.2, count=420, width=0.008, lean=0.45):
    """Meshes of patches of grass."""
    forms = []
    for _ in range(3):
        radius, angle = 0.6 * patch * np.sqrt(rng.uniform(0, 1, count)), rng.uniform(0, TURN, count)
        roots = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * radius - 0.02], -1)
        clump = 0.6 + 0.4 * np.sin(roots[:, 0] * 5 + rng.uniform(0, 6)) * np.sin(roots[:, 1] * 5 + rng.uniform(0, 6))
        tall = height * clump * rng.uniform(0.35, 1.2, count)
        forms.append(mesh("turf", [(*shapes.blades(rng, roots, tall, width, lean, 2), leaf)]))
    return forms


def fern(rng, leaf):
    stems, at, way, size = [], [], [], []
    for _ in range(rng.integers(6, 11)):
        angle = rng.uniform(0, TURN)
        out = [math.cos(angle), math.sin(angle), 1.3]
        line, _ = shapes.twig(rng, [0, 0, 0], out, rng.uniform(0.5, 0.8), 0.005, 6, 0.08, -0.28)
        stems.append(tube(line, 0.004, 4))
        for share in np.linspace(0.2, 0.99, 14):
            i = int(6 * share)
            along = line[i + 1] - line[i]
            for side in (-1, 1):
                at.append(line[i] + (6 * share - i) * along)
                way.append(side * shapes.unit(np.cross(along, [0, 0, 1])) + 0.5 * shapes.unit(along))
                size.append(1.1 - share)
    size = np.array(size)
    fronds = shapes.leaves(rng, np.array(at), np.array(way), 0.24 * size + 0.02, 0.07 * size + 0.01)
    return mesh("fern", [(*join(stems), leaf), (*fronds, leaf)], smooth=False)


def litter(rng, land, name, count, far, azimuth, size=0.07):
    """Fallen leaves."""
    at = land.on(scatter(rng, count, 0.5, far, azimuth, 47, 0.9), 0.012)
    size = size * rng.uniform(0.5, 1.4, count)
    skin = material("fallen", *LEAVES[name], period=0.5, leaf=True, island=1.1)
    flat = rng.normal(size=at.shape) * [1, 1, 0.25]
    place(mesh("litter", [(*shapes.leaves(rng, at, flat, size, 0.6 * size), skin)], smooth=False))


def twigs(rng, land, wood, count, far, azimuth):
    """Thin branches on the ground."""
    made = []
    for point in land.on(scatter(rng, count, 1.2, far, azimuth, 45), 0.015):
        way, length = [*rng.normal(size=2), 0.03], rng.uniform(0.3, 1.3)
        made.append(tube(*shapes.twig(rng, point, way, length, rng.uniform(0.004, 0.016), 4, lift=0), 5))
    place(mesh("twigs", [(*join(made), wood)]))


def stones(rng, land, xy, size):
    skin = material("rock", *ROCK, period=0.3, bump=0.03, vary=0.5)
    forms = [mesh("stone", [(*shapes.stone(rng), skin)], smooth=False) for _ in range(4)]
    for point in land.on(np.asarray(xy)):
        scale = rng.uniform(*size) * rng.uniform(0.5, 1)
        turn = *rng.normal(0, 0.3, 2), rng.uniform(0, TURN)
        place(forms[rng.integers(4)], point + [0, 0, 0.15 * scale], turn, scale)


def heap(rng, at, wood, count=60, radius=0.9, height=0.8):
    """Branches thrown on one another; the anchor is somewhat above the foot."""
    made = []
    for _ in range(count):
        angle, rise = rng.uniform(0, TURN), rng.uniform(0, 1)
        aside = radius * (1 - rise) * rng.uniform(0.2, 1)
        way = shapes.unit(np.array([*rng.normal(size=2), rng.normal(0, 0.25)]))
        length = rng.uniform(0.7, 2) * radius
        middle = np.array([aside * math.cos(angle), aside * math.sin(angle), 0.05 + height * rise])
        line = shapes.twig(rng, middle - way * length / 2, way, length, rng.uniform(0.008, 0.035), 5, lift=-0.02)
        made.append(tube(*line, 6))
    place(mesh("heap", [(*join(made), wood)]), at)
    return anchor("heap", np.add(at, [0, 0, 0.3 * height]), (0.7 * height, 2.7 * height), 1.5 * radius)


def felled(rng, land, wood, xy, length, radius, turn=None):
    """A felled trunk."""
    at = land.on(xy, 0.8 * radius)
    turn = rng.uniform(0, math.pi) if turn is None else turn
    place(mesh("log", [(*shapes.log(rng, length, radius), wood)]), at, turn)
    return anchor("log", at + [0, 0, 0.7 * radius], (0.3, 1.4), min(0.5 * length, 1.4))


# ---------------------------------------------------------------------------------------------------------------- sets
def wood(
    rng, sky, sunlight=None, kinds=("broadleaf", "conifer"), leaf="green", trunk="brown", earth="leafy", fallen="dry",
    under="fern", count=120, azimuth=0, elevation=-3, fov=60, size=(800, 600), eye=1.6, haze=None, burns=True,
    moods=("day", "grey", "dusk"),
):  # fmt: skip
    """Among trees, with undergrowth, leaves, stones and felled trunks."""
    light(sky, sunlight)
    land = Land(rng, 0.14, rise=lambda d: 0.00045 * d**2)
    land.show(soil(earth), 140, azimuth, 75)
    stem, crown = bark(trunk), foliage(leaf)
    xy = apart(clear(scatter(rng, 2 * count, 3, 80, azimuth, 52, 0.6), azimuth, 9, 9, 3.2), 1.6)[:count]
    plant(rng, land, trees(rng, kinds, stem, crown), xy)
    bushes = clear(scatter(rng, 6, 5, 30, azimuth, 45), azimuth, 8, 10, 5)
    plant(rng, land, trees(rng, ["bush"], stem, crown), bushes, (0.5, 1.1), 0.05)
    litter(rng, land, fallen, 16000, 24, azimuth)
    twigs(rng, land, stem, 130, 14, azimuth)
    if under == "fern":
        forms = [fern(rng, crown) for _ in range(3)]
        plant(rng, land, forms, scatter(rng, 150, 2.5, 30, azimuth, 48), (0.5, 1.2), 0.02)
    elif under == "grass":
        forms = turf(rng, foliage("olive"), 0.3)
        plant(rng, land, forms, scatter(rng, 420, 1.5, 26, azimuth, 45), (0.6, 1.2), 0)
    stones(rng, land, scatter(rng, 12, 2.5, 20, azimuth, 40), (0.15, 0.6))
    shot = Shot(Camera(azimuth, elevation, fov, *size, eye), moods=list(moods), haze=haze)
    if burns:
        nearest = xy[np.argsort(np.hypot(*xy.T))]
        ahead = clear(nearest, azimuth + 180, 180 - 0.36 * fov, 999)[:2]
        shot.anchors = [
            felled(rng, land, stem, spot(azimuth + rng.uniform(4, 9), rng.uniform(5, 6.5)), 3, 0.15),
            felled(rng, land, stem, spot(azimuth - rng.uniform(2, 6), rng.uniform(7, 9)), 4, 0.2),
            front(land, (azimuth - 18, 11), (azimuth + 12, 9), (0.25, 0.9)),
            front(land, (azimuth - 8, 22), (azimuth + 20, 26), (0.5, 2), 1.5),
            anchor("grass", land.on(spot(azimuth - 3, 5)), (0.2, 0.7), 0.8),
            heap(rng, land.on(spot(azimuth + 1, rng.uniform(8, 10))), stem),
            *(anchor("tree", land.on(p * (1 - 0.35 / np.hypot(*p)), 0.1), (1.2, 4.5), 0.8) for p in ahead),
        ]
    return shot


def hills(
    rng, sky, haze, sunlight=None, kinds=("conifer", "broadleaf"), leaf="olive", earth="dry", open_land=0.35,
    count=1500, relief=((70, 4), (260, 22), (800, 70)), slope=-0.06, fires=(120, 300, 600), grass=True, azimuth=0,
    elevation=-4, fov=50, size=(800, 450), eye=12.0, moods=("day", "grey", "dusk"),
):  # fmt: skip
    """Wooded hills from a height: fires are small and far, or long lines. `fires`: about how many metres away."""
    light(sky | dict(below=haze[0]), sunlight)

    def rise(d):
        far = np.maximum(d - 250, 0)
        return slope * np.minimum(d, 120) + 0.012 * np.maximum(d - 150, 0) + 3e-5 * far**1.6

    land = Land(rng, 0.3, relief, rise, flat=14)
    land.show(soil(earth, period=16, bump=0), 1500, azimuth, 48, near=2, rows=300)
    stem, crown = bark("brown"), foliage(leaf)
    xy = scatter(rng, 3 * count, 25, 1200, azimuth, 36, 0.75)
    tile = grain(rng.integers(1000))
    wooded = look_up(tile, *xy.T / 170) + 0.5 * look_up(tile, *xy.T / 45)
    xy = clear(xy[wooded > np.quantile(wooded, open_land)], azimuth, 12, 90, 25)[:count]
    plant(rng, land, trees(rng, kinds, stem, crown, far=True), xy, (0.5, 1.1), 0.3)
    bushes = scatter(rng, count // 2, 12, 220, azimuth, 36, 0.7)
    plant(rng, land, trees(rng, ["bush"], stem, crown, far=True), bushes, (0.5, 1.6), 0.1)
    if grass:
        forms = turf(rng, foliage("dry"), 0.5, 2.0, 350, 0.02)
        plant(rng, land, forms, scatter(rng, 500, max(3, 0.4 * eye), 60, azimuth, 36, 0.7), (0.8, 1.6), 0)
    camera = Camera(azimuth, elevation, fov, *size, eye)
    shot = Shot(camera, moods=list(moods), haze=haze)
    for distance in fires:
        # Hills hide much of the ground: look for places that the camera sees.
        for _ in range(40):
            begin = azimuth + rng.uniform(-0.4, 0.2) * fov, distance * rng.uniform(0.8, 1.3)
            end = begin[0] + rng.uniform(0.12, 0.3) * fov, begin[1] * rng.uniform(0.85, 1.2)
            if land.is_seen(camera, begin) and land.is_seen(camera, end):
                height = 1.5, 5 + 0.015 * distance
                shot.anchors.append(front(land, begin, end, height, 3 + 0.01 * distance))
                break
        for _ in range(40):
            way = azimuth + rng.uniform(-0.4, 0.4) * fov, distance * rng.uniform(0.7, 1.4)
            if land.is_seen(camera, way):
                shot.anchors.append(anchor("tree", land.on(spot(*way)), (4, 12), 5))
                break
    return shot


def fence(rng, land, azimuth, side, wood):
    """Posts with three wires that run away beside the camera."""
    ahead, right = np.array(spot(azimuth, 1)), np.array(spot(azimuth + 90, 1))
    feet = [land.on((4 + 3.2 * i) * ahead + side * (3.2 + 0.25 * i) * right) for i in range(16)]
    tops = [foot + [*rng.normal(0, 0.04, 2), 1.25] for foot in feet]
    made = [tube([foot - [0, 0, 0.1], top], 0.055, 7) for foot, top in zip(feet, tops)]
    for share in (0.45, 0.75, 0.97):
        knots = [foot + share * (top - foot) for foot, top in zip(feet, tops)]
        made += [tube([a, (a + b) / 2 - [0, 0, 0.03], b], 0.0025, 3) for a, b in zip(knots, knots[1:])]
    place(mesh("fence", [(*join(made), wood)]))


def bale(rng, land, xy):
    """A round bale of straw."""
    skin = material("straw", (0.20, 0.14, 0.06), (0.42, 0.32, 0.16), period=0.05, bump=0.02, stretch=(1, 1, 0.3))
    length = np.linspace(-0.6, 0.6, 5)
    body = tube(np.stack([length, 0 * length, 0 * length], -1), 0.6 * np.array([0.97, 1, 1, 1, 0.97]), 40)
    angle = rng.uniform(0, TURN, 2600)
    at = np.stack([rng.uniform(-0.6, 0.6, 2600), 0.6 * np.cos(angle), 0.6 * np.sin(angle)], -1)
    halms = shapes.leaves(rng, at, rng.normal(size=at.shape), 0.13, 0.008)
    place(mesh("bale", [(*body, skin), (*halms, foliage("dry"))]), land.on(xy, 0.57), rng.uniform(0, 3))
    return anchor("heap", land.on(xy, 1.05), (0.6, 2.5), 1.1)


def field(
    rng, sky, sunlight=None, leaf="dry", height=0.45, blade=0.008, earth="dry", patches=1400, near=1.2, far=45,
    opening=0.0, bales=0, posts=True, border="olive", azimuth=0, elevation=-3, fov=58, size=(800, 450), eye=1.6,
    haze=None, moods=("day", "dusk", "night"),
):  # fmt: skip
    """Grass or reeds as far as one sees; `opening`: metres around the camera without; `border`: leaves of the trees."""
    light(sky, sunlight)
    land = Land(rng, 0.1, ((90, 1.6),), flat=8)
    land.show(soil(earth, 2.5), 500, azimuth)
    half = 0.62 * fov
    leaf = foliage(leaf)
    xy = scatter(rng, patches, near, far, azimuth, half, 0.62)
    plant(rng, land, turf(rng, leaf, height, 1.3, width=blade), xy[np.hypot(*xy.T) > opening], (0.7, 1.3), 0, 0)
    xy = scatter(rng, 700, 0.8 * far, 220, azimuth, half, 0.6)
    plant(rng, land, turf(rng, leaf, 1.6 * height, 5, 500, 0.03), xy, (0.8, 1.4), 0, 0)
    weeds = turf(rng, foliage("olive"), 1.3 * height, 0.5, 60, 1.6 * blade, 0.3)
    plant(rng, land, weeds, scatter(rng, 50, near + 1, 30, azimuth, half), (0.6, 1.3), 0, 0)
    stem = bark("grey")
    if border:
        forms = trees(rng, ("broadleaf", "bush", "conifer"), stem, foliage(border), far=True)
        plant(rng, land, forms, scatter(rng, 170, 120, 200, azimuth, half), (0.5, 1.2), 0.2)
    if posts:
        fence(rng, land, azimuth, rng.choice([-1, 1]), stem)
    anchors = [
        front(land, (azimuth - 0.3 * fov, 9), (azimuth + 0.1 * fov, 7), (0.4, 1.5)),
        front(land, (azimuth - 0.1 * fov, 20), (azimuth + 0.35 * fov, 24), (0.6, 2.2), 1.5),
        front(land, (azimuth - 0.3 * fov, 60), (azimuth + 0.3 * fov, 70), (1, 3.5), 3),
        front(land, (azimuth + 0.05 * fov, 120), (azimuth + 0.4 * fov, 125), (2, 6), 4),
        anchor("grass", land.on(spot(azimuth + rng.uniform(-5, 8), 5.5)), (0.3, 1), 1),
    ]
    for distance in (6.5, 9, 13, 16, 24, 30)[:bales]:
        anchors.append(bale(rng, land, spot(azimuth + rng.uniform(-0.36, 0.36) * fov, distance)))
    return Shot(Camera(azimuth, elevation, fov, *size, eye), anchors, moods=list(moods), haze=haze)


def tent(at, turn, colour):
    """A tunnel tent with a dark door."""
    u, v = np.meshgrid(np.linspace(-1, 1, 24), np.linspace(0, 1, 24), indexing="ij")
    bow, shrink = np.arccos(u), 1 - 0.35 * v**2
    roof = np.stack([1.1 * shrink * u, 2.4 * v - 0.6, 1.25 * np.sin(bow) ** 0.8 * shrink], -1)
    u = np.linspace(-1, 1, 17)
    arch = np.stack([1.09 * u, 0 * u - 0.55, 1.22 * np.sin(np.arccos(u)) ** 0.8], -1)
    cloth = material("cloth", colour, tuple(0.75 * c for c in colour), period=0.4, rough=0.7)
    inside = material("inside", (0.03, 0.03, 0.035))
    place(mesh("tent", [(*shapes.grid(roof), cloth)]), at, turn)
    place(mesh("door", [(*shapes.grid(np.stack([arch * [1, 1, 0], arch])), inside)], smooth=False), at, turn)


def camp(
    rng, sky, sunlight=None, kinds=("broadleaf", "conifer"), leaf="green", earth="dry", colour=(0.55, 0.16, 0.03),
    azimuth=0, elevation=-7, fov=58, size=(800, 600), eye=1.5, moods=("day", "grey", "night"),
):  # fmt: skip
    """A clearing with a ring of stones, logs to sit on, a tent and firewood."""
    light(sky, sunlight)
    land = Land(rng, 0.08)
    land.show(soil(earth, 0.7, 0.04), 200, azimuth, 75)
    stem, crown = bark("brown"), foliage(leaf)
    xy = apart(clear(scatter(rng, 300, 9, 70, azimuth, 50, 0.6), azimuth, 14, 16, 9), 2)[:90]
    plant(rng, land, trees(rng, kinds, stem, crown), xy)
    ring = np.array(spot(azimuth + rng.uniform(-5, 5), 5))
    angle = np.arange(12) / 12 * TURN + rng.normal(0, 0.08, 12)
    stones(rng, land, ring + 0.62 * np.stack([np.cos(angle), np.sin(angle)], -1), (0.2, 0.3))
    char = material("char", (0.012, 0.011, 0.01), (0.06, 0.05, 0.045), period=0.1, bump=0.02)
    side = rng.choice([-1, 1])
    anchors = [
        heap(rng, land.on(ring), char, 26, 0.5, 0.35),
        felled(rng, land, stem, ring + spot(azimuth, 1.7), 2.2, 0.2, rng.uniform(-0.3, 0.3)),
        felled(rng, land, stem, ring + spot(azimuth - 90, 1.8), 2.2, 0.2, rng.uniform(1.2, 1.9)),
        heap(rng, land.on(spot(azimuth + rng.uniform(8, 12), 7.5)), stem, 45, 0.6, 0.5),
        front(land, (azimuth - 20, 10), (azimuth + 15, 11), (0.3, 1)),
    ]
    xy = np.array(spot(azimuth + side * rng.uniform(13, 17), 9))
    tent(land.on(xy), rng.uniform(-0.6, 0.6) - math.radians(azimuth), colour)
    anchors.append(anchor("floor", land.on(0.86 * xy), (0.4, 2), 1.2))
    litter(rng, land, "dry", 5000, 16, azimuth)
    twigs(rng, land, stem, 70, 12, azimuth)
    stones(rng, land, scatter(rng, 25, 2, 20, azimuth, 40), (0.05, 0.35))
    forms = turf(rng, foliage("olive"), 0.22)
    plant(rng, land, forms, clear(scatter(rng, 330, 2, 30, azimuth, 40), azimuth, 12, 7, 2), (0.5, 1.1), 0)
    return Shot(Camera(azimuth, elevation, fov, *size, eye), anchors, moods=list(moods))


def bole(rng, land, xy, skin):
    """A thick trunk close by, with roots and furrows."""
    share, angle = np.linspace(0, 1, 110)[:, None] ** 1.5, np.arange(260) / 260 * TURN
    roots = 0.5 + 0.5 * np.cos(5 * angle + rng.uniform(0, 6) + 0.5 * np.sin(2 * angle))
    radius = 0.30 + 0.28 * np.exp(-16 * share) * (0.3 + roots) + 0.05 * np.exp(-3 * share) * roots
    tile, around = grain(rng.integers(1000)), angle / TURN + 0 * share
    radius = radius * (1 - 0.3 * share) + 0.022 * look_up(tile, 3 * around, 1.5 * share)
    radius += 0.02 * abs(look_up(tile, 5 * around, 1.2 * share))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle), 7 * share - 0.1 + 0 * angle], -1)
    place(mesh("bole", [(*shapes.grid(points, around=True), skin)]), land.on(xy))


def trunk(
    rng, sky, trunk="brown", leaf="green", azimuth=0, elevation=-4, fov=58, size=(600, 800), eye=1.3,
    moods=("day", "grey", "dusk", "night"),
):  # fmt: skip
    """A thick trunk close by, the wood behind it."""
    light(sky)
    land = Land(rng)
    land.show(soil("leafy"), 140, azimuth, 75)
    stem, crown = bark(trunk), foliage(leaf)
    xy = np.array(spot(azimuth + rng.uniform(-7, 7), 3))
    bole(rng, land, xy, stem)
    others = apart(clear(scatter(rng, 160, 6, 60, azimuth, 50, 0.6), azimuth, 5, 10, 6), 2)[:70]
    plant(rng, land, trees(rng, ("broadleaf", "conifer"), stem, crown), others)
    litter(rng, land, "dry", 13000, 14, azimuth)
    twigs(rng, land, stem, 90, 8, azimuth)
    forms = [fern(rng, crown) for _ in range(3)]
    plant(rng, land, forms, clear(scatter(rng, 60, 2, 16, azimuth, 40), azimuth, 10, 4, 2), (0.4, 1), 0.02)
    foot = xy * (1 - 0.62 / np.hypot(*xy))
    anchors = [
        anchor("tree", land.on(foot, 0.05), (0.6, 2.2), 0.6),
        anchor("tree", land.on(xy * (1 - 0.42 / np.hypot(*xy)), 1), (0.5, 1.6), 0.4),
        front(land, (azimuth - 12, 2.6), (azimuth + 12, 2.4), (0.15, 0.5), 0.6),
        front(land, (azimuth - 18, 9), (azimuth + 18, 10), (0.4, 1.6)),
    ]
    return Shot(Camera(azimuth, elevation, fov, *size, eye), anchors, moods=list(moods))


def bricks(rng, land, azimuth):
    """A heap of bricks, some thrown about, and boards."""
    clay = material("brick", (0.18, 0.055, 0.03), (0.30, 0.11, 0.06), period=0.15, bump=0.01, vary=0.7, rough=0.95)
    brick = mesh("brick", [(*shapes.block((0.24, 0.115, 0.07), edge=0.006), clay)], smooth=False)
    board = mesh("board", [(*shapes.block((1.9, 0.14, 0.035), edge=0.004), bark("grey"))], smooth=False)
    middle = np.array(spot(azimuth - 14, 8))
    xy = np.concatenate([scatter(rng, 120, 1.5, 16, azimuth, 40), middle + rng.normal(0, 0.9, (260, 2))])
    piled = 0.75 * np.exp(-((xy - middle) ** 2).sum(-1) / 1.2) * rng.uniform(0.5, 1, len(xy))
    for point in land.on(xy) + np.stack([0 * piled, 0 * piled, piled + 0.04], -1):
        place(brick, point, (*rng.normal(0, 0.35, 2), rng.uniform(0, TURN)))
    for point in land.on(scatter(rng, 26, 2.5, 18, azimuth, 38), 0.12):
        place(board, point, (*rng.normal(0, 0.1, 2), rng.uniform(0, TURN)), rng.uniform(0.6, 1.3))


def waste(rng, sky, sunlight=None, snow=False, azimuth=0, elevation=-9, fov=60, size=(700, 700), eye=1.6,
          moods=("day", "grey", "dusk")):  # fmt: skip
    """Bare ground: rubble with bricks and boards, or snow between trees; and a heap of branches."""
    light(sky, sunlight)
    land = Land(rng, 0.3 if snow else 0.22, ((40, 1),), flat=10)
    land.show(soil("snow", 0.5, 0.012) if snow else soil("ash", 0.5), 300, azimuth, 70)
    stem = bark("grey")
    stones(rng, land, scatter(rng, 40 if snow else 500, 1.2, 40, azimuth, 45, 0.7), (0.04, 0.5))
    if snow:
        xy = clear(scatter(rng, 70, 10, 90, azimuth, 45, 0.7), azimuth, 7, 22, 9)
        plant(rng, land, trees(rng, ("bare", "conifer"), stem, foliage("dark")), xy, (0.6, 1.1))
        twigs(rng, land, stem, 50, 12, azimuth)
    else:
        bricks(rng, land, azimuth)
    anchors = [
        heap(rng, land.on(spot(azimuth + rng.uniform(3, 9), 6.5)), stem, 70, 0.8, 0.7),
        felled(rng, land, stem, spot(azimuth - 3, 11), 2.5, 0.15),
        anchor("floor", land.on(spot(azimuth - 10, 4.5)), (0.3, 1), 0.8),
        anchor("floor", land.on(spot(azimuth + 16, 10), 0.05), (0.5, 1.8), 1.2),
        anchor("floor", land.on(spot(azimuth + 2, 18), 0.05), (1, 3.5), 2),
    ]
    return Shot(Camera(azimuth, elevation, fov, *size, eye), anchors, moods=list(moods))


def power_line(land, azimuth, fov, skin):
    """Poles that run away to the right, with three sagging wires."""
    made, tops = [], []
    for i in range(7):
        foot = land.on(spot(azimuth - 0.5 * fov + 6 * i, 16 + 9 * i))
        top = foot + [0, 0, 7.4]
        made += [tube([foot, foot + [0, 0, 8]], 0.12), tube([top - [0.9, 0, 0], top + [0.9, 0, 0]], 0.06, 6)]
        tops.append(top)
    t = np.linspace(0, 1, 9)[:, None]
    for a, b in zip(tops, tops[1:]):
        for aside in (-0.8, 0, 0.8):
            made.append(tube(a + [aside, 0, 0.1] + t * (b - a) - [0, 0, 0.9] * (1 - (2 * t - 1) ** 2), 0.012, 3))
    place(mesh("poles", [(*join(made), skin)]))


def sunset(rng, sky, kinds=("bare", "broadleaf", "conifer"), count=40, poles=False, azimuth=0, elevation=6, fov=55,
           size=(800, 450), eye=2.0, moods=("day", "dusk")):  # fmt: skip
    """Black hills and trees before a glowing sky: nothing burns here."""
    light(sky)
    land = Land(rng, 0.1, ((120, 6), (500, 35)), lambda d: 0.012 * np.maximum(d - 30, 0), flat=10)
    land.show(soil("dark"), 1200, azimuth)
    stem, crown = bark("brown"), foliage("dark")
    xy = clear(scatter(rng, count, 12, 120, azimuth, 0.6 * fov, 0.8), azimuth, 5, 20, 12)
    plant(rng, land, trees(rng, kinds, stem, crown), xy, (0.5, 1.2))
    forms = turf(rng, crown, 0.8, 1.2, 120, 0.012)
    plant(rng, land, forms, scatter(rng, 200, 2.2, 9, azimuth, 0.6 * fov), (0.6, 1.2), 0)
    if poles:
        power_line(land, azimuth, fov, stem)
    return Shot(Camera(azimuth, elevation, fov, *size, eye), moods=list(moods))


def lake(rng, sky, azimuth=0, elevation=3, fov=55, size=(800, 533), eye=2.0, moods=("day", "dusk")):
    """A glowing sky above water: nothing burns here."""
    light(sky)
    water = material("water", (0.01, 0.012, 0.015), period=0.8, rough=0.09, bump=0.012)
    Land(rng, 0).show(water, 900, azimuth, near=2)
    shore = Land(rng, 0.3, ((60, 5), (300, 22)), lambda d: 0.05 * (d - 260), flat=120)
    shore.show(soil("dark"), 900, azimuth, near=150)
    stem, crown = bark("brown"), foliage("dark")
    forms = trees(rng, ("broadleaf", "conifer"), stem, crown, far=True)
    plant(rng, shore, forms, scatter(rng, 160, 300, 500, azimuth, 0.6 * fov), (0.6, 1.3), 0.3)
    bank = Land(rng, 0.12, rise=lambda d: 0.25 - 0.05 * d)
    bank.show(soil("dark"), 14, azimuth)
    beside = [spot(azimuth - 0.36 * fov, 7.5), spot(azimuth + 0.42 * fov, 9)]
    plant(rng, bank, trees(rng, ["bare"], stem, crown), beside, (0.5, 0.7))
    forms = turf(rng, crown, 0.8, 1.2, 120, 0.012)
    plant(rng, bank, forms, scatter(rng, 200, 2.2, 9, azimuth, 0.6 * fov), (0.6, 1.2), 0)
    return Shot(Camera(azimuth, elevation, fov, *size, eye), moods=list(moods))


def train(build, seed, **options):
    return Plate(build, seed, "train", options)


def val(build, seed, **options):
    return Plate(build, seed, "val", options)


PLATES = {
    "forest_day": train(wood, 101, sky=("forest", 40, 1.2), sunlight=(215, 38, 2, (1, 0.95, 0.85), 4)),
    "forest_pine": train(
        wood, 102, sky=GREY, kinds=("pole", "conifer"), leaf="dark", trunk="red", fallen="autumn", under="grass",
        size=(800, 450), fov=66, count=150, haze=((0.55, 0.58, 0.6), 160), moods=("grey", "dusk", "night"),
    ),
    "autumn_wood": train(
        wood, 103, sky=DAY, sunlight=(150, 30, 5), kinds=("broadleaf",), leaf="autumn", fallen="autumn", under="",
        size=(600, 800), elevation=4, fov=65, burns=False, moods=("day", "grey"),
    ),
    "hill_far": train(
        hills, 104, sky=HAZY, sunlight=(120, 32, 6, (1, 0.86, 0.66)), haze=((0.62, 0.56, 0.47), 1300),
    ),
    "hill_high": train(
        hills, 105, sky=GREY, haze=((0.6, 0.62, 0.65), 800), leaf="dark", earth="green", slope=-0.12,
        fires=(90, 220, 500), elevation=-9, eye=30, size=(800, 533),
    ),
    "hill_night": train(
        hills, 106, sky=NIGHT, sunlight=(60, 30, 0.02, (0.6, 0.75, 1)), haze=((0.012, 0.013, 0.017), 1500),
        leaf="dark", earth="dark", slope=-0.04, fires=(60, 200, 500), grass=False, count=900, elevation=0, eye=6,
        moods=("night", "dusk"),
    ),
    "dry_field": train(field, 107, sky=HAZY, sunlight=(230, 24, 6, (1, 0.85, 0.62))),
    "reeds": train(
        field, 108, sky=("sunset", 150, 1), leaf="yellow", height=1.9, blade=0.016, patches=500, near=2.2, far=20,
        opening=3, posts=False, border="", size=(600, 800), elevation=2, eye=1.3, moods=("day", "dusk"),
    ),
    "straw_bales": train(
        field, 109, sky=DAY, sunlight=(110, 40, 6), height=0.14, bales=6, posts=False, size=(800, 600),
        moods=("day", "grey", "night"),
    ),
    "camp_lake": train(
        camp, 110, sky=("sunset", 60, 1.2), sunlight=(95, 14, 1.5, (1, 0.6, 0.35), 4), leaf="dark", earth="leafy",
        moods=("dusk", "day", "night"),
    ),
    "camp_wood": train(
        camp, 111, sky=DAY, sunlight=(130, 45, 5), leaf="yellow", earth="leafy", colour=(0.1, 0.2, 0.08),
        kinds=("pole", "conifer"), size=(800, 533),
    ),
    "sunset_trees": train(sunset, 112, sky=GOLD),
    "sunset_lake": train(lake, 113, sky=RED),
    "trunk_close": train(trunk, 114, sky=("forest", 150, 1.2)),
    "rubble": train(waste, 115, sky=("city", 0, 0.5)),
    "snow": train(waste, 116, sky=GREY, snow=True, size=(800, 600), moods=("day", "grey", "night")),
    "birch_wood": val(
        wood, 201, sky=("sunrise", 200, 1), sunlight=(250, 25, 5, (1, 0.9, 0.7)), kinds=("broadleaf", "pole"),
        leaf="fresh", trunk="birch", earth="green", under="grass", count=90, azimuth=70, fov=54, size=(800, 533),
        eye=1.9,
    ),
    "valley": val(
        hills, 202, sky=DAY | dict(zenith=(0.1, 0.25, 0.6), cloud=0.4), sunlight=(300, 40, 6), leaf="green",
        haze=((0.55, 0.65, 0.78), 1800), earth="sand", open_land=0.6, count=1000, slope=-0.1,
        relief=((110, 7), (400, 30), (1000, 110)), fires=(100, 260, 700), azimuth=200, elevation=-6, fov=46,
        size=(800, 600), eye=22,
    ),
    "meadow": val(
        field, 203, sky=("sunrise", 120, 1), leaf="olive", height=0.3, earth="green", patches=1100, border="green",
        azimuth=40, fov=52, size=(800, 600), eye=1.8,
    ),
    "red_wood": val(
        wood, 204, sky=("sunrise", 300, 0.8), sunlight=(60, 35, 4), kinds=("broadleaf", "bush"), leaf="red",
        fallen="red", under="", count=70, azimuth=130, elevation=2, fov=58, size=(800, 800), burns=False,
        moods=("day", "grey"),
    ),
    "sunset_wires": val(
        sunset, 205, sky=RED | dict(sun=None, zenith=(0.16, 0.10, 0.2), horizon=(1, 0.33, 0.08), cloud=0.6),
        count=15, poles=True, azimuth=300, elevation=8, size=(600, 800),
    ),
}  # fmt: skip
