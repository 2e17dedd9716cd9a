"""What a picture shows: kinds of scenes, where they are set, and the plan of all pictures.

A kind is a function that points the camera and says what burns and what stands around.
"""

import math
from dataclasses import dataclass, field

import backdrops
import numpy as np
import plates
import scene

LONG_SIDE = 640
SHAPES = [(4, 3), (16, 9), (3, 4), (4, 3), (1, 1), (3, 2), (4, 3)]


@dataclass
class Plume:
    """One baked frame, placed."""

    foot: np.ndarray
    height: float  # metres, of what is visible
    family: str = "plume"
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
    scorch: bool = True  # whether it blackens the ground


class Stage:
    """What one composition draws from: its random stream, its camera, and the wind."""

    def __init__(self, rng):
        self.rng = rng
        self.wind = rng.uniform(-0.3, 0.3)
        self.camera = None

    def pixels_a_metre(self, point):
        return self.camera.focal / (self.camera.axes[2] @ (point - self.camera.position))

    def column(self, fire, height, dark):
        """Let a column of smoke rise from a fire: `height` metres, black (1) to white (0)."""
        grey = 0.05 + 0.6 * (1 - dark) ** 2 * self.rng.uniform(0.6, 1.2)
        fire.smoke = (grey, grey, 1.03 * grey)
        top = max(fire.plumes, key=lambda p: p.height)
        lean = self.wind + math.copysign(self.rng.uniform(0.05, 0.25), self.wind)
        foot = top.foot + [0, 0, 0.25 * top.height]
        strength = self.rng.uniform(2, 6) * (0.4 + 0.6 * dark)
        fire.plumes.append(Plume(foot, height, "column", strength, self.rng.uniform(0.8, 1.4), 0, lean))


class Place(Stage):
    """A stage in a panorama: a flat ground around the camera."""

    def __init__(self, rng, place, shape):
        super().__init__(rng)
        self.place, self.shape = place, shape
        self.near, self.far = place["near"], place["far"]

    def look(self, row, distance, views="azimuths", fov=(45, 80)):
        """Set up the camera so that the ground at `distance` appears in the picture's row (0 top, 1 bottom)."""
        width, height = (round(LONG_SIDE * side / max(self.shape)) for side in self.shape)
        azimuth = self.rng.uniform(*self.rng.choice(self.place[views]))
        fov, eye = self.rng.uniform(*fov), self.rng.uniform(1.1, 1.9)
        focal = scene.focal_length(max(width, height), fov)
        tilt = math.degrees(math.atan((row - 0.5) * height / focal) - math.atan(eye / distance))
        self.camera = scene.Camera(azimuth, float(np.clip(tilt, -32, 14)), fov, width, height, eye)

    def look_near(self):
        """Look at something in the middle distance: how far it is, and in which column (0 left, 1 right)."""
        distance = self.rng.uniform(self.near, min(self.far, 1.8 * self.near))
        self.look(self.rng.uniform(0.55, 0.9), distance)
        return distance, self.rng.uniform(0.2, 0.8)

    def foot(self, distance, column):
        """The point on the ground at `distance` that appears in the picture's column."""
        sideways = (column - 0.5) * self.camera.width / self.camera.focal * distance
        return distance * self.camera.ahead + sideways * self.camera.right

    def plume(self, pixels, distance, column, family="plume", smoke=1.0, width=(0.8, 1.5), raised=0.0):
        """A flame that appears `pixels` high."""
        lean = self.wind + self.rng.uniform(-0.08, 0.08)
        foot = self.foot(distance, column) + [0, 0, raised]
        return Plume(foot, pixels * distance / self.camera.focal, family, smoke, self.rng.uniform(*width), lean=lean)

    def logs(self, plume):
        """A small heap of firewood under a flame."""
        radius, turn = 0.43 * plume.height, self.rng.uniform(0, 2 * math.pi)
        heap = []
        for n in range(int(self.rng.integers(4, 9))):
            at = plume.foot + [*self.rng.normal(0, 0.15 * radius, 2), radius * (0.12 + 0.1 * (n % 3))]
            thick, long = radius * self.rng.uniform(0.08, 0.15), radius * self.rng.uniform(1.0, 2.2)
            size = thick, long, turn + 1.1 * n + self.rng.uniform(-0.3, 0.3), self.rng.uniform(-0.15, 0.35)
            heap.append(scene.Thing("log", at, size, (0.10, 0.065, 0.04), rough=0.5))
        return heap


# One function per kind of scene in a panorama. Each points the camera and returns fires and other things.


def far(stage):
    """One to six small fires, far away."""
    rng = stage.rng
    distance = rng.uniform(0.5 * stage.far, stage.far)
    stage.look(rng.uniform(0.5, 0.8), distance)
    columns = rng.permutation(np.linspace(0.1, 0.9, 6))[: int(rng.choice([1, 1, 1, 2, 2, 3, 4, 6]))]
    fires = []
    for column in columns:
        family = rng.choice(["plume", "bonfire", "low", "tall"])
        plume = stage.plume(rng.uniform(12, 60), distance * rng.uniform(0.8, 1.2), column, family, 1.5)
        fires.append(Fire([plume]))
        if rng.random() < 0.35:
            stage.column(fires[-1], plume.height * rng.uniform(3, 7), rng.random())
    return fires, []


def group(stage):
    """Two or three fires of different size."""
    rng = stage.rng
    distance = rng.uniform(stage.near, (stage.near + stage.far) / 2)
    stage.look(rng.uniform(0.62, 0.88), distance)
    fires = []
    for column in rng.permutation([0.2, 0.5, 0.8])[: rng.integers(2, 4)]:
        column += rng.uniform(-0.05, 0.05)
        pixels = math.exp(rng.uniform(math.log(40), math.log(220)))
        plume = stage.plume(pixels, distance * rng.uniform(1, 1.6), column, rng.choice(["plume", "bonfire"]), 2)
        fires.append(Fire([plume], stage.logs(plume)))
    return fires, []


def line(stage):
    """A front of flames that burn into each other: one fire."""
    rng = stage.rng
    distance = rng.uniform(0.7 * stage.near + 0.3 * stage.far, stage.far)
    stage.look(rng.uniform(0.5, 0.85), distance)
    pixels, start = rng.uniform(25, 110), rng.uniform(0.0, 0.35)
    columns = start + pixels / stage.camera.width * np.arange(rng.integers(2, 6))
    row = [
        stage.plume(pixels * rng.uniform(0.6, 1.2), distance * rng.uniform(0.96, 1.04), c, "line", 2) for c in columns
    ]
    fire = Fire(row)
    if rng.random() < 0.7:
        stage.column(fire, row[0].height * rng.uniform(2, 5), rng.uniform(0, 0.8))
    return [fire], []


def close(stage):
    """A fire that fills much of the picture; its foot may lie outside."""
    rng = stage.rng
    stage.look(rng.uniform(0.8, 1.1), stage.near, fov=(45, 66))
    pixels = rng.uniform(0.45, 1.0) * stage.camera.height
    plume = stage.plume(
        pixels, stage.near, rng.uniform(0.25, 0.75), rng.choice(["big", "bonfire", "big"]), width=(0.9, 2)
    )
    return [Fire([plume], stage.logs(plume) if rng.random() < 0.4 else [])], []


def campfire(stage):
    distance, column = stage.look_near()
    plume = stage.plume(stage.rng.uniform(70, 260), distance, column, stage.rng.choice(["bonfire", "plume", "tall"]))
    return [Fire([plume], stage.logs(plume))], []


def smoke(stage):
    """One or two fires under heavy smoke."""
    rng = stage.rng
    distance, column = stage.look_near()
    spots = [(rng.uniform(40, 170), distance, column), (rng.uniform(30, 80), 1.3 * distance, column + 0.25)]
    fires = []
    for spot in spots[: int(rng.choice([1, 1, 2]))]:
        fires.append(Fire([stage.plume(*spot, rng.choice(["smoky", "bonfire", "low"]), smoke=4)]))
        stage.column(fires[-1], fires[-1].plumes[0].height * rng.uniform(2, 5), rng.uniform(0.4, 1))
    return fires, []


def drum(stage):
    """A fire in an oil drum."""
    rng = stage.rng
    distance, column = stage.look_near()
    radius, height = rng.uniform(0.28, 0.36), rng.uniform(0.6, 0.95)
    rust = tuple(rng.uniform(0.5, 1.2) * np.array([0.16, 0.09, 0.06]))
    body = scene.Thing("drum", stage.foot(distance, column), (radius, height), rust, rough=0.3)
    plume = stage.plume(rng.uniform(80, 190), distance, column, "bin", width=(0.8, 1.2), raised=height - 0.06)
    return [Fire([plume], [body])], []


def torch(stage):
    """A small steady flame on a stick or a candle."""
    rng = stage.rng
    distance, column = stage.look_near()
    pixels, raised = rng.uniform(25, 140), rng.uniform(0.2, 0.9)
    plume = stage.plume(pixels, distance, column, "candle", 0.1, (0.8, 1.2), raised)
    plume.lean *= 0.2
    thick = rng.uniform(0.08, 0.35) * plume.height
    wax = rng.uniform(0.3, 0.9) * np.array([1, rng.uniform(0.2, 0.95), rng.uniform(0.1, 0.8)])
    body = scene.Thing("drum", stage.foot(distance, column), (thick, raised), tuple(wax), emission=rng.uniform(0, 0.15))
    return [Fire([plume], [body], scorch=False)], []


def plain(stage):
    """No fire: what the backdrop itself has of suns, lamps and warm walls."""
    stage.look(stage.rng.uniform(0.55, 0.9), 6, views=stage.rng.choice(["lights", "azimuths"]))
    return [], []


def lamps(stage):
    """No fire, but warm lamps on posts."""
    rng = stage.rng
    distance, _ = stage.look_near()
    things = []
    for column in rng.permutation([0.15, 0.38, 0.62, 0.85])[: rng.integers(2, 5)]:
        foot = stage.foot(distance * rng.uniform(0.9, 1.8), column)
        top = foot + [0, 0, rng.uniform(0.5, 2.2)]
        warm = 1, rng.uniform(0.3, 0.75), rng.uniform(0.05, 0.3)
        things.append(scene.Thing("drum", foot, (0.03, top[2]), (0.03, 0.03, 0.03)))
        things.append(scene.Thing("sphere", top, (rng.uniform(0.05, 0.2),), warm, emission=rng.uniform(0.8, 5)))
    return [], things


def cones(stage):
    """No fire, but orange cones, balls and drums."""
    rng = stage.rng
    distance, _ = stage.look_near()
    things = []
    for column in rng.permutation([0.15, 0.32, 0.5, 0.68, 0.85])[: rng.integers(2, 5)]:
        foot = stage.foot(min(distance * rng.uniform(0.8, 1.5), 0.9 * stage.far), column)
        orange = rng.uniform(0.6, 0.9), rng.uniform(0.1, 0.35), 0.02
        radius, height = rng.uniform(0.14, 0.28), rng.uniform(0.5, 0.9)
        body = str(rng.choice(["cone", "cone", "sphere", "drum"]))
        at, size = (foot + [0, 0, radius], (radius,)) if body == "sphere" else (foot, (radius, height))
        things.append(scene.Thing(body, at, size, orange))
    return [], things


def steam(stage):
    """No fire, but steam, fog or smoke, white, grey or in warm light."""
    rng = stage.rng
    distance, column = stage.look_near()
    cloud = stage.plume(
        rng.uniform(120, 420), distance, column, rng.choice(["column", "drift"]), smoke=rng.uniform(2, 5)
    )
    cloud.flame = 0
    warm = rng.choice([[1, 0.72, 0.42], [1, 1, 1], [0.25, 0.25, 0.26]])
    return [Fire([cloud], smoke=tuple(rng.uniform(0.5, 2.5) * np.array(warm)), scorch=False)], []


KINDS = {
    kind.__name__: kind for kind in (far, group, line, close, campfire, smoke, drum, torch, plain, lamps, cones, steam)
}

# What burns at an anchor of a plate: flame families, and how likely smoke rises.
ANCHORS = {
    "floor": (["plume", "bonfire", "low"], 0.4),
    "window": (["window", "plume", "window"], 0.5),
    "roof": (["line", "bonfire", "big"], 0.8),
    "car": (["vehicle", "vehicle", "smoky"], 0.7),
    "bin": (["bin"], 0.4),
    "pan": (["bin"], 0.2),
    "stove": (["bin", "plume"], 0.2),
    "wall": (["wall"], 0.4),
    "grass": (["line", "low"], 0.6),
    "tree": (["tall", "plume"], 0.6),
    "log": (["bonfire", "plume"], 0.3),
    "furniture": (["bonfire", "plume", "smoky"], 0.4),
    "candle": (["candle"], 0.0),
    "heap": (["bonfire", "low", "big"], 0.7),
}
OPEN_AIR = {"floor", "roof", "car", "bin", "grass", "tree", "log", "heap", "wall", "window"}


class Set(Stage):
    """A stage in a plate: fires burn at its anchors, and the camera sees a crop of it."""

    def __init__(self, rng, plate, shape):
        super().__init__(rng)
        self.shape = shape
        self.camera = scene.Camera(**plate["meta"]["camera"])
        self.anchors = [a for a in plate["meta"]["anchors"] if self.sees(a, plate["depth"])]
        self.left = self.top = 0.0

    def sees(self, anchor, depth):
        """Whether the foot, the middle or the top of a flame at an anchor would appear in the plate."""
        foot = np.array(anchor["at"], float) + np.array(anchor.get("along", (0, 0, 0))) / 2
        for share in (0, 0.5, 1):
            point = foot + [0, 0, share * np.mean(anchor["height"])]
            pixel = self.camera.project(point)
            if pixel is None:
                continue
            x, y = int(pixel[0]), int(pixel[1])
            inside = 0 <= x < self.camera.width and 0 <= y < self.camera.height
            if inside and depth[y, x] > np.linalg.norm(point - self.camera.position) - 0.15:
                return True
        return False

    def frame(self, focus=None, zoom=(0.8, 1.0)):
        """Take a crop in the wanted shape, so that the point `focus` is seen; `zoom` in output pixels a plate pixel."""
        rng, whole = self.rng, self.camera
        width, height = (round(LONG_SIDE * side / max(self.shape)) for side in self.shape)
        # The crop must fit into the plate.
        least = max(width / whole.width, height / whole.height)
        zoom = max(least, math.exp(rng.uniform(*np.log(zoom))))
        w, h = width / zoom, height / zoom
        if focus is None:
            left, top = rng.uniform(0, whole.width - w), rng.uniform(0, whole.height - h)
        else:
            x, y = focus
            left = np.clip(x - rng.uniform(0.2, 0.8) * w, 0, whole.width - w)
            top = np.clip(y - rng.uniform(0.45, 0.9) * h, 0, whole.height - h)
        self.left, self.top = float(left), float(top)
        self.camera = whole.crop(self.left, self.top, width, height, zoom)

    def fire(self, anchor, share, smoking):
        """The fire of one anchor; `share` (0 to 1) of its range of heights."""
        rng = self.rng
        families, smoky = ANCHORS[anchor["kind"]]
        at, along = np.array(anchor["at"], float), np.array(anchor.get("along", (0, 0, 0)), float)
        low, high = anchor["height"]
        height = low + share * (high - low)
        count = 1 + int(np.linalg.norm(along) / (1.6 * height))
        across = anchor.get("width", 0)
        if not along.any() and across > 1.2 * height:  # a wide place burns in several tongues, seen side by side
            count = min(3, round(across / height))
            along = across * 0.7 * self.camera.right
            at = at - along / 2
        plumes = []
        for n in range(count):
            foot = at + along * (n + rng.uniform(0.2, 0.8)) / count
            lean = (self.wind if anchor["kind"] in OPEN_AIR else 0) + rng.uniform(-0.1, 0.1)
            family = str(rng.choice(families))
            width = rng.uniform(0.8, 1.4)
            plumes.append(Plume(foot, height * rng.uniform(0.7, 1.15), family, rng.uniform(0.5, 2.5), width, lean=lean))
        one = Fire(plumes, scorch=anchor["kind"] in ("floor", "grass", "log", "heap"))
        if smoking and rng.random() < smoky:
            inside = anchor["kind"] == "window"
            self.column(
                one, height * rng.uniform(1.2, 2) if inside else height * rng.uniform(2, 5), rng.random() ** 0.5
            )
        return one

    def burn(self):
        """Fires at some anchors of one kind, mostly at one: (kind, fires)."""
        rng, anchors = self.rng, self.anchors
        kind = str(rng.choice(sorted({a["kind"] for a in anchors})))
        same = [a for a in anchors if a["kind"] == kind]
        count = rng.integers(1, 5) if kind in ("window", "candle") else min(3, rng.geometric(0.65))
        chosen = [same[i] for i in rng.permutation(len(same))[:count]]
        share, smoking = rng.random(), rng.random() < 0.8
        lead = chosen[0]
        at = np.array(lead["at"], float)
        tall = np.interp(share, (0, 1), lead["height"]) * self.pixels_a_metre(at)
        wanted = math.exp(rng.uniform(*np.log((0.03, 0.95)))) * LONG_SIDE
        zoom = float(np.clip(wanted / tall, 0.8, 2.5))
        self.frame(self.camera.project(at + np.array(lead.get("along", (0, 0, 0))) / 2), (0.9 * zoom, 1.1 * zoom))
        return kind, [self.fire(a, np.clip(share + rng.uniform(-0.2, 0.2), 0, 1), smoking) for a in chosen]

    def rest(self):
        """No fire: the place as it is, now and then with steam or smoke."""
        rng, anchors = self.rng, self.anchors
        self.frame(zoom=(0.8, 1.6))
        if not anchors or rng.random() > 0.25:
            return "plain", []
        at = np.array(anchors[rng.integers(len(anchors))]["at"])
        tall, grey = rng.uniform(100, 400) / self.pixels_a_metre(at), rng.uniform(0.2, 1.5)
        family = rng.choice(["column", "drift"])
        cloud = Plume(at, tall, family, rng.uniform(1.5, 4), rng.uniform(0.8, 1.4), 0, self.wind)
        return "steam", [Fire([cloud], smoke=(grey, grey, grey), scorch=False)]


# How many pictures, and how often each kind is seen in a panorama. Every plate is seen `a_plate` times.
SPLITS = {
    "train": dict(
        count=480, a_plate=5, kinds=dict(
            far=30, campfire=26, group=14, close=42, line=22, smoke=30, drum=8, torch=14,
            plain=16, lamps=8, cones=8, steam=10,
        ),
    ),
    "val": dict(
        count=120, a_plate=4, kinds=dict(
            far=8, campfire=6, group=4, close=9, line=5, smoke=7, drum=2, torch=4,
            plain=4, lamps=2, cones=2, steam=3,
        ),
    ),
}  # fmt: skip
ROOMY = {"far", "line", "smoke", "group", "drum", "lamps"}  # kinds that need a wide place
NEAR = {"close", "torch"}  # kinds whose background may be out of focus


def fits(kind, panorama):
    """Whether a kind of scene may be set in a panorama."""
    return (kind not in ROOMY or backdrops.PANORAMAS[panorama]["far"] >= 9) and (
        not backdrops.PANORAMAS[panorama]["soft"] or kind in NEAR
    )


def plan():
    """One entry per picture, the same on every machine."""
    entries = []
    for split, rules in SPLITS.items():
        names = [name for name, plate in plates.PLATES.items() if plate.split == split]
        shots = [(name, "plate", "fire" if n else "plain") for name in names for n in range(rules["a_plate"])]
        left = rules["count"] - len(shots)
        total, given = sum(rules["kinds"].values()), 0
        uses = {name: 0 for name, place in backdrops.PANORAMAS.items() if place["split"] == split}
        for n, (kind, weight) in enumerate(rules["kinds"].items()):
            upto = round(left * sum(list(rules["kinds"].values())[: n + 1]) / total)
            for _ in range(upto - given):
                room = [p for p in uses if fits(kind, p)]
                name = min(room, key=uses.get)
                uses[name] += 1
                shots.append((name, "panorama", kind))
            given = upto
        for n, i in enumerate(np.random.default_rng(7).permutation(len(shots))):
            backdrop, source, kind = shots[i]
            shape = SHAPES[n % len(SHAPES)]
            number = len(entries)
            entries.append(dict(number=number, split=split, source=source, backdrop=backdrop, kind=kind, shape=shape))
    return entries
