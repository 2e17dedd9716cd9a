"""Built places: houses, flats, towers, yards, roads and car parks, drawn anew from every seed. See blender.py.

A building faces the camera, which looks along +y. Every place is clutter, dirt and weather besides its main thing.
"""

import math

import blender
import numpy as np
import scene
from blender import Nodes, Plate, Shot, material

SHAPES = {"4:3": (800, 600), "16:9": (800, 450), "3:4": (600, 800), "1:1": (720, 720), "3:2": (800, 534)}
CORNERS = np.array(list(np.ndindex(2, 2, 2)))
SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
WALLS = {  # colour, a second colour, pattern
    "brick": ((0.30, 0.10, 0.06), (0.20, 0.07, 0.05), "brick"),
    "yellow brick": ((0.42, 0.30, 0.16), (0.30, 0.20, 0.11), "brick"),
    "dark brick": ((0.14, 0.08, 0.06), (0.09, 0.06, 0.05), "brick"),
    "white": ((0.62, 0.60, 0.55), (0.48, 0.46, 0.41), None),
    "ochre": ((0.52, 0.37, 0.18), (0.42, 0.29, 0.14), None),
    "rose": ((0.50, 0.30, 0.24), (0.38, 0.24, 0.20), None),
    "concrete": ((0.33, 0.32, 0.30), (0.21, 0.205, 0.20), None),
    "boards": ((0.42, 0.40, 0.36), (0.30, 0.28, 0.25), "boards"),
    "red boards": ((0.28, 0.06, 0.04), (0.18, 0.05, 0.035), "boards"),
    "metal": ((0.36, 0.39, 0.41), (0.27, 0.29, 0.30), "ribs"),
    "blue metal": ((0.10, 0.17, 0.26), (0.07, 0.11, 0.16), "ribs"),
    "green metal": ((0.10, 0.20, 0.13), (0.08, 0.13, 0.09), "ribs"),
}
PAINTS = [
    (0.5, 0.5, 0.5), (0.62, 0.62, 0.6), (0.03, 0.03, 0.035), (0.09, 0.1, 0.11), (0.35, 0.02, 0.02),
    (0.03, 0.07, 0.2), (0.05, 0.1, 0.08), (0.25, 0.2, 0.14), (0.02, 0.03, 0.06), (0.55, 0.14, 0.02),
]  # fmt: skip
COATS = [
    (0.02, 0.02, 0.03),
    (0.03, 0.04, 0.09),
    (0.65, 0.16, 0.02),
    (0.6, 0.45, 0.03),
    (0.2, 0.02, 0.02),
    (0.2, 0.2, 0.2),
]


# ------------------------------------------------------------------------------------------------------------ surfaces
def surface(colour, other, pattern=None, dirt=0.5, period=2.0, grit=0.25, rough=0.85):
    """A weathered wall, roof or ground in world coordinates, so that it runs on from piece to piece.

    pattern: brick, boards, tiles, ribs, slabs or None; dirt: how dark streaks and the foot of a wall become;
    grit: how much the fine grain varies."""
    import bpy

    made = bpy.data.materials.new("surface")
    node = Nodes(made)
    where = node("ShaderNodeNewGeometry").outputs["Position"]
    axes = node("ShaderNodeSeparateXYZ", {0: where}).outputs
    along = node.math("ADD", axes["X"], axes["Y"])

    def noise(vector, scale, low, high):
        grain = node(
            "ShaderNodeTexNoise", {"Vector": vector, "Scale": scale, "Detail": 6.0, "Roughness": 0.65}
        ).outputs[0]
        spread = {"Value": grain, "From Min": 0.3, "From Max": 0.7, "To Min": low, "To Max": high}
        return node("ShaderNodeMapRange", spread).outputs[0]

    shade = node.mix(noise(where, 1 / period, 0.0, 1.0), colour, other)
    relief = noise(where, 40.0, 0.0, 0.15)
    wide, high, gap, flat = {
        "brick": (0.26, 0.085, 0.012, (along, axes["Z"])),
        "boards": (3.1, 0.16, 0.012, (along, axes["Z"])),
        "tiles": (0.28, 0.2, 0.018, (axes["X"], axes["Z"])),
        "slabs": (0.6, 0.6, 0.012, (axes["X"], axes["Y"])),
    }.get(pattern, (0, 0, 0, None))
    if flat:
        grid = node("ShaderNodeCombineXYZ", {"X": flat[0], "Y": flat[1]}).outputs[0]
        look = {"Vector": grid, "Color1": (0.75, 0.75, 0.75), "Color2": (1.0, 1.0, 1.0), "Mortar": (0.5, 0.5, 0.5)}
        size = {"Scale": 1.0, "Mortar Size": gap, "Brick Width": wide, "Row Height": high}
        bond = node("ShaderNodeTexBrick", look | size).outputs
        shade = node.mix(1.0, shade, bond["Color"], "MULTIPLY")
        relief = node.math("SUBTRACT", relief, bond["Fac"])
    if pattern == "ribs":
        relief = node.math("MULTIPLY", node.math("SINE", node.math("MULTIPLY", along, 30.0)), 2.0)
    streaks = node("ShaderNodeMapping", {"Vector": where, "Scale": (1.2, 1.2, 0.12)}).outputs[0]
    foot = node("ShaderNodeMapRange", {"Value": axes["Z"], "From Max": 0.9, "To Min": 1 - 0.6 * dirt}).outputs[0]
    wear = node.math("MULTIPLY", noise(streaks, 1.5, 1 - dirt, 1.15), noise(where, 25.0, 1 - grit, 1 + grit))
    if pattern not in ("slabs", "ground"):
        wear = node.math("MULTIPLY", wear, foot)
    grey = node("ShaderNodeCombineColor", {0: wear, 1: wear, 2: wear}).outputs[0]
    shade = node.mix(1.0, shade, grey, "MULTIPLY")
    normal = node("ShaderNodeBump", {"Strength": 0.7, "Distance": 0.012, "Height": relief}).outputs[0]
    look = {"Base Color": shade, "Roughness": rough, "Specular IOR Level": 0.25, "Normal": normal}
    node("ShaderNodeOutputMaterial", {"Surface": node("ShaderNodeBsdfPrincipled", look).outputs[0]})
    return made


def walling(name):
    colour, other, pattern = WALLS[name]
    return surface(colour, other, pattern)


def paint(colour, rough=0.35):
    """Painted metal with a film of dust."""
    dusty = tuple(0.75 * c + 0.03 for c in colour)
    return material("paint", colour, dusty, period=1.2, rough=rough)


def plain(colour, rough=0.7, period=0.4, glow=0.0):
    return material("plain", colour, tuple(0.65 * c for c in colour), period=period, rough=rough, glow=glow)


def glass(colour=(0.015, 0.02, 0.022)):
    return material("glass", colour, tuple(2.5 * c for c in colour), period=1.5, rough=0.07)


# -------------------------------------------------------------------------------------------------------------- shapes
class Pile:
    """Shapes put together into one mesh, in a frame of their own: at a point, turned about z (radians)."""

    def __init__(self, at=(0, 0, 0), turn=0.0, parts=None):
        self.at, self.turn = np.array(at, float), turn
        self.parts = [] if parts is None else parts
        c, s = math.cos(turn), math.sin(turn)
        self.axes = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])

    def inside(self, at, turn=0.0):
        """A frame within this one; its shapes belong to the same mesh."""
        return Pile(self.point(at), self.turn + turn, self.parts)

    def point(self, p):
        return np.asarray(p, float) @ self.axes + self.at

    def add(self, points, faces, skin):
        self.parts.append((self.point(points), np.asarray(faces), skin))

    def block(self, corners, skin):
        """A body of eight corners, in the order (low x, low y, low z), (low x, low y, high z), ..."""
        self.add(corners, SIDES, skin)

    def box(self, low, high, skin):
        self.block(np.where(CORNERS, high, low), skin)

    def crate(self, middle, size, skin, tilt=(0.0, 0.0, 0.0)):
        """A box around a point, tilted about x, y and z."""
        points = (CORNERS - 0.5) * size
        for axis, angle in enumerate(tilt):
            a, b = [(1, 2), (2, 0), (0, 1)][axis]
            c, s = math.cos(angle), math.sin(angle)
            points[:, [a, b]] = points[:, [a, b]] @ np.array([[c, s], [-s, c]])
        self.block(points + middle, skin)

    def tube(self, start, end, radius, skin, sides=14, tip=None):
        """A round bar from one point to another, capped; `tip` is the radius of its end."""
        start, end = np.array(start, float), np.array(end, float)
        axis = (end - start) / np.linalg.norm(end - start)
        u = np.cross(axis, [1, 0, 0] if abs(axis[0]) < 0.9 else [0, 1, 0])
        u /= np.linalg.norm(u)
        angle = np.arange(sides) / sides * 2 * math.pi
        ring = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * np.cross(axis, u)
        low, high = start + radius * ring, end + (radius if tip is None else tip) * ring
        n = np.arange(sides)
        m = (n + 1) % sides
        self.add(np.concatenate([low, high]), np.stack([n, m, m + sides, n + sides], -1), skin)
        self.add(low, n[None, ::-1], skin)
        self.add(high, n[None], skin)

    def ball(self, middle, radii, skin, lumps=0.0, rng=None):
        """An ellipsoid, dented by `lumps`."""
        rows, columns = 9, 14
        el = np.linspace(-math.pi / 2, math.pi / 2, rows)[:, None]
        az = np.arange(columns) / columns * 2 * math.pi
        unit = np.stack([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el) + 0 * az], -1)
        if lumps:
            unit = unit * (1 + lumps * rng.normal(size=(rows, columns, 1)))
        i, j = np.mgrid[: rows - 1, :columns].reshape(2, -1)
        k = (j + 1) % columns
        faces = np.stack([i * columns + j, i * columns + k, (i + 1) * columns + k, (i + 1) * columns + j], -1)
        self.add(unit.reshape(-1, 3) * radii + middle, faces, skin)

    def extrude(self, profile, wide, skin, top=None):
        """A side view ((x, z), ...) from left to right; `top` is the width at its highest point."""
        profile = np.array(profile, float)
        low, high = profile[:, 1].min(), profile[:, 1].max()
        half = (wide + ((top or wide) - wide) * (profile[:, 1] - low) / (high - low)) / 2
        left = np.stack([profile[:, 0], -half, profile[:, 1]], -1)
        n = np.arange(len(profile))
        m = (n + 1) % len(n)
        self.add(np.concatenate([left, left * [1, -1, 1]]), np.stack([n, m, m + len(n), n + len(n)], -1), skin)
        self.add(left, n[None], skin)
        self.add(left * [1, -1, 1], n[None, ::-1], skin)

    def put(self, at=(0, 0, 0), turn=0.0, bevel=0.0, smooth=False, scale=1.0):
        made = blender.place(blender.mesh("pile", self.parts, smooth), at, turn, scale)
        if bevel:
            edge = made.modifiers.new("bevel", "BEVEL")
            edge.width, edge.segments, edge.limit_method = bevel, 2, "ANGLE"
        return made


# --------------------------------------------------------------------------------------------------------------- light
def sky(rng, name):
    """The light of a place: one of the panoramas, turned at random, or a drawn sky. Returns the colour of its haze."""
    grey = rng.uniform(0.7, 1.0)
    if name == "overcast":
        blender.gradient(
            (0.62 * grey, 0.66 * grey, 0.72 * grey), (0.85, 0.86, 0.88), cloud=0.8, cloud_colour=(0.5, 0.52, 0.56)
        )
        return 0.8, 0.82, 0.85
    if name == "grey":
        blender.gradient((0.5, 0.52, 0.55), (0.66, 0.67, 0.69), strength=grey)
        return tuple(np.array([0.62, 0.63, 0.65]) * grey)
    if name == "blue":
        blender.gradient((0.13, 0.27, 0.62), (0.62, 0.72, 0.85), cloud=rng.uniform(0.2, 0.9))
        blender.sun(rng.choice([-1, 1]) * rng.uniform(70, 150), rng.uniform(25, 60), rng.uniform(4, 7))
        return 0.6, 0.7, 0.82
    if name == "dusk":
        blender.gradient(
            (0.03, 0.05, 0.12), (0.28, 0.18, 0.14), strength=0.5, cloud=0.5, cloud_colour=(0.06, 0.05, 0.07)
        )
        return 0.1, 0.07, 0.07
    if name == "dark":
        blender.gradient((0.004, 0.006, 0.012), (0.02, 0.018, 0.018), cloud=0.6, cloud_colour=(0.02, 0.016, 0.014))
        return 0.01, 0.01, 0.01
    blender.hdri(name, rng.uniform(0, 360))
    return {"night": (0.05, 0.05, 0.06), "forest": (0.3, 0.33, 0.3)}.get(name, (0.55, 0.56, 0.58))


def floor(colour, other, pattern="ground", x=(-300, 300), y=(-60, 900), z=0.0, **look):
    """A level piece of ground."""
    skin = surface(colour, other, pattern, dirt=0.35, **look)
    middle, half = np.mean([x, y], axis=1), np.ptp([x, y], axis=1) / 2
    points = [[a * half[0], b * half[1], 0] for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    blender.place(blender.mesh("ground", [(points, [[0, 1, 2, 3]], skin)], False), (*middle, z), ground=True)


def asphalt(rng, **where):
    tone = rng.uniform(0.05, 0.11)
    floor((tone, tone, 1.03 * tone), (0.6 * tone, 0.6 * tone, 0.6 * tone), period=rng.uniform(2, 6), **where)


def lawn(rng, **where):
    dry = rng.uniform(0, 1)
    fresh, straw = np.array([0.055, 0.09, 0.025]), np.array([0.2, 0.16, 0.07])
    colour = (1 - dry) * fresh + dry * straw
    floor(tuple(colour), tuple(0.55 * colour), period=rng.uniform(0.8, 3), grit=0.6, **where)


def grass(rng, x, y, count=5000, tall=0.16):
    """Tufts that break up the edge between a lawn and what stands on it."""
    at = np.stack([rng.uniform(*x, count), rng.uniform(*y, count), np.zeros(count)], -1)
    side = rng.normal(0, 0.008, (count, 3)) * [1, 1, 0]
    tip = at + rng.normal(0, 0.07, (count, 3)) * [1, 1, 0] + rng.uniform(0.3, 1, (count, 1)) * [0, 0, tall]
    points = np.stack([at - side, at + side, tip], 1).reshape(-1, 3)
    skin = material("tuft", (0.07, 0.11, 0.03), (0.18, 0.15, 0.06), period=2, island=0.7, leaf=True)
    blender.place(blender.mesh("tufts", [(points, np.arange(3 * count).reshape(-1, 3), skin)]))


# -------------------------------------------------------------------------------------------------------------- plants
def foliage(rng, radii, count, size):
    """Leaves in clumps inside an ellipsoid around (0, 0, 0): (vertices, faces)."""
    clumps = rng.normal(size=(max(6, count // 60), 3))
    clumps *= (rng.uniform(0.3, 0.9, len(clumps)) / np.linalg.norm(clumps, axis=1))[:, None]
    at = clumps[rng.integers(len(clumps), size=count)] + rng.normal(0, 0.17, (count, 3))
    u, v = rng.normal(size=(2, count, 3)) * size
    middle = at * radii
    points = np.stack([middle - u, middle + 0.6 * v, middle + u, middle - 0.6 * v], 1).reshape(-1, 3)
    return points, np.arange(4 * count).reshape(-1, 4)


def trees(rng, places, tall=7.0, autumn=False, bare=False):
    """One kind of tree at many places: trunk, boughs and leaves; `bare` leaves only the wood."""
    bark = plain((0.07, 0.055, 0.045), 0.9)
    tints = [(0.35, 0.16, 0.03), (0.28, 0.2, 0.04)] if autumn else [(0.04, 0.075, 0.02), (0.075, 0.1, 0.03)]
    leaf = material("leaf", tints[0], tints[1], period=1.5, island=0.6, vary=0.0, leaf=True)
    kinds = []
    for _ in range(2):
        tree = Pile()
        tree.tube((0, 0, 0), (0.1, 0, 0.5), 0.035, bark, 7, 0.022)
        for _ in range(9):
            foot, heading = rng.uniform(0.25, 0.5), rng.uniform(0, 2 * math.pi)
            out = rng.uniform(0.15, 0.33)
            end = (out * math.cos(heading), out * math.sin(heading), foot + rng.uniform(0.2, 0.45))
            tree.tube((0.2 * foot, 0, foot), end, 0.012, bark, 5, 0.003)
        if not bare:
            points, faces = foliage(rng, (0.42, 0.42, 0.36), 3500, 0.016)
            tree.add(points + [0.05, 0, 0.66], faces, leaf)
        kinds.append(blender.mesh("tree", tree.parts))
    for at in places:
        blender.place(kinds[rng.integers(2)], at, rng.uniform(0, 6.3), tall * rng.uniform(0.7, 1.3))


def bushes(rng, places, size=1.2):
    leaf = material("bush", (0.04, 0.065, 0.02), (0.09, 0.1, 0.035), period=0.7, island=0.6, leaf=True)
    one = blender.mesh("bush", [(*foliage(rng, (0.7, 0.7, 0.55), 2500, 0.035), leaf)])
    for x, y in places:
        blender.place(one, (x, y, 0.35 * size), rng.uniform(0, 6.3), size * rng.uniform(0.7, 1.3))


def backdrop(rng, away, autumn=False):
    """What closes the view: trees and plain buildings in the distance."""
    trees(rng, [(x, away + rng.uniform(0, 25), 0) for x in np.arange(-1.1 * away, 1.1 * away, 6)], 9, autumn)
    far = Pile()
    for _ in range(14):
        x, y = rng.uniform(-1.2, 1.2) * away, away * rng.uniform(1.3, 2.2)
        wide, tall = rng.uniform(8, 25), rng.uniform(6, 22)
        tone = rng.uniform(0.15, 0.45)
        far.box((x, y, 0), (x + wide, y + 12, tall), plain((tone, 0.95 * tone, 0.88 * tone), period=3))
        for z in np.arange(1.2, tall - 2, 3):
            far.box((x + 1, y - 0.05, z), (x + wide - 1, y, z + 1.3), glass())
    far.put()


# -------------------------------------------------------------------------------------------------------------- things
def people(rng, places):
    """Figures of a few shapes: legs, coat, arms, head, some with a helmet and bright bands."""
    for x, y in places:
        coat, legs = COATS[rng.integers(len(COATS))], plain((0.02, 0.022, 0.03))
        cloth, face = plain(coat), plain((0.4, 0.25, 0.17))
        stride, one = rng.uniform(0.05, 0.2), Pile()
        for side in (-1, 1):
            one.tube((side * stride, 0.1 * side, 0.0), (0, 0.09 * side, 0.88), 0.07, legs, 8, 0.095)
            one.crate((side * stride + 0.05, 0.1 * side, 0.04), (0.26, 0.1, 0.08), legs)
            elbow = (rng.uniform(-0.05, 0.2), 0.28 * side, 1.08)
            one.tube((0, 0.19 * side, 1.42), elbow, 0.06, cloth, 8)
            one.tube(elbow, (elbow[0] + 0.18, 0.24 * side, 0.92), 0.052, cloth, 8)
        one.tube((0, 0, 0.8), (0, 0, 1.2), 0.2, cloth, 12, 0.18)
        one.tube((0, 0, 1.2), (0, 0, 1.5), 0.18, cloth, 12, 0.11)
        one.ball((0.02, 0, 1.64), (0.1, 0.085, 0.125), face)
        if rng.random() < 0.5:
            band = plain((0.7, 0.7, 0.55), 0.3)
            for z, r in ((0.92, 0.203), (1.18, 0.19)):
                one.tube((0, 0, z), (0, 0, z + 0.05), r, band, 12)
            one.ball(
                (0, 0, 1.7),
                (0.15, 0.13, 0.1),
                plain((0.6, 0.5, 0.05) if rng.random() < 0.6 else (0.02, 0.02, 0.02), 0.3),
            )
        else:
            one.ball((-0.015, 0, 1.68), (0.105, 0.09, 0.11), plain((0.03, 0.02, 0.015)))
        one.put((x, y, 0), rng.uniform(0, 6.3), smooth=True, scale=rng.uniform(0.93, 1.06))


def wheels(pile, places, radius, wide):
    """Wheels with rims in dark arches, on both sides of a vehicle `wide` metres broad."""
    tyre, rim = plain((0.015, 0.015, 0.016), 0.9), plain((0.3, 0.3, 0.31), 0.35)
    for x in places:
        for side in (-1, 1):
            y = side * wide / 2
            pile.tube((x, y - side * 0.24, radius + 0.03), (x, y + side * 0.004, radius + 0.03), 1.2 * radius, tyre, 20)
            pile.tube((x, y - side * 0.22, radius), (x, y + side * 0.03, radius), radius, tyre, 20)
            pile.tube((x, y, radius), (x, y + side * 0.036, radius), 0.62 * radius, rim, 14)


def car(rng, at, turn, lit=False, colour=None):
    """A car of a random kind, its front along +x before it is turned. Returns anchors: bonnet and cabin."""
    body = paint(colour or PAINTS[rng.integers(len(PAINTS))])
    panes, dark = glass(), plain((0.02, 0.02, 0.02), 0.6)
    red, white = (
        plain((0.5, 0.01, 0.01), 0.3, glow=6 if lit else 0.0),
        plain((0.8, 0.8, 0.72), 0.15, glow=12 if lit else 0.0),
    )
    wide, tall = rng.uniform(1.7, 1.84), rng.choice([0.0, 0.0, 0.12, 0.22])
    back, top = rng.choice([-1.62, -2.0, -2.08]), 1.44 + tall
    waist, one = 0.94 + 0.5 * tall, Pile()
    nose = [(2.02, waist - 0.24), (2.16, 0.62), (2.14, 0.3)]
    one.extrude(
        [(-2.12, 0.32), (-2.16, 0.7), (-2.08, waist - 0.02), (0.95, waist), (1.2, waist - 0.04), *nose],
        wide,
        body,
        wide - 0.1,
    )
    cabin = [
        (back - 0.08, waist - 0.02),
        (back + 0.4, top - 0.04),
        (-0.35, top),
        (0.12, top - 0.03),
        (0.95, waist - 0.01),
    ]
    low, high = wide - 0.14, wide - 0.46
    one.extrude(cabin, low, panes, high)
    one.box((back + 0.42, -high / 2, top - 0.04), (0.12, high / 2, top + 0.025), body)
    for foot, head in ((back - 0.02, back + 0.47), (-0.55, -0.5), (0.9, 0.1)):
        for side in (-1, 1):
            corners = [
                (x + d, side * (half + e), z)
                for d in (-0.05, 0.05)
                for e in (-0.06, 0.012)
                for x, half, z in ((foot, low / 2, waist - 0.04), (head, high / 2, top))
            ]
            one.block(corners, body)
    for side in (-1, 1):
        one.crate((2.08, side * (wide / 2 - 0.25), 0.64), (0.14, 0.38, 0.13), white)
        one.crate((-2.13, side * (wide / 2 - 0.2), 0.74), (0.1, 0.32, 0.16), red)
        one.crate((0.72, side * (wide / 2 + 0.06), waist + 0.06), (0.1, 0.18, 0.12), body)
        one.crate((-0.1, side * (wide / 2 - 0.005), waist - 0.14), (0.2, 0.02, 0.03), dark)
    one.crate((2.13, 0, 0.42), (0.1, wide - 0.3, 0.16), dark)
    one.crate((-2.15, 0, 0.4), (0.08, wide - 0.2, 0.12), dark)
    one.crate((-2.17, 0, 0.56), (0.03, 0.5, 0.11), plain((0.6, 0.6, 0.55)))
    one.crate((2.19, 0, 0.46), (0.02, 0.5, 0.11), plain((0.6, 0.6, 0.55)))
    one.box((-2, -wide / 2 + 0.1, 0.18), (2, wide / 2 - 0.1, 0.4), dark)
    wheels(one, (-1.32, 1.32), 0.31, wide)
    one.put(at, turn, bevel=0.035)
    frame = Pile(at, turn)
    return [
        dict(kind="car", at=frame.point((1.5, 0, waist - 0.1)), height=(0.5, 2.2), width=1.2),
        dict(kind="car", at=frame.point((-0.4, 0, waist)), height=(0.8, 3.0), width=1.5),
    ]


def coach(rng, at, turn, kind="bus", lit=False):
    """A bus, a van or a lorry, its front along +x. Returns its anchors."""
    long, tall, wide = dict(bus=(10.5, 3.0, 2.5), van=(5.4, 2.35, 1.95), lorry=(9.0, 3.6, 2.5))[kind]
    body, panes, dark = paint(PAINTS[rng.integers(len(PAINTS))]), glass(), plain((0.02, 0.02, 0.022))
    red, white = (
        plain((0.5, 0.01, 0.01), 0.3, glow=6 if lit else 0.0),
        plain((0.8, 0.8, 0.72), 0.15, glow=12 if lit else 0.0),
    )
    one, front, rear = Pile(), long / 2, -long / 2
    if kind == "lorry":
        load = plain(tuple(rng.choice([0.5, 0.3, 0.1]) * rng.uniform(0.5, 1.2, 3)), period=2.5)
        one.box((rear, -wide / 2, 1.05), (front - 2.3, wide / 2, tall), load)
        for x in np.arange(rear + 0.05, front - 2.3, 1.2):
            one.box((x, -wide / 2 - 0.02, 1.05), (x + 0.06, wide / 2 + 0.02, tall), load)
        one.box((rear, -0.5, 0.7), (front - 0.4, 0.5, 1.05), dark)
        one.extrude(
            [(front - 2, 0.5), (front - 2, 3.0), (front - 0.35, 3.05), (front, 1.7), (front, 0.5)],
            wide - 0.1,
            body,
            wide - 0.2,
        )
        one.box((front - 1.2, -wide / 2 + 0.03, 1.75), (front - 0.35, wide / 2 - 0.03, 2.5), panes)
        shield = [(front - x, y, z) for x in (0.02, -0.03) for y in (-1.05, 1.05) for z in (1.72,)]
        one.block([(x - 0.2 * k + 0.015, y, z + 0.75 * k) for x, y, z in shield for k in (0, 1)], panes)
        wheels(one, (rear + 1.2, rear + 2.4, front - 1.2), 0.5, wide)
    else:
        rise = 0.55 if kind == "van" else 0.15
        slope = 1.5 if kind == "van" else 0.2
        nose = [(front - slope, tall), (front - 0.25 * slope - 0.1, tall * 0.52), (front, tall * 0.4), (front, 0.35)]
        one.extrude([(rear, 0.35), (rear, tall - rise * 0.2), (rear + 0.15, tall), *nose], wide, body, wide - 0.14)
        glassy = np.arange(rear + 0.5, front - 1.6, 1.55) if kind == "bus" else [front - 2.4]
        for x in glassy:
            one.box(
                (x, -wide / 2 + 0.0, 1.4), (x + (1.42 if kind == "bus" else 0.95), wide / 2 - 0.0, tall - 0.6), panes
            )
        if kind == "van":
            foot, head = (front - 0.4, tall * 0.53), (front - slope + 0.02, tall - 0.12)
        else:
            foot, head = (front - 0.12, 1.25), (front - 0.2, tall - 0.5)
        corners = [
            (x + d, y, z) for d in (-0.1, 0.03) for y in (-wide / 2 + 0.2, wide / 2 - 0.2) for x, z in (foot, head)
        ]
        one.block(corners, panes)
        one.box((rear - 0.02, -wide / 2 + 0.3, tall * 0.55), (rear + 0.05, wide / 2 - 0.3, tall * 0.8), panes)
        wheels(one, (rear + 0.2 * long, front - 0.19 * long), 0.48 if kind == "bus" else 0.34, wide)
    for side in (-1, 1):
        one.crate((rear, side * (wide / 2 - 0.2), 0.85), (0.06, 0.2, 0.4), red)
        one.crate((front, side * (wide / 2 - 0.3), 0.75), (0.08, 0.4, 0.18), white)
    one.box((rear - 0.03, -wide / 2 + 0.1, 0.4), (rear + 0.1, wide / 2 - 0.1, 0.6), dark)
    one.box((front - 0.1, -wide / 2 + 0.1, 0.4), (front + 0.04, wide / 2 - 0.1, 0.62), dark)
    one.put(at, turn, bevel=0.05)
    frame = Pile(at, turn)
    spots = {"van": (front - 0.7, 1.2), "bus": (rear + 0.6, 1.6), "lorry": (front - 1, 1.8)}
    x, z = spots[kind]
    return [
        dict(kind="car", at=frame.point((x, 0, z)), height=(1, 4), width=1.8),
        dict(kind="car", at=frame.point((-0.1 * long, 0, tall - 0.3)), height=(1, 4.5), width=2.2),
    ]


def lamp_post(rng, at, turn, lit=False, tall=7.0):
    steel, one = plain((0.2, 0.21, 0.22), 0.5), Pile(at, turn)
    one.tube((0, 0, 0), (0, 0, tall), 0.09, steel, 10, 0.05)
    one.tube((0, 0, tall - 0.1), (1.4, 0, tall + 0.15), 0.04, steel, 8)
    one.crate((1.6, 0, tall + 0.14), (0.7, 0.25, 0.12), steel)
    colour = (1, 0.5, 0.15) if rng.random() < 0.6 else (1, 0.86, 0.66)
    one.crate((1.6, 0, tall + 0.05), (0.55, 0.18, 0.06), plain(colour, glow=40 if lit else 0))
    one.put(bevel=0.01)
    if lit:
        blender.lamp(one.point((1.6, 0, tall - 0.15)), rng.uniform(350, 700), colour, 0.25)


def bin_(rng, at, turn, big=False):
    """A wheeled bin, or a container for rubbish. Returns its anchor: fire over an open lid."""
    skin = plain([(0.03, 0.06, 0.04), (0.02, 0.03, 0.06), (0.03, 0.03, 0.03), (0.3, 0.2, 0.03)][rng.integers(4)], 0.5)
    x, y, z = (1.35, 0.95, 1.15) if big else (0.58, 0.68, 1.0)
    one, open_lid = Pile(at, turn), rng.random() < 0.6
    foot = np.where(CORNERS[:, 2:], 0.5, 0.4) * np.where(CORNERS[:, :2], 1, -1) * (x, y)
    one.block(np.column_stack([foot, np.where(CORNERS[:, 2], z, 0.1)]), skin)
    one.crate((0, 0, z), (x + 0.08, y + 0.08, 0.06), skin)
    if open_lid:
        one.crate((0, y / 2 + 0.1, z + 0.25), (x, 0.05, 0.6), skin, (-0.3, 0, 0))
        one.crate((0, 0, z + 0.04), (x - 0.12, y - 0.12, 0.02), plain((0.01, 0.01, 0.01)))
    else:
        one.crate((0, 0, z + 0.06), (x + 0.1, y + 0.1, 0.05), skin, (0.05, 0, 0))
    for side in (-1, 1):
        one.tube((side * x * 0.38, y * 0.36, 0.1), (side * x * 0.46, y * 0.36, 0.1), 0.1, plain((0.015, 0.015, 0.015)))
    one.put(bevel=0.025)
    return dict(kind="bin", at=one.point((0, 0, z - 0.05)), height=(0.4, 1.8 if big else 1.3), width=0.7 * x)


def drum(rng, at):
    colour = [(0.05, 0.12, 0.3), (0.35, 0.05, 0.03), (0.16, 0.08, 0.05), (0.5, 0.2, 0.02)][rng.integers(4)]
    skin, one = material("drum", colour, (0.14, 0.06, 0.03), period=0.5, rough=0.5), Pile(at)
    one.tube((0, 0, 0), (0, 0, 0.88), 0.29, skin, 24)
    for z in (0.02, 0.3, 0.58, 0.86):
        one.tube((0, 0, z - 0.015), (0, 0, z + 0.015), 0.302, skin, 24)
    one.put(bevel=0.006)
    return dict(kind="bin", at=one.point((0, 0, 0.85)), height=(0.4, 1.5), width=0.5)


def pallets(rng, at, turn, count):
    """A stack of wooden pallets, a little askew."""
    wood, stack = material("wood", (0.3, 0.21, 0.13), (0.17, 0.13, 0.09), period=0.6, island=0.5), Pile(at, turn)
    for n in range(count):
        one = stack.inside((rng.normal(0, 0.03), rng.normal(0, 0.03), 0.145 * n), rng.normal(0, 0.04))
        for y in (-0.36, 0, 0.36):
            one.box((-0.6, y - 0.05, 0.02), (0.6, y + 0.05, 0.11), wood)
        for x in np.linspace(-0.55, 0.55, 6):
            one.box((x - 0.05, -0.4, 0.11), (x + 0.05, 0.4, 0.133), wood)
    stack.put()
    return dict(kind="heap", at=stack.point((0, 0, 0.145 * count - 0.1)), height=(0.8, 3), width=1.0)


def heap(rng, at, radius):
    """Rubbish: planks, boxes, bags and tyres, thrown on a pile."""
    skins = [
        plain(c)
        for c in (
            (0.28, 0.19, 0.11),
            (0.3, 0.22, 0.14),
            (0.02, 0.02, 0.022),
            (0.35, 0.35, 0.34),
            (0.06, 0.1, 0.2),
            (0.12, 0.09, 0.07),
        )
    ]
    one, tall = Pile(at), 0.45 * radius
    one.ball((0, 0, 0), (0.85 * radius, 0.85 * radius, 0.75 * tall), plain((0.07, 0.06, 0.05), period=0.3), 0.08, rng)
    for _ in range(int(70 * radius)):
        r, a = radius * math.sqrt(rng.random()) * 1.05, rng.uniform(0, 6.3)
        where = (r * math.cos(a), r * math.sin(a), tall * max(0.08, 1 - (r / radius) ** 2) + 0.02)
        skin, tilt = skins[rng.integers(len(skins))], (rng.normal(0, 0.5), rng.normal(0, 0.5), rng.uniform(0, 6.3))
        kind = rng.random()
        if kind < 0.5:
            one.crate(where, (rng.uniform(0.4, 1.5), rng.uniform(0.05, 0.16), 0.03), skins[rng.integers(2)], tilt)
        elif kind < 0.75:
            one.crate(where, rng.uniform(0.15, 0.5, 3), skin, tilt)
        else:
            one.ball(where, rng.uniform(0.12, 0.3, 3), skin, 0.06, rng)
    one.put()
    return dict(kind="heap", at=one.point((0, 0, 0.7 * tall)), height=(0.8, 3.5), width=1.3 * radius)


def cargo(rng, at, turn, long=6.06):
    """A shipping container."""
    colour = [(0.33, 0.06, 0.03), (0.04, 0.1, 0.24), (0.05, 0.15, 0.1), (0.42, 0.42, 0.4), (0.45, 0.17, 0.02)][
        rng.integers(5)
    ]
    skin = material("cargo", colour, tuple(0.5 * np.array(colour) + (0.05, 0.02, 0.01)), period=1.5, rough=0.55)
    one, wide, tall = Pile(at, turn), 2.44, 2.59
    one.box((-long / 2 + 0.06, -wide / 2 + 0.05, 0.12), (long / 2 - 0.06, wide / 2 - 0.05, tall - 0.02), skin)
    for x in np.arange(-long / 2 + 0.2, long / 2 - 0.2, 0.28):
        one.box((x, -wide / 2 + 0.01, 0.15), (x + 0.14, wide / 2 - 0.01, tall - 0.1), skin)
    for x in (-1, 1):
        for y in (-1, 1):
            one.crate((x * (long / 2 - 0.07), y * (wide / 2 - 0.07), tall / 2), (0.15, 0.15, tall), skin)
        for z in (0.08, tall - 0.05):
            one.crate((x * (long / 2 - 0.06), 0, z), (0.12, wide, 0.13), skin)
    for y in (-1, 1):
        for z in (0.08, tall - 0.05):
            one.crate((0, y * (wide / 2 - 0.05), z), (long, 0.1, 0.13), skin)
    for y in (-0.8, -0.3, 0.3, 0.8):
        one.tube((-long / 2 - 0.01, y, 0.15), (-long / 2 - 0.01, y, tall - 0.1), 0.025, plain((0.3, 0.3, 0.3)), 6)
    one.put(bevel=0.012)


def litter(rng, x, y, count):
    """Scraps, stones and stains on the ground."""
    skins = [plain(c) for c in ((0.4, 0.38, 0.34), (0.1, 0.08, 0.06), (0.25, 0.2, 0.12), (0.05, 0.07, 0.12))]
    one = Pile()
    for _ in range(count):
        size = rng.uniform(0.03, 0.2, 3) * (1, 1, 0.3)
        at = (rng.uniform(*x), rng.uniform(*y), size[2] / 2)
        one.crate(at, size, skins[rng.integers(4)], (0, 0, rng.uniform(0, 6)))
    one.put(bevel=0.004)


def fence(rng, start, end, tall=1.6):
    """A fence of boards."""
    skin = material("fence", (0.22, 0.17, 0.12), (0.13, 0.11, 0.09), period=0.8, island=0.4)
    start, end = np.array([*start, 0.0]), np.array([*end, 0.0])
    way = (end - start) / np.linalg.norm(end - start)
    one = Pile(start, math.atan2(way[1], way[0]))
    for x in np.arange(0, np.linalg.norm(end - start), 0.13):
        one.box((x, rng.normal(0, 0.006), 0.05), (x + 0.115, 0.025, tall + rng.normal(0, 0.015)), skin)
    one.put()


# ----------------------------------------------------------------------------------------------------------- buildings
def front(pile, rng, long, tall, holes, skin, thick=0.3):
    """A wall along x from the frame's origin, its outside at y = 0 towards -y, with holes (x, z, width, height)."""
    cuts = sorted({0.0, long, *(h[0] for h in holes), *(h[0] + h[2] for h in holes)})
    for left, right in zip(cuts, cuts[1:]):
        middle, z = (left + right) / 2, 0.0
        for hole in sorted((h for h in holes if h[0] < middle < h[0] + h[2]), key=lambda h: h[1]):
            if hole[1] > z:
                pile.box((left, 0, z), (right, thick, hole[1]), skin)
            z = hole[1] + hole[3]
        if z < tall:
            pile.box((left, 0, z), (right, thick, tall), skin)


def window(pile, rng, hole, frame, state):
    """Fill a hole: "open" keeps the frame, "pane" is dark glass, "lit" a curtain with light behind."""
    x, z, wide, tall = hole
    bar, y = 0.07, 0.14
    for low, high in (
        ((x, y, z), (x + bar, y + 0.07, z + tall)),
        ((x + wide - bar, y, z), (x + wide, y + 0.07, z + tall)),
        ((x, y, z), (x + wide, y + 0.07, z + bar)),
        ((x, y, z + tall - bar), (x + wide, y + 0.07, z + tall)),
        ((x - 0.06, -0.07, z - 0.06), (x + wide + 0.06, 0.2, z)),
    ):
        pile.box(low, high, frame)
    if state != "open":
        pile.box((x + wide / 2 - 0.03, y, z), (x + wide / 2 + 0.03, y + 0.06, z + tall), frame)
    if state == "pane":
        pile.box((x, y + 0.04, z), (x + wide, y + 0.05, z + tall), glass())
        if rng.random() < 0.5:
            cloth = plain(tuple(rng.uniform(0.25, 0.5) * np.array([1, 0.96, 0.88])), period=0.2)
            part = rng.choice([0.25, 0.4])
            pile.box((x, y + 0.036, z), (x + part * wide, y + 0.039, z + tall), cloth)
    if state == "lit":
        colour = [(1, 0.62, 0.28), (1, 0.75, 0.45), (0.9, 0.92, 1)][rng.integers(3)]
        pile.box(
            (x, y + 0.04, z), (x + wide, y + 0.05, z + tall), plain(colour, period=0.5, glow=rng.uniform(0.04, 0.25))
        )


def block(
    rng,
    at,
    turn,
    bays,
    storeys,
    skin,
    *,
    bay=3.2,
    rise=2.9,
    size=(1.3, 1.4),
    deep=9.0,
    ajar=0.35,
    lit=0.0,
    balcony=0.0,
    shop=False,
    frame=(0.6, 0.6, 0.57),
):
    """A building with real rooms behind its windows. `at` is its near left corner at the ground; returns (frame, anchors).

    ajar and lit: shares of open and of lit windows; balcony: share of windows with one; shop: glass on the ground floor.
    """
    body, trim = Pile(at, turn), None
    trim = Pile(at, turn)
    long, tall = bays * bay, storeys * rise
    wood, room, slab = plain(frame, 0.5), plain((0.3, 0.27, 0.23), period=1), plain((0.3, 0.29, 0.28))
    anchors = []
    door = rng.integers(bays)
    fronts = [(body, trim, bays, long)]
    for side in (body.inside((0, deep, 0), -math.pi / 2), body.inside((long, 0, 0), math.pi / 2)):
        fronts.append((side, side, int(deep // (1.3 * bay)), deep))
    for number, (wall, detail, count, length) in enumerate(fronts):
        holes = []
        step = length / max(1, count)
        for storey in range(storeys):
            for n in range(count):
                wide, high = size
                x, z = (n + 0.5) * step - wide / 2, storey * rise + 0.95
                state = rng.choice(["open", "lit", "pane"], p=[ajar, lit, 1 - ajar - lit])
                if number == 0 and storey == 0 and shop:
                    wide, high, z = bay - 0.6, 2.2, 0.35
                    x, state = (n + 0.5) * step - wide / 2, "open" if lit else state
                    if lit and rng.random() < 0.75:
                        shelves(detail, rng, x, wide)
                elif number == 0 and storey == 0 and n == door:
                    wide, high, z, state = 1.0, 2.1, 0.15, "door"
                    x = (n + 0.5) * step - wide / 2
                hole = (x, z, wide, high)
                holes.append(hole)
                if state == "door":
                    leaf = plain([(0.12, 0.05, 0.03), (0.03, 0.07, 0.05), (0.05, 0.05, 0.06)][rng.integers(3)], 0.4)
                    detail.box((x, 0.15, z), (x + wide, 0.21, z + high), leaf)
                    detail.box((x + 0.2, 0.14, z + 1.2), (x + wide - 0.2, 0.16, z + 1.9), glass())
                    detail.box((x - 0.3, -1.0, 0), (x + wide + 0.3, 0.1, z), slab)
                    detail.box((x - 0.3, -0.9, z + high + 0.2), (x + wide + 0.3, 0.0, z + high + 0.3), wood)
                    continue
                window(detail, rng, hole, wood, state)
                if state == "open" and number == 0:
                    inside = wall.point((x + wide / 2, 0.65, z - 0.1))
                    anchors.append(dict(kind="window", at=inside, height=(0.6, 1.6 * high), width=wide))
                if number == 0 and storey and rng.random() < balcony:
                    veranda(detail, rng, x - 0.5, storey * rise, wide + 1.0, slab)
        front(wall, rng, length, tall, holes, skin)
    for storey in range(storeys + 1):
        body.box(
            (0.05, 0.05, storey * rise - 0.2),
            (long - 0.05, deep - 0.05, storey * rise + 0.02),
            room if storey < storeys else slab,
        )
    body.box((0.2, 4.0, 0), (long - 0.2, 4.12, tall), room)
    for n in range(1, bays):
        body.box((n * bay - 0.06, 0.3, 0), (n * bay + 0.06, 4, tall), room)
    body.box((0, deep - 0.3, 0), (long, deep, tall), skin)
    trim.box((-0.08, -0.1, tall - 0.02), (long + 0.08, deep, tall + 0.18), slab)
    trim.box((-0.03, -0.04, 0), (long + 0.03, 0.0, 0.35), slab) if not shop else None
    pipe = plain((0.12, 0.12, 0.12), 0.5)
    for x in (0.2, long - 0.2):
        trim.tube((x, -0.07, 0), (x, -0.07, tall), 0.05, pipe, 8)
    body.put()
    trim.put(bevel=0.012)
    return body, anchors


def shelves(pile, rng, x, wide):
    """Inside a lit shop: shelves with goods, and a lamp."""
    wood = plain((0.4, 0.36, 0.3))
    for z in (0.5, 1.0, 1.5, 2.0):
        pile.box((x, 3.2, z - 0.04), (x + wide, 3.7, z), wood)
        for a in np.arange(x, x + wide - 0.3, 0.3):
            pile.crate(
                (a + 0.15, 3.4, z + 0.17), (0.24, 0.3, rng.uniform(0.15, 0.34)), plain(tuple(rng.uniform(0.05, 0.6, 3)))
            )
    pile.crate((x + 0.5 * wide, 1.4, 0.5), (rng.uniform(0.6, 1.4), 0.6, 1.0), plain(tuple(rng.uniform(0.1, 0.5, 3))))
    colour = [(1, 0.7, 0.4), (1, 0.85, 0.65), (0.9, 0.95, 1)][rng.integers(3)]
    blender.lamp(pile.point((x + 0.5 * wide, 1.5, 2.55)), rng.uniform(25, 80), colour, 0.3)


def veranda(pile, rng, x, z, wide, slab):
    """A balcony with a railing of bars or a panel, and something on it."""
    pile.box((x, -1.3, z - 0.15), (x + wide, 0.0, z), slab)
    steel = plain((0.1, 0.1, 0.11), 0.5)
    pile.box((x, -1.3, z + 0.95), (x + wide, -1.25, z + 1.0), steel)
    if rng.random() < 0.5:
        pile.box((x, -1.29, z + 0.1), (x + wide, -1.26, z + 0.9), plain(tuple(rng.uniform(0.1, 0.5, 3)), period=1))
    else:
        for a in np.arange(x, x + wide, 0.14):
            pile.box((a, -1.29, z), (a + 0.02, -1.26, z + 0.95), steel)
    for side in (x, x + wide - 0.04):
        pile.box((side, -1.3, z), (side + 0.04, 0, z + 0.9), steel)
    if rng.random() < 0.6:
        pile.crate(
            (x + rng.uniform(0.4, wide - 0.4), -0.6, z + 0.4),
            rng.uniform(0.3, 0.8, 3),
            plain(tuple(rng.uniform(0.05, 0.5, 3))),
        )


def gable(pile, long, deep, foot, rise, tiles, wall, over=0.45):
    """A pitched roof over a house whose near left corner is the frame's origin. Returns its anchor: the ridge."""
    ridge, thick = foot + rise, 0.18
    attic = [(x, deep / 2 if z else y, foot + rise * z) for x in (0, long) for y in (0, deep) for z in (0, 1)]
    pile.block(np.array(attic) - [0, 0, 0.05], wall)
    drop = rise * over / (deep / 2)
    for side in (0, 1):
        eave, z = (-over, foot - drop) if side == 0 else (deep + over, foot - drop)
        ends = [(eave, z), (deep / 2, ridge)]
        slab = [(x, y, h + thick * k) for x in (-over, long + over) for y, h in ends for k in (0, 1)]
        pile.block(slab, tiles)
    gutter = plain((0.15, 0.13, 0.12), 0.5)
    pile.tube(
        (-over, -over - 0.05, foot - drop + 0.05), (long + over, -over - 0.05, foot - drop + 0.05), 0.07, gutter, 8
    )
    slope = pile.point((0.15 * long, 0.25 * deep, foot + 0.5 * rise + 0.1))
    across = pile.point((0.85 * long, 0.25 * deep, foot + 0.5 * rise + 0.1)) - slope
    top = pile.point((0.2 * long, deep / 2, ridge + 0.1))
    return [
        dict(kind="roof", at=slope, along=across, height=(0.8, 3), width=2.0),
        dict(
            kind="roof", at=top, along=pile.point((0.8 * long, deep / 2, ridge + 0.1)) - top, height=(1, 4), width=2.5
        ),
    ]


def view(rng, shape, fov, eye, elevation, azimuth=0.0):
    width, height = SHAPES[shape]
    return scene.Camera(azimuth + rng.uniform(-3, 3), elevation, fov, width, height, eye)


# ---------------------------------------------------------------------------------------------------------------- sets
def house(
    rng,
    light="grey",
    wall="white",
    shape="4:3",
    away=13.0,
    turn=0.25,
    bays=4,
    storeys=2,
    fov=60,
    eye=1.7,
    autumn=False,
    lit=0.0,
):
    """A detached house in its garden."""
    haze = sky(rng, light)
    lawn(rng)
    roof = [
        ((0.24, 0.07, 0.04), (0.14, 0.05, 0.035)),
        ((0.07, 0.07, 0.075), (0.04, 0.04, 0.045)),
        ((0.17, 0.1, 0.07), (0.1, 0.07, 0.05)),
    ]
    skin, tiles = walling(wall), surface(*roof[rng.integers(3)], "tiles")
    long, deep, tall = bays * 3.0, 8.0, storeys * 2.75
    start = (-long / 2 * math.cos(turn) + rng.uniform(-1.5, 1.5), away - long / 2 * math.sin(turn), 0)
    body, anchors = block(
        rng,
        start,
        turn,
        bays,
        storeys,
        skin,
        bay=3.0,
        rise=2.75,
        deep=deep,
        ajar=0.45,
        lit=lit,
        size=(rng.uniform(1.0, 1.5), 1.35),
    )
    top = Pile(body.at, turn)
    anchors += gable(top, long, deep, tall + 0.1, rng.uniform(2.4, 3.6), tiles, skin)
    x = rng.uniform(0.25, 0.75) * long
    top.box((x, 0.55 * deep, tall), (x + 0.6, 0.55 * deep + 0.6, tall + 4.4), walling("dark brick"))
    top.put(bevel=0.015)
    path = rng.uniform(-1, 1)
    floor((0.3, 0.28, 0.25), (0.2, 0.19, 0.17), "slabs", (path - 0.9, path + 0.9), (-5, away - 1), 0.012)
    grass(rng, (-12, 12), (2.5, away), 30000)
    bushes(rng, [tuple(body.point((x, -0.9, 0))[:2]) for x in rng.uniform(0, long, 4)], 1.0)
    bushes(rng, [(s * rng.uniform(6, 12), rng.uniform(5, away)) for s in (-1, 1, -1, 1)], 1.4)
    trees(
        rng,
        [(s * rng.uniform(9, 16), away + rng.uniform(-3, 12), 0) for s in (-1, 1, 1, -1, 1)],
        8,
        autumn,
        bare=rng.random() < 0.3,
    )
    fence(rng, (-16, away + 3), (-long / 2 - 1.5, away + 3))
    fence(rng, (long / 2 + 1.5, away + 4), (17, away + 4))
    anchors.append(bin_(rng, (*body.point((rng.uniform(0, long), -1.6, 0))[:2], 0), turn))
    bin_(rng, (*body.point((rng.uniform(0, long), -1.5, 0))[:2], 0), turn + 0.1)
    if rng.random() < 0.6:
        anchors += car(rng, (rng.choice([-1, 1]) * rng.uniform(5, 6.5), away * 0.72, 0), rng.uniform(0.8, 2.2))
    people(rng, [(rng.uniform(-5, 5), rng.uniform(0.5, 0.8) * away) for _ in range(rng.integers(3))])
    litter(rng, (-8, 8), (3, away), 60)
    backdrop(rng, 55, autumn)
    elevation = math.degrees(math.atan2(tall * 0.62 - eye, away)) if shape != "16:9" else 6
    camera = view(rng, shape, fov, eye, elevation)
    return Shot(camera, anchors, lamp=lit > 0, moods=["night", "dusk"] if lit else None, haze=(haze, 1500))


def street(
    rng,
    light="overcast",
    shape="3:2",
    wall="brick",
    storeys=4,
    away=16.0,
    eye=1.7,
    fov=62,
    night=False,
    shop=True,
    turn=0.0,
    balcony=0.4,
    elevation=None,
    other="white",
):
    """Flats over shops along a street with cars; at night with lit lamps, signs and windows."""
    haze = sky(rng, light)
    asphalt(rng)
    lit, left = (0.35 if night else 0.0), -22.0
    anchors, row = [], Pile((0, away, 0), turn)
    while left < 22:
        bays = int(rng.integers(3, 6))
        high = max(2, storeys + int(rng.integers(-1, 2)))
        skin = walling(wall if rng.random() < 0.5 else other)
        bay = rng.uniform(2.9, 3.5)
        corner = row.point((left, 0, 0))
        body, found = block(
            rng,
            corner,
            turn,
            bays,
            high,
            skin,
            bay=bay,
            rise=3.0,
            ajar=0.2,
            lit=lit,
            balcony=balcony,
            shop=shop,
            size=(rng.uniform(1.0, 1.6), 1.6),
        )
        top, length = Pile(corner, turn), bays * bay
        if rng.random() < 0.5:
            tiles = surface((0.08, 0.08, 0.085), (0.05, 0.05, 0.055), "tiles")
            found += gable(top, length, 9.0, high * 3 + 0.15, 2.5, tiles, skin, 0.2)
        else:
            at = top.point((0.2 * length, 2, high * 3 + 0.2))
            way = top.point((0.8 * length, 2, high * 3 + 0.2)) - at
            found.append(dict(kind="roof", at=at, along=way, height=(1, 4), width=2))
            top.crate((length * 0.4, 4, high * 3 + 0.9), (2.2, 2, 1.6), plain((0.3, 0.3, 0.29)))
        if shop:
            colour = [(1, 0.2, 0.02), (0.9, 0.03, 0.02), (1, 0.45, 0.05), (0.1, 0.35, 0.6), (0.15, 0.4, 0.2)][
                rng.integers(5)
            ]
            glow = rng.uniform(0.6, 2) if night else 0.0
            a, b = 0.1 * length, rng.uniform(0.5, 0.85) * length
            top.box((a, -0.25, 2.65), (b, -0.02, 3.15), plain(tuple(0.6 * np.array(colour)), glow=glow, period=0.6))
            pale = plain((0.9, 0.85, 0.7), glow=1.5 * glow)
            for x in np.arange(a + 0.4, b - 0.6, 0.42):
                if rng.random() < 0.8:
                    top.box((x, -0.28, 2.75), (x + 0.08, -0.25, 3.05), pale)
                    top.box((x, -0.28, rng.choice([2.75, 2.9, 2.99])), (x + rng.uniform(0.15, 0.3), -0.25, 3.05), pale)
            if rng.random() < 0.6:
                cloth = plain(tuple(rng.uniform(0.05, 0.5, 3)), period=1)
                awning = [
                    (x, y, z) for x in (b - 3, b - 0.2) for y, h in ((-1.4, 2.25), (-0.05, 2.6)) for z in (h, h + 0.04)
                ]
                top.block(awning, cloth)
        top.put(bevel=0.012)
        anchors += [found[i] for i in rng.permutation(len(found))[:4]]
        left += length + (rng.choice([0.0, 0.0, 2.5]))
    pavement = plain((0.28, 0.27, 0.25), period=1.5)
    kerb = Pile((0, 0, 0), turn)
    kerb.box((-45, away - 3.4, 0), (45, away, 0.13), surface((0.26, 0.25, 0.24), (0.17, 0.17, 0.165), "slabs"))
    kerb.box((-45, away - 3.55, 0), (45, away - 3.4, 0.14), pavement)
    paintwork = plain((0.55, 0.55, 0.52), period=0.15)
    for x in np.arange(-40, 40, 5):
        kerb.box((x, away - 8.2, 0), (x + 2.2, away - 8.08, 0.004), paintwork)
    kerb.put(bevel=0.015)
    x = -20.0
    while x < 20:
        x += rng.uniform(5.2, 9)
        if rng.random() < 0.75:
            found = car(
                rng,
                (x, away - 4.7, 0),
                rng.choice([0, math.pi]) + rng.normal(0, 0.02),
                lit=night and rng.random() < 0.3,
            )
            anchors += found[:1] if abs(x) < 10 else []
        elif rng.random() < 0.6:
            anchors += coach(rng, (x, away - 4.8, 0), 0.0, "van")
    if rng.random() < 0.7:
        x = rng.uniform(-7, 7)
        anchors += car(rng, (x, away - 7 - rng.uniform(0, 1.5), 0), math.pi * (rng.random() < 0.5), lit=night)
    for x in (-11, rng.uniform(2, 9), 21):
        lamp_post(rng, (x, away - 3.1, 0.13), -math.pi / 2, night)
    for x in rng.uniform(-12, 12, 4):
        anchors.append(bin_(rng, (x, away - 0.8, 0.13), rng.normal(0, 0.2), rng.random() < 0.4))
    people(rng, [(rng.uniform(-9, 9), away - rng.uniform(1, 3)) for _ in range(rng.integers(2, 5))])
    litter(rng, (-10, 10), (3, away - 3), 80)
    backdrop(rng, 70)
    tilt = math.degrees(math.atan2(storeys * 1.5 - eye, away)) * 0.8 if elevation is None else elevation
    moods = ["night"] if night else None
    return Shot(view(rng, shape, fov, eye, tilt), anchors, lamp=night, moods=moods, haze=(haze, 1300))


def tower(
    rng,
    light="grey",
    shape="3:4",
    wall="concrete",
    storeys=13,
    bays=7,
    away=60.0,
    eye=1.7,
    fov=50,
    elevation=12.0,
    turn=0.35,
    balcony=0.4,
    low=True,
    azimuth=0.0,
):
    """A high-rise, seen from afar or from another roof, with lower houses around it."""
    haze = sky(rng, light)
    lawn(rng)
    asphalt(rng, x=(-8, 8), y=(-20, away), z=0.02)
    start = (-bays * 1.6 * math.cos(turn), away - bays * 1.6 * math.sin(turn), 0)
    body, anchors = block(
        rng, start, turn, bays, storeys, walling(wall), deep=14, ajar=0.15, balcony=balcony, size=(1.7, 1.5)
    )
    long, tall = bays * 3.2, storeys * 2.9
    anchors = [anchors[i] for i in rng.permutation(len(anchors))[:8]]
    top = Pile(body.at, turn)
    top.box((0.3 * long, 4, tall), (0.6 * long, 9, tall + 3), plain((0.3, 0.3, 0.3)))
    top.tube((0.7 * long, 5, tall), (0.7 * long, 5, tall + 5), 0.06, plain((0.2, 0.2, 0.2)))
    top.put(bevel=0.02)
    at = top.point((0.1 * long, 1.5, tall + 0.2))
    anchors.append(
        dict(kind="roof", at=at, along=top.point((0.9 * long, 1.5, tall + 0.2)) - at, height=(2, 7), width=3)
    )
    for n in range(16):
        if not low:
            break
        x, y = rng.uniform(-70, 70), rng.uniform(0.35, 1.9) * away
        if abs(x) < 12 + 0.25 * long and y < away + 18:
            x += math.copysign(26, x)
        angle, bays_, high = rng.uniform(-0.5, 0.5), int(rng.integers(3, 7)), int(rng.integers(1, 4))
        skin = walling(rng.choice(["white", "ochre", "brick", "rose", "concrete", "yellow brick"]))
        hut, found = block(rng, (x, y, 0), angle, bays_, high, skin, ajar=0.1)
        roof = Pile((x, y, 0), angle)
        tiles = surface((0.22, 0.08, 0.05), (0.12, 0.06, 0.045), "tiles")
        anchors += gable(roof, bays_ * 3.2, 9, high * 2.9 + 0.15, 2.6, tiles, skin)[: 1 if n < 4 else 0]
        roof.put()
    trees(rng, [(s * rng.uniform(8, 45), rng.uniform(0.4, 1.4) * away, 0) for s in (-1, 1) * 14], 8)
    for _ in range(7):
        anchors += car(rng, (rng.choice([-5.5, 5.5]), rng.uniform(0.2, 0.85) * away, 0), math.pi / 2)[1:]
    for y in (0.35, 0.7):
        lamp_post(rng, (-8.5, y * away, 0), 0.0)
    backdrop(rng, max(100, 1.6 * away))
    return Shot(view(rng, shape, fov, eye, elevation, azimuth), anchors[:14], haze=(haze, 1200))


def yard(
    rng, light="overcast", shape="16:9", wall="metal", away=20.0, eye=2.2, fov=62, elevation=-1.0, turn=0.1, night=False
):
    """A hall and sheds in a yard, with containers, pallets, drums, bins and a heap of rubbish."""
    haze = sky(rng, light)
    tone = rng.uniform(0.09, 0.2)
    floor((tone, 0.95 * tone, 0.86 * tone), (0.6 * tone, 0.56 * tone, 0.5 * tone), period=3)
    skin, hall, anchors = walling(wall), Pile((rng.uniform(-16, -11), away, 0), turn), []
    long, deep, tall, thick = rng.uniform(18, 26), 14.0, rng.uniform(5, 7), 0.25
    gates = [(2.0, 0.0, 4.0, 4.2), (9.0, 0.0, 4.0, 4.2)]
    panes = [(x, tall - 1.6, 1.4, 1.0) for x in np.arange(1, long - 2, 2.4)]
    front(hall, rng, long, tall, gates + panes, skin, thick)
    for n, (x, z, wide, high) in enumerate(gates):
        shut = rng.choice([0.0, 0.35, 1.0]) if n else 0.25
        hall.box((x, 0.1, high * (1 - shut)), (x + wide, 0.18, high), plain((0.3, 0.31, 0.32), period=0.8))
        if shut < 0.9:
            anchors.append(dict(kind="floor", at=hall.point((x + wide / 2, 2.0, 0)), height=(0.8, 3.5), width=2.5))
    for hole in panes:
        window(
            hall,
            rng,
            hole,
            plain((0.2, 0.2, 0.2)),
            "open" if rng.random() < 0.3 else "lit" if night and rng.random() < 0.5 else "pane",
        )
        if hole[0] < 9 and rng.random() < 0.5:
            at = hall.point((hole[0] + 0.7, 0.5, hole[1]))
            anchors.append(dict(kind="window", at=at, height=(0.6, 2), width=1.4))
    for low, high in (
        ((0, deep, 0), (long, deep + 0.2, tall)),
        ((0, 0, 0), (0.2, deep, tall)),
        ((long - 0.2, 0, 0), (long, deep, tall)),
    ):
        hall.box(low, high, skin)
    ridge = 1.6
    roofing = surface((0.25, 0.26, 0.27), (0.16, 0.15, 0.15), "ribs")
    anchors += gable(hall, long, deep, tall, ridge, roofing, skin, 0.3)
    for x in rng.uniform(0.5, long - 1, 4):
        hall.crate((x, -0.5, 0.5), (rng.uniform(0.5, 1.2), 0.7, 1.0), plain(tuple(rng.uniform(0.05, 0.35, 3))))
    hall.put()
    near = away * 0.62
    for n in range(int(rng.integers(2, 5))):
        x = rng.choice([-1, 1]) * rng.uniform(7.5, 12)
        at = (x, near + rng.uniform(-1.5, 4) + 2.8 * n, 0)
        angle = rng.normal(0, 0.25)
        cargo(rng, at, angle)
        if rng.random() < 0.35:
            cargo(rng, (*at[:2], 2.59), angle + rng.normal(0, 0.03))
    side = rng.choice([-1, 1])
    anchors.append(heap(rng, (side * rng.uniform(1.5, 4), near, 0), rng.uniform(1.4, 2.6)))
    for _ in range(3):
        anchors.append(
            pallets(rng, (rng.uniform(-6, 6), near + rng.uniform(1, 6), 0), rng.uniform(0, 3), int(rng.integers(3, 12)))
        )
    for _ in range(5):
        x, y = -side * rng.uniform(1, 6), near + rng.uniform(-3, 4)
        anchors.append(drum(rng, (x, y, 0)))
    for n in range(3):
        anchors.append(bin_(rng, (side * (5.5 + 1.5 * n), near + rng.uniform(2, 3), 0), rng.normal(0, 0.2), n == 0))
    anchors += coach(
        rng, (rng.uniform(-4, 5), away - 2.8, 0), rng.normal(0, 0.15), rng.choice(["lorry", "van"]), lit=night
    )[:1]
    people(rng, [(rng.uniform(-5, 5), near + rng.uniform(0, 5)) for _ in range(rng.integers(1, 4))])
    litter(rng, (-12, 12), (3, away), 160)
    grass(rng, (-16, 16), (away - 0.8, away - 0.1), 1500, 0.3)
    bushes(rng, [(s * rng.uniform(10, 15), near + rng.uniform(0, 6)) for s in (-1, 1, 1)], 1.3)
    if night:
        for x in (-7, 8):
            lamp_post(rng, (x, away - 1, 0), -math.pi / 2, True, 6)
    trees(rng, [(s * rng.uniform(14, 24), away + rng.uniform(2, 20), 0) for s in (-1, 1) * 4], 8)
    backdrop(rng, 60)
    return Shot(
        view(rng, shape, fov, eye, elevation),
        anchors,
        lamp=night,
        moods=["night"] if night else None,
        haze=(haze, 1300),
    )


def road(
    rng,
    light="blue",
    shape="16:9",
    eye=1.8,
    fov=58,
    elevation=-1.0,
    lanes=2,
    azimuth=6.0,
    main="bus",
    near=12.0,
    night=False,
    autumn=False,
):
    """A highway with traffic, guard rails and lamp posts; one vehicle stands on the hard shoulder."""
    haze = sky(rng, light)
    lawn(rng)
    wide = 3.6 * lanes
    asphalt(rng, x=(-wide - 3.2, wide + 3.2), y=(-30, 900), z=0.02)
    steel, white, lines = plain((0.38, 0.39, 0.4), 0.45, period=2), plain((0.6, 0.6, 0.57), period=0.3), Pile()
    for side in (-1, 1):
        for n in range(1, lanes):
            for y in np.arange(-5, 260, 9):
                lines.box((side * 3.6 * n + 0.25, y, 0.02), (side * 3.6 * n + 0.39, y + 3.5, 0.026), white)
        for x in (0.35, wide + 0.4):
            lines.box((side * x - 0.08, -20, 0.02), (side * x + 0.08, 500, 0.026), white)
        x = side * (wide + 3.3)
        for z in (0.52, 0.64, 0.76):
            lines.box((x - 0.04 - 0.02 * (z == 0.64), -10, z - 0.055), (x + 0.04, 260, z + 0.055), steel)
        for y in np.arange(-8, 260, 2.6):
            lines.box((x - 0.03, y, 0), (x + 0.05, y + 0.1, 0.78), steel)
    lines.box((-0.06, -20, 0.5), (0.06, 300, 0.8), steel)
    for y in np.arange(-8, 260, 2.6):
        lines.box((-0.05, y, 0), (0.05, y + 0.12, 0.75), steel)
    lines.put(bevel=0.012)
    ahead, anchors, shoulder = math.pi / 2, [], wide + 1.7
    if main == "car":
        anchors += car(rng, (shoulder, near, 0.02), ahead + rng.normal(0, 0.1), night)
    else:
        anchors += coach(
            rng, (shoulder, near + (6 if main != "van" else 2), 0.02), ahead + rng.normal(0, 0.03), main, night
        )
    for lane in range(lanes):
        for side in (-1, 1):
            y = near + rng.uniform(3, 18)
            while y < 150:
                where, heading = (side * (1.9 + 3.6 * lane), y, 0.02), ahead * side
                if rng.random() < 0.2:
                    found = coach(rng, where, heading, rng.choice(["lorry", "van", "bus"]), night)
                else:
                    found = car(rng, where, heading, night)
                anchors += found[:1] if y < 60 else []
                y += rng.uniform(12, 38)
    anchors.append(
        dict(
            kind="grass",
            at=(wide + 6, near + 4, 0),
            along=(rng.uniform(2, 4), rng.uniform(8, 20), 0),
            height=(0.5, 2.5),
            width=2,
        )
    )
    anchors.append(dict(kind="floor", at=(wide + 1.5, near - 2.5, 0), height=(0.5, 2.0), width=1.0))
    for y in np.arange(15, 200, 32):
        lamp_post(rng, (wide + 4.2, y, 0), math.pi, night, 9)
        lamp_post(rng, (-wide - 4.2, y, 0), 0.0, night, 9)
    people(rng, [(shoulder + rng.uniform(0.6, 1.2), near + rng.uniform(-4, 0)) for _ in range(rng.integers(0, 3))])
    grass(rng, (wide + 3.4, wide + 14), (4, 45), 15000, 0.3)
    litter(rng, (wide + 0.6, wide + 3), (4, 30), 50)
    spots = [(s * (wide + rng.uniform(9, 30)), rng.uniform(15, 170)) for s in (-1, 1) * 35]
    trees(rng, [(*p, 0) for p in spots[:45]], 7, autumn)
    bushes(rng, spots[45:], 2.0)
    backdrop(rng, 190, autumn)
    return Shot(
        view(rng, shape, fov, eye, elevation, azimuth),
        anchors[:12],
        lamp=night,
        moods=["night"] if night else None,
        haze=(haze, 1800),
    )


def parking(
    rng,
    light="overcast",
    shape="4:3",
    eye=2.2,
    fov=60,
    elevation=-3.0,
    rows=2,
    wall="yellow brick",
    azimuth=0.0,
    night=False,
):
    """A car park in front of a flat-roofed building."""
    haze = sky(rng, light)
    asphalt(rng)
    lines, white, anchors = Pile(), plain((0.55, 0.55, 0.52), period=0.2), []
    for row in range(rows):
        y = 9.5 + 10.5 * row
        for n in range(-6, 7):
            x = 2.6 * n
            lines.box((x - 0.05, y - 2.5, 0), (x + 0.05, y + 2.5, 0.005), white)
            if rng.random() < 0.62 and not (row == 0 and abs(n) < 1):
                turned = rng.choice([-1, 1]) * math.pi / 2 + rng.normal(0, 0.04)
                at = (x + 1.3, y + rng.normal(0, 0.2), 0)
                big = rng.random() < 0.12
                found = coach(rng, at, turned, "van") if big else car(rng, at, turned, night and rng.random() < 0.15)
                anchors += found if abs(x) < 7 else []
    lines.put()
    back = 10.5 * rows + 9
    body, found = block(
        rng,
        (-19, back, 0),
        rng.normal(0, 0.05),
        11,
        int(rng.integers(1, 4)),
        walling(wall),
        bay=3.4,
        rise=3.2,
        size=(2.2, 1.4),
        ajar=0.2,
        lit=0.4 if night else 0.0,
    )
    anchors += [found[i] for i in rng.permutation(len(found))[:3]]
    island = Pile()
    for x in (-9.5, 4.2):
        island.box((x, 13, 0), (x + 1.5, 17, 0.14), plain((0.28, 0.27, 0.26)))
    island.put(bevel=0.03)
    trees(rng, [(-8.8, 15, 0.1), (4.9, 15, 0.1)], 5, autumn=rng.random() < 0.3)
    bushes(rng, [(x, back - 1.2) for x in rng.uniform(-16, 16, 7)], 0.9)
    lamp_post(rng, (-8.8, 13.6, 0.1), 0, night)
    lamp_post(rng, (5.0, 16.4, 0.1), math.pi, night)
    for x in rng.uniform(-6, 6, 3):
        anchors.append(bin_(rng, (x, back - 1.2, 0), rng.normal(0, 0.2), True))
    people(rng, [(rng.uniform(-7, 7), rng.uniform(11, 17)) for _ in range(rng.integers(1, 4))])
    litter(rng, (-10, 10), (3, 20), 70)
    backdrop(rng, 75)
    anchors.append(dict(kind="floor", at=(rng.uniform(-2, 2), rng.uniform(5.5, 6.5), 0), height=(0.4, 1.6), width=0.8))
    return Shot(
        view(rng, shape, fov, eye, elevation, azimuth),
        anchors[:14],
        lamp=night,
        moods=["night"] if night else None,
        haze=(haze, 1500),
    )


def _table():
    """Name, set and options of every plate; the seed is its place in the table."""
    train = [
        ("house_white", house, dict(light="overcast")),
        ("house_brick", house, dict(light="forest", wall="brick", shape="3:2", turn=-0.35, away=15, bays=5)),
        ("house_boards", house, dict(light="blue", wall="boards", shape="16:9", away=17, storeys=1, bays=5, turn=0.4)),
        ("house_red", house, dict(light="sunset", wall="red boards", shape="4:3", away=19, turn=-0.15, autumn=True)),
        ("house_near", house, dict(light="grey", wall="yellow brick", shape="3:4", away=9.5, turn=0.1, fov=68)),
        ("house_far", house, dict(light="overcast", wall="ochre", shape="3:2", away=38, turn=0.5, fov=48, eye=3)),
        ("house_night", house, dict(light="night", wall="white", shape="4:3", away=14, turn=-0.25, lit=0.35)),
        ("street_brick", street, dict()),
        ("street_high", street, dict(light="city", shape="3:4", storeys=6, away=19, fov=66)),
        (
            "street_balcony",
            street,
            dict(light="grey", shape="4:3", wall="rose", shop=False, balcony=0.8, away=14, turn=0.3),
        ),
        ("street_night", street, dict(light="dark", shape="3:2", night=True, away=14)),
        ("street_neon", street, dict(light="night", shape="16:9", night=True, away=12, wall="dark brick", turn=-0.35)),
        ("street_above", street, dict(light="overcast", shape="4:3", eye=8, away=24, elevation=-9, wall="ochre")),
        ("tower_grey", tower, dict()),
        ("tower_far", tower, dict(light="blue", shape="4:3", away=120, fov=42, elevation=6, wall="white", storeys=16)),
        ("tower_above", tower, dict(light="overcast", shape="16:9", eye=8, away=85, elevation=3, fov=60, wall="brick")),
        ("yard_metal", yard, dict()),
        ("yard_near", yard, dict(light="city", shape="4:3", wall="blue metal", away=15, eye=1.6, turn=-0.2)),
        ("yard_sunset", yard, dict(light="sunset", shape="3:2", wall="concrete", away=26, eye=3.5, elevation=-4)),
        ("yard_night", yard, dict(light="dark", shape="4:3", wall="metal", away=18, night=True)),
        ("road_bus", road, dict()),
        ("road_grey", road, dict(light="overcast", shape="4:3", main="lorry", near=16, azimuth=10)),
        ("road_car", road, dict(light="grey", shape="1:1", main="car", near=8, azimuth=22, eye=1.5, elevation=-4)),
        ("road_night", road, dict(light="dark", shape="16:9", main="car", near=11, azimuth=12, night=True)),
        ("parking_grey", parking, dict()),
        ("parking_city", parking, dict(light="city", shape="16:9", eye=1.6, elevation=0, wall="concrete")),
    ]
    val = [
        ("val_house_rose", house, dict(light="courtyard", wall="rose", shape="4:3", bays=3, away=14.5, turn=0.55)),
        (
            "val_house_concrete",
            house,
            dict(light="grey", wall="concrete", shape="3:4", storeys=3, bays=3, away=15, turn=-0.5),
        ),
        (
            "val_street",
            street,
            dict(light="courtyard", shape="4:3", wall="yellow brick", other="concrete", storeys=5, away=21, turn=0.2),
        ),
        (
            "val_street_night",
            street,
            dict(
                light="dark",
                shape="4:3",
                wall="rose",
                other="ochre",
                storeys=3,
                away=17,
                night=True,
                turn=0.15,
                shop=True,
            ),
        ),
        (
            "val_tower",
            tower,
            dict(light="sunrise", shape="1:1", away=75, wall="yellow brick", storeys=11, bays=9, turn=-0.4),
        ),
        ("val_yard", yard, dict(light="sunrise", shape="4:3", wall="green metal", away=23, eye=2.8, turn=-0.3)),
        (
            "val_road",
            road,
            dict(light="sunrise", shape="3:2", lanes=3, main="van", near=10, azimuth=15, eye=2.4, autumn=True),
        ),
        ("val_parking", parking, dict(light="overcast", shape="3:2", rows=3, wall="white", eye=4.5, elevation=-9)),
    ]
    rows = [(row, "train") for row in train] + [(row, "val") for row in val]
    return {name: Plate(build, 100 + n, split, options) for n, ((name, build, options), split) in enumerate(rows)}


PLATES = _table()
