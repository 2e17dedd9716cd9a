"""Places indoors: rooms, kitchens, a fireplace, an office, a workshop, corridors, and tables with candles.

The camera stands at the origin, mostly looking along y. Things face -y; `turn` is in radians about z.
"""

import math

import numpy as np
import shapes
from blender import Plate, Shot, gradient, hdri, lamp, material, mesh, place
from scene import Camera
from sets_nature import GREY, anchor, apart, bark, foliage, heap
from shapes import TURN, block, join, lathe, moved, pillow, tube

SPINES = [(0.5, 0.06, 0.03), (0.06, 0.14, 0.32), (0.55, 0.5, 0.4), (0.06, 0.2, 0.1), (0.5, 0.26, 0.04)]
WHITE, BLACK = (0.75, 0.74, 0.72), (0.02, 0.02, 0.022)


# ----------------------------------------------------------------------------------------------------------- materials
def plain(colour, rough=0.5, glow=0.0):
    return material("plain", colour, tuple(0.8 * c for c in colour), period=0.3, rough=rough, glow=glow)


def paint(colour, rough=0.7):
    return material("paint", colour, tuple(0.86 * c for c in colour), period=0.9, rough=rough, bump=0.002)


def cloth(colour, period=0.02):
    return material("cloth", colour, tuple(0.7 * c for c in colour), period=period, rough=0.95, bump=0.004)


def timber(tone):
    dark, bright = (0.28 * tone, 0.17 * tone, 0.07 * tone), (0.5 * tone, 0.33 * tone, 0.15 * tone)
    return material("timber", dark, bright, period=0.25, stretch=(1, 6, 1), rough=0.45, bump=0.002, vary=0.3)


def metal(colour=(0.6, 0.6, 0.6), rough=0.3):
    return material("metal", colour, tuple(0.8 * c for c in colour), period=0.4, rough=rough, metal=1.0)


def put(parts, at=(0, 0, 0), turn=0.0, smooth=False, scale=1.0):
    """Put in a thing of several (body, material)."""
    return place(mesh("thing", [(*body, skin) for body, skin in parts], smooth), at, turn, scale)


# ------------------------------------------------------------------------------------------------------------ the room
def floor(rng, x0, x1, y0, y1, kind, tone):
    """Planks, tiles, concrete or carpet; its top is z = 0."""
    slabs = [block((x1 - x0, y1 - y0, 0.02), ((x0 + x1) / 2, (y0 + y1) / 2, -0.01))]
    if kind == "planks":
        slabs, dark, bright = [], (0.30 * tone, 0.17 * tone, 0.085 * tone), (0.48 * tone, 0.30 * tone, 0.16 * tone)
        for x in np.arange(x0, x1, 0.14):
            y = y0 - rng.uniform(0, 1.5)
            while y < y1:
                length = rng.uniform(1.1, 1.8)
                slabs.append(block((0.137, length - 0.003, 0.02), (x + 0.07, y + length / 2, -0.01), 0.002))
                y += length
        skin = material("planks", dark, bright, period=0.18, stretch=(5, 0.6, 1), rough=0.38, island=0.7)
    elif kind == "tiles":
        corners = [(x, y) for x in np.arange(x0, x1, 0.33) for y in np.arange(y0, y1, 0.33)]
        slabs = [block((0.324, 0.324, 0.02), (x + 0.165, y + 0.165, -0.01), 0.003) for x, y in corners]
        dark, bright = (0.5 * tone, 0.47 * tone, 0.43 * tone), (0.7 * tone, 0.67 * tone, 0.62 * tone)
        skin = material("tiles", dark, bright, period=0.4, rough=0.28, island=0.25)
    elif kind == "concrete":
        dark, bright = (0.22 * tone, 0.21 * tone, 0.2 * tone), (0.42 * tone, 0.40 * tone, 0.37 * tone)
        skin = material("concrete", dark, bright, period=0.9, rough=0.6, bump=0.006)
    else:
        skin = cloth((0.16 * tone, 0.19 * tone, 0.24 * tone), 0.03)
    place(mesh("floor", [(*join(slabs), skin)], smooth=False), ground=True)
    put([(block((x1 - x0, y1 - y0, 0.05), ((x0 + x1) / 2, (y0 + y1) / 2, -0.055)), plain((0.05, 0.045, 0.04)))])


def wall(begin, end, height, skin, trim, holes=()):
    """A wall with the room on its left; holes (from, to, sill, top) in metres along it become windows or doorways."""
    begin, end = np.array(begin, float), np.array(end, float)
    length, turn = np.hypot(*(end - begin)), math.atan2(*(end - begin)[::-1])
    bricks, strips, x = [], [], 0.0
    for left, right, sill, top in [*sorted(holes), (length, length, 0, height)]:
        bricks.append(block((left - x, 0.2, height), ((x + left) / 2, -0.1, height / 2), 0.001))
        strips.append(block((left - x, 0.015, 0.09), ((x + left) / 2, 0.008, 0.045), 0.004))
        middle, wide, x = (left + right) / 2, right - left, right
        if not wide:
            continue
        bricks.append(block((wide, 0.2, height - top), (middle, -0.1, (height + top) / 2), 0.001))
        if sill:
            bricks.append(block((wide, 0.2, sill), (middle, -0.1, sill / 2), 0.001))
            strips.append(block((wide, 0.015, 0.09), (middle, 0.008, 0.045), 0.004))
            strips += [block((wide, 0.06, 0.06), (middle, -0.12, z)) for z in (sill + 0.03, top - 0.03)]
            bars = left + 0.03, middle, right - 0.03
            strips += [block((0.06, 0.06, top - sill), (bar, -0.12, (sill + top) / 2)) for bar in bars]
            strips.append(block((wide + 0.1, 0.28, 0.03), (middle, -0.06, sill - 0.012)))
        else:
            strips += [block((0.08, 0.23, top), (side, -0.1, top / 2)) for side in (left - 0.02, right + 0.02)]
            strips.append(block((wide + 0.12, 0.23, 0.08), (middle, -0.1, top + 0.03)))
    put([(join(bricks), skin), (join(strips), trim)], (*begin, 0), turn)


def room(rng, x0, x1, y0, y1, height=2.6, colour=(0.6, 0.57, 0.5), kind="planks", tone=0.6, ceiling=WHITE, **holes):
    """Floor, walls and ceiling; `back`, `left`, `right`: the holes of these walls."""
    floor(rng, x0, x1, y0, y1, kind, tone)
    skin, trim = paint(colour), plain((0.7, 0.69, 0.66))
    wall((x1, y1), (x0, y1), height, skin, trim, holes.get("back", ()))
    wall((x0, y1), (x0, y0), height, skin, trim, holes.get("left", ()))
    wall((x1, y0), (x1, y1), height, skin, trim, holes.get("right", ()))
    wall((x0, y0), (x1, y0), height, skin, trim)
    lid = block((x1 - x0 + 0.4, y1 - y0 + 0.4, 0.1), ((x0 + x1) / 2, (y0 + y1) / 2, height + 0.05))
    put([(lid, paint(ceiling))])


def window_light(at, size, power, side, colour=(0.85, 0.92, 1)):
    """Daylight that a window lets in; `side`: the wall it comes from. A lamp has less noise than a sky."""
    turn = {"left": (0, -math.pi / 2, 0), "right": (0, math.pi / 2, 0), "back": (-math.pi / 2, 0, 0)}[side]
    lamp(at, power, colour, size, "AREA", turn)


def ceiling_light(x, y, height, power, colour=(1, 0.86, 0.7), size=(0.5, 0.5)):
    lamp((x, y, height - 0.03), power, colour, size, "AREA")


# ---------------------------------------------------------------------------------------------------------- furniture
def sofa(rng, at, turn, colour, width=2.0, cushions=()):
    skin = cloth(colour)
    soft = [
        moved(pillow((width, 0.85, 0.26), 0.12), (0, 0, 0.26)),
        moved(pillow((width, 0.26, 0.66), 0.2), (0, 0.34, 0.5)),
    ]
    soft += [moved(pillow((0.24, 0.9, 0.54), 0.2), (side * (width / 2 - 0.02), 0, 0.37)) for side in (-1, 1)]
    seats = 1 if width < 1.2 else 2
    wide = (width - 0.24) / seats
    for i in range(seats):
        x = -(width - 0.24) / 2 + wide * (i + 0.5)
        soft.append(moved(pillow((wide - 0.01, 0.66, 0.2), 0.2), (x, -0.07, 0.44)))
        soft.append(moved(pillow((wide - 0.03, 0.2, 0.48), 0.25), (x, 0.2, 0.68), tilt=-0.2))
    parts = [(join(soft), skin)]
    for colour in cushions:
        at_cushion = rng.uniform(-0.34, 0.34) * width, 0, 0.7
        parts.append((moved(pillow((0.42, 0.16, 0.4), 0.45), at_cushion, rng.normal(0, 0.3), -0.35), cloth(colour)))
    legs = [
        block((0.06, 0.06, 0.16), (x, y, 0.08)) for x in (0.08 - width / 2, width / 2 - 0.08) for y in (-0.34, 0.34)
    ]
    put([*parts, (join(legs), plain((0.03, 0.02, 0.015)))], at, turn, smooth=True)


def table(at, turn, size, skin, height=0.74, top=0.035, leg=0.06):
    w, d = size
    feet = [(x, y) for x in (leg - w / 2, w / 2 - leg) for y in (leg - d / 2, d / 2 - leg)]
    body = [block((w, d, top), (0, 0, height - top / 2))]
    body += [block((leg, leg, height - top), (x, y, (height - top) / 2)) for x, y in feet]
    body += [block((w - 0.1, 0.02, 0.08), (0, side * (d / 2 - leg), height - top - 0.04)) for side in (-1, 1)]
    put([(join(body), skin)], at, turn)


def chair(at, turn, skin):
    body = [block((0.42, 0.42, 0.03), (0, 0, 0.45))]
    body += [block((0.035, 0.035, 0.45), (x, -0.18, 0.225)) for x in (-0.18, 0.18)]
    body += [block((0.035, 0.035, 0.92), (x, 0.19, 0.46)) for x in (-0.18, 0.18)]
    put([(join(body + [block((0.33, 0.02, 0.07), (0, 0.19, z)) for z in (0.62, 0.74, 0.86)]), skin)], at, turn)


def shelf(rng, at, turn, skin, width=0.9, height=1.9, rows=5):
    """Shelves full of books."""
    levels = [0.05 + i * (height - 0.08) / rows for i in range(rows + 1)]
    body = [block((0.025, 0.28, height), (x, 0, height / 2)) for x in (-width / 2, width / 2)]
    body += [block((width, 0.28, 0.025), (0, 0, z)) for z in levels] + [
        block((width, 0.01, height), (0, 0.14, height / 2))
    ]
    parts = [(join(body), skin)]
    for z in levels[:-1]:
        for third in range(3):
            x, books = -width / 2 + 0.03 + third * width / 3, []
            end = x + width / 3 - 0.05
            while x < end:
                w, h = rng.uniform(0.015, 0.05), rng.uniform(0.17, 0.28)
                books.append(block((w - 0.002, 0.2 * rng.uniform(0.7, 1), h), (x + w / 2, 0, z + 0.013 + h / 2), 0.002))
                x += w + (rng.random() < 0.1) * rng.uniform(0.03, 0.1)
            one, other = (SPINES[k] for k in rng.integers(len(SPINES), size=2))
            parts.append((join(books), material("books", one, other, period=0.04, island=1.0)))
    put(parts, at, turn)


def picture(rng, at, turn, width=0.6, height=0.45):
    frame = [block((width + 0.06, 0.03, 0.03), (0, 0, s * (height / 2 + 0.015))) for s in (-1, 1)]
    frame += [block((0.03, 0.03, height + 0.06), (s * (width / 2 + 0.015), 0, 0)) for s in (-1, 1)]
    art = material("art", *(tuple(rng.uniform(0.02, 0.6, 3)) for _ in range(2)), period=0.15)
    put([(join(frame), plain((0.05, 0.03, 0.02))), (block((width, 0.01, height), (0, 0.005, 0)), art)], at, turn)


def floor_lamp(at, power, tall=1.5):
    """Lit if it has power: it then looks like fire to a careless detector."""
    brass = metal((0.4, 0.35, 0.28))
    shade = material("shade", (0.9, 0.6, 0.3) if power else (0.6, 0.55, 0.45), period=0.1, glow=0.16 * power)
    stand = join(
        [lathe([(0, 0), (0.15, 0), (0.15, 0.02), (0.02, 0.035)]), lathe([(0.015, 0.02), (0.015, tall - 0.1)], 10)]
    )
    put([(lathe([(0.13, tall), (0.22, tall - 0.28)]), shade), (stand, brass)], at, smooth=True)
    if power:
        lamp((at[0], at[1], at[2] + tall - 0.14), power, (1, 0.55, 0.2), 0.07)


def house_plant(rng, at, size=0.8):
    pot = lathe([(0, 0), (0.13, 0), (0.17, 0.28), (0.15, 0.28), (0.14, 0.24), (0, 0.24)])
    put([(pot, plain((0.35, 0.13, 0.06), 0.7))], at, smooth=True, scale=size)
    wood, leaves = shapes.broadleaf(rng, 1.5 * size, 0.16 * size, 300, 0.25, 1, 0.8)
    put([(wood, bark("brown")), (leaves, foliage("green"))], (at[0], at[1], at[2] + 0.22 * size))


def fruit_bowl(at):
    """Oranges, apples and lemons."""
    rim = [(0, 0), (0.06, 0), (0.15, 0.07), (0.16, 0.075), (0.14, 0.07), (0.05, 0.012), (0, 0.012)]
    parts = [(lathe(rim), plain((0.5, 0.48, 0.45), 0.2))]
    skins = [plain(colour, 0.4) for colour in ((0.85, 0.28, 0.02), (0.75, 0.06, 0.03), (0.85, 0.5, 0.03))]
    for i in range(8):
        aside, z = (0.075, 0.06) if 0 < i < 7 else (0, 0.11)
        where = aside * math.cos(2.4 * i), aside * math.sin(2.4 * i), z
        parts.append((moved(pillow((0.075, 0.075, 0.072), 1, 14), where), skins[i % 3]))
    put(parts, at, smooth=True)


def bottle(at, colour, height=0.28):
    outline = [
        (0, 0),
        (0.036, 0),
        (0.038, 0.02),
        (0.038, 0.6 * height),
        (0.013, 0.78 * height),
        (0.013, height),
        (0, height),
    ]
    put([(lathe(outline, 20), plain(tuple(colour), 0.15))], at, smooth=True)


def frying_pan(at, turn, radius=0.13):
    outline = [(0, 0.004), (0.8 * radius, 0.004), (radius, 0.05), (radius + 0.004, 0.05), (0.82 * radius, 0), (0, 0)]
    handle = tube([(radius, 0, 0.045), (radius + 0.1, 0, 0.06), (radius + 0.2, 0, 0.065)], [0.009, 0.011, 0.012])
    put([(join([lathe(outline, 36), handle]), plain(BLACK, 0.4))], at, turn, smooth=True)


def cooking_pot(at, radius=0.11, height=0.13):
    outline = [
        (0, 0.01),
        (radius - 0.006, 0.01),
        (radius - 0.006, height),
        (radius + 0.004, height),
        (radius, 0),
        (0, 0),
    ]
    bows = [
        [(s * r, y, 0.75 * height) for r, y in ((radius, -0.03), (radius + 0.035, 0), (radius, 0.03))] for s in (-1, 1)
    ]
    handles = join([tube(bow, 0.006, 6) for bow in bows])
    put([(lathe(outline, 36), metal((0.65, 0.65, 0.66), 0.2)), (handles, plain(BLACK))], at, 0.6, smooth=True)


def waste_bin(at, colour=(0.03, 0.035, 0.04), radius=0.16, height=0.4):
    """An open bin, and what burns in it."""
    r, h = radius, height
    outline = [
        (0, 0.01),
        (0.78 * r, 0.01),
        (0.97 * r, h),
        (r + 0.005, h + 0.004),
        (r + 0.005, h - 0.015),
        (0.8 * r, 0),
        (0, 0),
    ]
    put([(lathe(outline), plain(colour))], at, smooth=True)
    return anchor("bin", np.add(at, [0, 0, 0.85 * h]), (0.6 * h, 2.2 * h), 1.6 * r)


def papers(rng, at, count, spread):
    """Sheets that lie about."""
    sheets = []
    for i in range(count):
        rise = rng.uniform(0, 0.02, 2)
        points = np.array([[-0.105, -0.15, 0], [0.105, -0.15, rise[0]], [0.105, 0.15, 0], [-0.105, 0.15, rise[1]]])
        where = *rng.normal(0, spread / 2, 2), 0.003 + 0.0015 * i
        sheets.append(moved((points, np.array([[0, 1, 2, 3]])), where, rng.uniform(0, TURN)))
    put([(join(sheets), material("paper", (0.75, 0.74, 0.7), (0.6, 0.58, 0.52), period=0.4, island=0.25))], at)


def carton(at, turn, size=(0.45, 0.35, 0.3)):
    card = material("card", (0.36, 0.24, 0.13), (0.30, 0.20, 0.11), period=0.2, rough=0.9)
    tape = block((0.12 * size[0], size[1] + 0.002, 0.001), (0, 0, size[2] + 0.001))
    put([(block(size, (0, 0, size[2] / 2)), card), (tape, plain((0.5, 0.42, 0.3)))], at, turn)


def rug(at, size, colour, period=0.12):
    put([(block((*size, 0.012), (*at, 0.006), 0.004), cloth(colour, period))])


# ---------------------------------------------------------------------------------------------------------------- sets
def living(
    rng, sky, colour=(0.62, 0.58, 0.5), seats=(0.20, 0.22, 0.25), cushions=((0.75, 0.2, 0.03), (0.6, 0.05, 0.03)),
    curtains=(0.55, 0.5, 0.42), carpet=(0.35, 0.1, 0.07), tone=0.6, night=False, lit=False, power=1.0, side=1,
    elevation=-7, fov=66, size=(800, 600), eye=1.5, moods=("indoor",),
):  # fmt: skip
    """A living room; the sofa stands on the left (`side` 1) or on the right (-1)."""
    hdri(*sky)
    x0, x1, y0, y1 = -2.6, 2.7, -0.8, 4.9
    window = (1.2, 2.9) if side > 0 else (2.6, 4.3)
    room(rng, x0, x1, y0, y1, 2.6, colour, "planks", tone, back=[(*window, 0.85, 2.2)])
    middle = x1 - sum(window) / 2
    if night:
        ceiling_light(0.3, 0.6, 2.6, 9 * power, (1, 0.8, 0.6))
    else:
        window_light((middle, y1 - 0.06, 1.5), (1.6, 1.3), 130 * power, "back")
        ceiling_light(0, 1.2, 2.6, 45 * power, (1, 0.9, 0.78))
    for x in (x1 - window[1] - 0.5, x1 - window[0] - 0.12):
        put([(shapes.drape(rng, 0.62, 2.3, 7), cloth(curtains, 0.05))], (x, y1 - 0.1, 0.03), smooth=True)
    rail = tube([(x1 - window[1] - 0.7, y1 - 0.1, 2.36), (x1 - window[0] + 0.7, y1 - 0.1, 2.36)], 0.014)
    put([(rail, metal((0.3, 0.25, 0.2)))])
    x = -1.2 * side
    sofa(rng, (x, 3.85, 0), 0, seats, 2.0, cushions)
    rug((0.7 * x, 2.5), (2.3, 1.6), carpet)
    wood = timber(rng.uniform(0.3, 0.9))
    table((0.7 * x, 2.55, 0), 0.1, (1.0, 0.55), wood, 0.42)
    papers(rng, (0.7 * x + 0.2, 2.55, 0.42), 3, 0.15)
    fruit_bowl((0.7 * x - 0.2, 2.6, 0.42))
    bottle((0.7 * x + 0.36, 2.7, 0.42), (0.03, 0.09, 0.03), 0.2)
    sofa(
        rng,
        (1.6 * side, 2.85, 0),
        -1.2 * side,
        tuple(rng.uniform(0.1, 0.5) * np.array([1, 0.8, 0.6])),
        0.95,
        cushions[:1],
    )
    shelf(rng, (x1 - 0.17 if side > 0 else x0 + 0.17, 3.75, 0), -math.pi / 2 * side, timber(0.5), 1.1)
    floor_lamp((-2.35 * side, 4.4, 0), 16 * lit)
    house_plant(rng, (middle + 0.95 * side, y1 - 0.45, 0))
    for i in range(2):
        picture(rng, (x + 0.8 * i - 0.4, y1 - 0.02, 1.7), 0, rng.uniform(0.35, 0.6))
    put([(moved(pillow((0.24, 0.24, 0.24), 1), (0.9 * side, 1.7, 0.12)), plain((0.8, 0.22, 0.02), 0.4))], smooth=True)
    papers(rng, (0.3, 1.9, 0), 4, 0.4)
    anchors = [
        anchor("furniture", (x - 0.3, 3.65, 0.55), (0.4, 1.5), 0.9),
        anchor("furniture", (1.45 * side, 2.8, 0.56), (0.3, 1.2), 0.6),
        anchor("floor", (0.5 * side, 2.95, 0), (0.3, 1.1), 0.6),
        anchor("wall", (x1 - window[1] - 0.2, y1 - 0.22, 0.1), (0.8, 2.2), 0.5),
        anchor("furniture", (0.7 * x + 0.2, 2.55, 0.43), (0.15, 0.6), 0.4),
        waste_bin((0.25 * side, 4.3, 0)),
    ]
    return Shot(Camera(0, elevation, fov, *size, eye), anchors, True, lit, list(moods))


def cooker(x, y):
    """A stove against the wall: the points on its four hobs."""
    steel, black = metal((0.55, 0.55, 0.56)), plain((0.014, 0.014, 0.015), 0.1)
    knobs = [
        moved(lathe([(0, 0), (0.02, 0), (0.018, 0.02), (0, 0.022)], 14), (0.1 * i - 0.2, -0.3, 0.76), tilt=math.pi / 2)
        for i in range(5)
    ]
    glass = [block((0.5, 0.01, 0.38), (0, -0.293, 0.42)), block((0.59, 0.57, 0.01), (0, 0, 0.867), 0.003), *knobs]
    body = [block((0.6, 0.58, 0.86), (0, 0, 0.43)), tube([(-0.24, -0.33, 0.66), (0.24, -0.33, 0.66)], 0.012)]
    put([(join(body), steel), (join(glass), black)], (x, y, 0.01))
    hobs = [(x + 0.14 * i, y + 0.13 * j, 0.885) for i in (-1, 1) for j in (-1, 1)]
    grates = [block((0.17, 0.01, 0.012), (0, 0, 0.012), 0.002), block((0.01, 0.17, 0.012), (0, 0, 0.012), 0.002)]
    for hob in hobs:
        put([(join([lathe([(0, 0.006), (0.075, 0.006), (0.085, 0)]), *grates]), plain(BLACK))], hob)
    return hobs


def cupboards(rng, x0, x1, back, stove, colour, slab, tile):
    """Two rows of cupboards with a gap for the stove, a worktop, tiles and a hood."""
    y, skin, steel = back - 0.32, paint(colour, 0.4), metal()
    low = [u for u in np.arange(x0 + 0.3, x1 - 0.29, 0.6) if abs(u - stove) > 0.3]
    doors = [block((0.592, 0.56, 0.72), (u, y, 0.46)) for u in low]
    doors += [block((0.593, 0.34, 0.62), (u, back - 0.17, 1.82)) for u in low]
    handles = [tube([(u - 0.08, y - 0.305, 0.76), (u + 0.08, y - 0.305, 0.76)], 0.006, 6) for u in low]
    put([(join(doors), skin), (join(handles), steel)])
    put([(block((x1 - x0, 0.5, 0.1), ((x0 + x1) / 2, y + 0.04, 0.05)), plain((0.03, 0.03, 0.03)))])
    top = material("worktop", slab, (0.05, 0.05, 0.05), period=0.04, rough=0.3)
    for a, b in ((x0, stove - 0.3), (stove + 0.3, x1)):
        put([(block((b - a, 0.62, 0.04), ((a + b) / 2, y, 0.86)), top)])
    tiles = []
    for row in range(8):
        starts = np.arange(x0, x1 - 0.15, 0.15) + 0.075 * (1 + row % 2)
        tiles += [block((0.146, 0.01, 0.071), (u, back - 0.005, 0.9175 + 0.075 * row), 0.002) for u in starts]
    skin = material("tile", tile, tuple(0.85 * c for c in tile), period=0.3, rough=0.2, island=0.2)
    put([(join(tiles), skin)])
    hood = [block((0.6, 0.45, 0.06), (stove, back - 0.23, 1.62)), block((0.26, 0.26, 0.95), (stove, back - 0.14, 2.12))]
    put([(join(hood), steel)])


def kitchen(
    rng, sky, colour=(0.66, 0.62, 0.5), doors=(0.5, 0.5, 0.48), slab=(0.18, 0.17, 0.16), tile=(0.6, 0.62, 0.6),
    kind="tiles", stove=0.3, wide=2.4, close=False, lit=False, elevation=-19, fov=56, size=(800, 600), eye=1.55,
    moods=("indoor",),
):  # fmt: skip
    """A row of cupboards with a stove at x = `stove`, on which a frying pan and a pot stand."""
    hdri(*sky)
    back, y = 2.9, 2.58
    room(rng, -wide, wide, -1.2, back, 2.6, colour, kind, 0.7, left=[(0.6, 1.9, 1.05, 2.1)])
    window_light((0.08 - wide, back - 1.25, 1.55), (1.2, 1.0), 70, "left")
    ceiling_light(0.2, 0.9, 2.6, 45, (1, 0.9, 0.76))
    cupboards(rng, -wide, wide, back, stove, doors, slab, tile)
    hobs = cooker(stove, y)
    pan, pot = np.add(hobs[0], [0, 0, 0.02]), np.add(hobs[3], [0, 0, 0.02])
    frying_pan(pan, -2.0)
    cooking_pot(pot)
    fruit_bowl((stove + 0.75, y, 0.88))
    for x, back_by, tint, tall in (
        (0.45, 0.15, (0.35, 0.22, 0.03), 0.28),
        (0.53, 0.17, (0.04, 0.08, 0.03), 0.24),
        (0.6, 0.05, (0.5, 0.05, 0.02), 0.2),
    ):
        bottle((stove - x, y + back_by, 0.88), tint, tall)
    kettle = lathe([(0, 0), (0.08, 0), (0.09, 0.1), (0.06, 0.18), (0.02, 0.2), (0, 0.2)], 24)
    grip = tube([(0.05, 0, 0.18), (0, 0, 0.25), (-0.05, 0, 0.18)], 0.008, 6)
    put(
        [(kettle, plain((0.6, 0.08, 0.04), 0.25)), (grip, plain(BLACK))],
        (stove + 1.15, y + 0.05, 0.88),
        0.5,
        smooth=True,
    )
    put([(block((0.35, 0.23, 0.02), (0, 0, 0.01)), timber(0.8))], (stove - 1.05, y - 0.05, 0.88), 0.2)
    put(
        [(shapes.drape(rng, 0.35, 0.45, 3, 0.012), cloth((0.6, 0.12, 0.05)))],
        (stove - 0.2, y - 0.36, 0.22),
        smooth=True,
    )
    table((stove + 1.2, 0.75, 0), 0.05, (1.2, 0.7), timber(0.6))
    chair((stove + 1.1, 0.25, 0), 3.1, timber(0.5))
    papers(rng, (stove + 1.2, 0.8, 0.74), 4, 0.3)
    if lit:
        shade = material("shade", (0.9, 0.55, 0.2), period=0.1, glow=5)
        cord = tube([(0, 0, 0.2), (0, 0, 0.7)], 0.004, 5)
        put([(lathe([(0.02, 0.2), (0.16, 0)]), shade), (cord, plain(BLACK))], (stove + 0.9, 1.5, 1.9), smooth=True)
        lamp((stove + 0.9, 1.5, 1.95), 14, (1, 0.6, 0.3), 0.08)
    can = waste_bin((stove + 1.0, y - 0.55, 0), (0.35, 0.35, 0.36), 0.15, 0.5)
    anchors = [
        anchor("pan", pan + [0, 0, 0.015], (0.2, 0.8), 0.24),
        anchor("pan", pot + [0, 0, 0.1], (0.12, 0.45), 0.18),
        anchor("stove", (stove, y, 0.9), (0.3, 1.1), 0.5),
        anchor("stove", np.add(hobs[2], [0, 0, 0.015]), (0.06, 0.3), 0.15),
    ]
    if not close:
        anchors += [
            can,
            anchor("wall", (stove - 0.5, back - 0.12, 0.9), (0.4, 1.2), 0.5),
            anchor("floor", (stove - 0.5, 2.05, 0), (0.2, 0.8), 0.5),
        ]
    azimuth = math.degrees(math.atan2(stove, y))
    return Shot(Camera(azimuth, elevation, fov, *size, eye), anchors, True, lit, list(moods))


def chimney(rng, back, colour):
    """A fireplace of bricks with a mantelpiece and candles on it: (where the logs lie, the wicks)."""
    bricks = []
    for row in range(34):
        for i in range(-5, 6):
            x, z = (i + 0.5 * (row % 2)) * 0.215, 0.0375 + 0.075 * row
            if abs(x) < 1.05 and not (abs(x) < 0.5 and 0.12 < z < 0.85):
                bricks.append(block((0.205, 0.1, 0.066), (x, back - 0.5, z), 0.006))
    skin = material("brick", colour, tuple(1.5 * c for c in colour), period=0.1, rough=0.95, bump=0.006, island=0.8)
    soot = [block((0.5, 0.36, 2.6), (side * 0.8, back - 0.28, 1.3)) for side in (-1, 1)]
    soot += [block((1.2, 0.36, 1.72), (0, back - 0.28, 1.74)), block((1.1, 0.05, 0.9), (0, back - 0.08, 0.45))]
    hearth = block((2.4, 0.7, 0.1), (0, back - 0.72, 0.05), 0.015)
    put([(join(bricks), skin), (join(soot), plain((0.05, 0.042, 0.036), 0.95)), (hearth, plain((0.10, 0.095, 0.09)))])
    put([(block((2.3, 0.3, 0.09), (0, back - 0.55, 1.28)), timber(0.35))])
    stem, logs = bark("brown"), []
    for i in range(5):
        where = 0.03 * (i - 2), back - 0.36 + 0.05 * (i % 3 - 1), 0.15 + 0.08 * (i // 3)
        logs.append(
            moved(
                shapes.log(rng, rng.uniform(0.45, 0.6), rng.uniform(0.04, 0.06)),
                where,
                rng.normal(0, 0.25) + 0.5 * (i > 2),
            )
        )
    for i in range(16):
        where = 1.45 + 0.13 * (i % 4), back - 0.35, 0.07 + 0.12 * (i // 4)
        logs.append(moved(shapes.log(rng, 0.34, rng.uniform(0.04, 0.07)), where, math.pi / 2 + rng.normal(0, 0.05)))
    put([(join(logs), stem)], smooth=True)
    wicks = [(-0.85, back - 0.55, 1.635), (0.8, back - 0.55, 1.635)]
    for x, y, z in wicks:
        holder = lathe([(0, 0), (0.05, 0), (0.02, 0.03), (0.016, 0.1), (0.035, 0.13), (0, 0.13)], 18)
        wax = lathe([(0, 0.13), (0.014, 0.13), (0.013, 0.3), (0, 0.3)], 14)
        put([(holder, metal((0.6, 0.45, 0.2))), (wax, plain((0.75, 0.7, 0.6)))], (x, y, z - 0.31), smooth=True)
    return (0, back - 0.36, 0.2), wicks


def fireside(
    rng, sky, colour=(0.5, 0.42, 0.32), brick=(0.22, 0.075, 0.04), carpet=(0.1, 0.16, 0.2), lit=False, elevation=-5,
    fov=58, size=(800, 600), eye=1.2, moods=("dark", "indoor"),
):  # fmt: skip
    """Armchairs before a fireplace."""
    hdri(*sky)
    room(rng, -2.5, 2.5, -1.2, 3.9, 2.6, colour, "planks", 0.45)
    ceiling_light(0, 0.8, 2.6, 26, (1, 0.82, 0.62))
    window_light((-2.4, 1.8, 1.5), (1.2, 1.2), 25, "left")
    logs, wicks = chimney(rng, 3.9, brick)
    picture(rng, (0, 3.33, 1.85), 0, 0.9, 0.6)
    sofa(rng, (-1.5, 2.35, 0), 1.1, (0.28, 0.10, 0.05), 0.95, ((0.7, 0.35, 0.05),))
    sofa(rng, (1.5, 2.4, 0), -1.15, (0.12, 0.15, 0.12), 0.95, ((0.6, 0.08, 0.03),))
    rug((0, 2.1), (2.2, 1.4), carpet)
    table((0.55, 1.75, 0), 0.2, (0.7, 0.45), timber(0.4), 0.4)
    bottle((0.5, 1.8, 0.4), (0.05, 0.02, 0.01))
    papers(rng, (0.65, 1.7, 0.4), 2, 0.1)
    if lit:
        floor_lamp((-2.1, 3.3, 0), 16)
        floor_lamp((2.15, 3.3, 0), 12, 1.3)
    anchors = [
        anchor("log", logs, (0.25, 0.6), 0.6),
        anchor("log", np.add(logs, [-0.18, 0, -0.02]), (0.15, 0.4), 0.25),
        *(anchor("candle", wick, (0.03, 0.075), 0.02) for wick in wicks),
        anchor("floor", (-0.3, 2.75, 0.01), (0.2, 0.9), 0.5),
        anchor("furniture", (1.25, 2.4, 0.56), (0.3, 1), 0.55),
    ]
    return Shot(Camera(0, elevation, fov, *size, eye), anchors, True, lit, list(moods))


def workplace(rng, x, y, side, partition):
    """A desk with a screen, a chair, papers and a bin, which is returned as an anchor."""
    table((x, y, 0), 0, (1.6, 0.75), plain((0.55, 0.5, 0.42)), 0.73)
    put([(block((1.6, 0.04, 1.15), (x, y + 0.42, 0.6)), cloth(partition, 0.03))])
    case = [
        block((0.56, 0.03, 0.34), (0, 0, 0.33)),
        block((0.05, 0.04, 0.2), (0, 0.03, 0.1)),
        block((0.22, 0.16, 0.012), (0, 0.03, 0.006)),
    ]
    glow = 1.2 if rng.random() < 0.7 else 0
    screen = material("screen", (0.15, 0.25, 0.4), (0.5, 0.55, 0.6), period=0.12, glow=glow)
    parts = [(join(case), plain(BLACK)), (block((0.52, 0.004, 0.30), (0, -0.017, 0.33), 0.001), screen)]
    put(parts, (x + rng.uniform(-0.3, 0.3), y + 0.18, 0.73), rng.normal(0, 0.15))
    put([(block((0.42, 0.14, 0.02), (x, y - 0.12, 0.742)), plain(BLACK))])
    papers(rng, (x + 0.45, y - 0.05, 0.73), 6, 0.2)
    bottle((x - 0.6, y + 0.1, 0.73), rng.uniform(0.02, 0.5, 3), 0.16)
    soft = [
        moved(pillow((0.48, 0.48, 0.1), 0.3), (0, 0, 0.48)),
        moved(pillow((0.44, 0.09, 0.5), 0.3), (0, 0.24, 0.82), tilt=-0.1),
    ]
    feet = [
        tube([(0, 0, 0.09), (0.27 * math.cos(a), 0.27 * math.sin(a), 0.05)], 0.018, 6) for a in np.arange(5) / 5 * TURN
    ]
    fabric = cloth(tuple(rng.uniform(0.02, 0.25) * np.array([0.6, 0.8, 1])))
    parts = [(join(soft), fabric), (join([lathe([(0.025, 0.07), (0.025, 0.45)], 10), *feet]), plain(BLACK))]
    put(parts, (x + rng.uniform(-0.2, 0.2), y - 0.6, 0), math.pi + rng.normal(0, 0.6), smooth=True)
    return waste_bin((x - 0.95 * side, y + 0.1, 0), radius=0.13, height=0.3)


def office(rng, sky, colour=(0.6, 0.62, 0.63), partition=(0.12, 0.2, 0.3), elevation=-8, fov=66, size=(800, 450),
           eye=1.7, moods=("indoor",)):  # fmt: skip
    """Two rows of desks."""
    hdri(*sky)
    windows = [(1.6, 3.4, 0.9, 2.2), (4.4, 6.2, 0.9, 2.2), (7, 8.6, 0.9, 2.2)]
    room(rng, -3.6, 3.6, -1, 8, 2.8, colour, "carpet", 1.0, right=windows)
    panel = material("panel", (0.9, 0.95, 1), glow=3.5)
    for y in (1.9, 4.7, 6.9):
        window_light((3.52, y, 1.55), (1.6, 1.2), 60, "right")
    for x in (-1.8, 1.6):
        for y in (1.5, 4, 6.5):
            put([(block((0.6, 0.6, 0.02), (x, y, 2.79)), panel)])
            ceiling_light(x, y, 2.78, 16, (0.95, 0.97, 1), (0.6, 0.6))
    bins = [workplace(rng, 2 * side, y, side, partition) for y in (2.6, 4.7, 6.7) for side in (-1, 1)]
    for i in range(5):
        carton((rng.uniform(-0.5, 0.5), 7.2 + 0.1 * i, 0 if i < 3 else 0.3), rng.uniform(-0.3, 0.3))
    house_plant(rng, (3.1, 3.5, 0))
    put([(block((0.9, 0.02, 0.6)), plain((0.75, 0.09, 0.03)))], (-0.4, 7.98, 1.8))
    for i in range(4):
        picture(rng, (-3.58, 2.4 + 1.5 * i, 1.7), math.pi / 2, rng.uniform(0.4, 0.9), 0.5)
    anchors = [
        *bins[2:],
        anchor("furniture", (-1.8, 4.7, 0.74), (0.3, 1.2), 0.8),
        anchor("furniture", (1.8, 6.7, 0.74), (0.4, 1.5), 0.9),
        anchor("floor", (0.1, 4.4, 0), (0.3, 1), 0.6),
    ]
    return Shot(Camera(0, elevation, fov, *size, eye), anchors, True, False, list(moods))


def tools(rng, x, back):
    """A workbench with tins, and a board with tools above it."""
    wood = timber(0.45)
    table((x, back - 0.45, 0), 0, (2.6, 0.75), wood, 0.9, 0.06, 0.09)
    for i in range(9):
        where = x + 0.27 * i - 1.1 + rng.normal(0, 0.03), back - 0.3 + rng.normal(0, 0.08), 0.9
        bottle(where, SPINES[rng.integers(len(SPINES))], rng.uniform(0.12, 0.3))
    put([(block((2.2, 0.02, 1.0), (x, back - 0.012, 1.75)), timber(0.7))])
    for i in range(11):
        u, length = x + 0.19 * i - 0.95, rng.uniform(0.2, 0.5)
        blade = block((rng.uniform(0.02, 0.04), 0.02, length), (u, back - 0.04, 2.1 - length / 2))
        grip = block((0.035, 0.03, 0.12), (u, back - 0.04, 2.05 - length))
        put([(blade, metal((0.45, 0.45, 0.45), 0.4)), (grip, plain(SPINES[rng.integers(len(SPINES))]))])


def drum(at, colour, is_open=False):
    """A steel drum, 0.9 m high."""
    top = [(0, 0.1), (0.27, 0.1), (0.27, 0.88)] if is_open else [(0, 0.86), (0.28, 0.86), (0.285, 0.88)]
    side = [
        (0.29, 0.88),
        (0.29, 0.6),
        (0.3, 0.585),
        (0.29, 0.57),
        (0.29, 0.31),
        (0.3, 0.295),
        (0.29, 0.28),
        (0.29, 0),
        (0, 0),
    ]
    skin = material("drum", colour, tuple(0.55 * c for c in colour), period=0.3, rough=0.45, bump=0.003)
    put([(lathe(top + side, 40), skin)], at)


def workshop(
    rng, sky, colour=(0.4, 0.39, 0.36), drums=((0.55, 0.12, 0.03), (0.06, 0.14, 0.3), (0.35, 0.3, 0.05)), power=1.0,
    bench=1.3, azimuth=0, elevation=-7, fov=64, size=(800, 600), eye=1.6, moods=("indoor", "dark"),
):  # fmt: skip
    """A garage with a bench, drums, tyres, cartons and bins, and a lamp over the bench."""
    hdri(*sky)
    x0, x1, back = -3.0, 3.1, 6.0
    room(rng, x0, x1, -1, back, 3.2, colour, "concrete", 0.8, (0.3, 0.29, 0.28), left=[(1.2, 3, 1.3, 2.4)])
    window_light((x0 + 0.1, back - 2.1, 1.85), (1.7, 1), 90 * power, "left")
    ceiling_light(0.3, 2, 3.1, 65 * power, (1, 0.95, 0.85), (1.4, 0.15))
    put([(block((1.4, 0.16, 0.05), (0.3, 2, 3.13)), plain(WHITE))])
    tools(rng, bench, back)
    foot = bench - 3.2 if bench > 0 else 0.9
    for i, tint in enumerate(drums):
        drum((foot + 0.66 * i + rng.normal(0, 0.03), 4.9 + rng.normal(0, 0.1), 0), tint, i == 1)
    ring = [(0.18, -0.09), (0.3, -0.1), (0.33, -0.05), (0.33, 0.05), (0.3, 0.1), (0.18, 0.09), (0.18, -0.09)]
    tyres = [moved(lathe(ring, 36), (rng.normal(0, 0.03), 0, 0.1 + 0.2 * i)) for i in range(4)]
    put([(join(tyres), plain(BLACK, 0.85))], (-2.45, 3.3, 0), smooth=True)
    for k in range(8):
        carton(
            (2.55 + rng.normal(0, 0.05), 2.6 + 0.42 * (k % 4), 0.3 * (k // 4)), rng.normal(0, 0.1), (0.42, 0.38, 0.3)
        )
    slats = [block((1.1, 0.09, 0.02), (0, y, 0.11)) for y in np.linspace(-0.45, 0.45, 7)]
    slats += [block((0.09, 1.0, 0.1), (x, 0, 0.05)) for x in (-0.5, 0, 0.5)]
    wood = timber(0.45)
    put([(join(slats), wood)], (1.35, 2.9, 0), 0.3)
    carton((1.2, 2.9, 0.12), 0.2, (0.6, 0.5, 0.4))
    put([(moved(pillow((0.4, 0.4, 0.16), 0.5), (1.65, 3.05, 0.2)), cloth((0.5, 0.12, 0.03)))], smooth=True)
    shade = lathe([(0.03, 0.2), (0.2, 0)])
    bulb = moved(pillow((0.1, 0.1, 0.12), 1), (0, 0, 0.02))
    glowing = material("bulb", (1, 0.75, 0.4), glow=25)
    cord = tube([(0, 0, 0.2), (0, 0, 0.9)], 0.005, 5)
    put([(join([shade, cord]), plain((0.05, 0.12, 0.06), 0.3)), (bulb, glowing)], (bench, 4.3, 2.3), smooth=True)
    lamp((bench, 4.3, 2.25), 40, (1, 0.68, 0.38), 0.06)
    anchors = [
        waste_bin((0.35, 3.6, 0), (0.3, 0.31, 0.32), 0.22, 0.55),
        waste_bin((-0.9, 3.1, 0), (0.5, 0.16, 0.03), 0.16, 0.36),
        anchor("bin", (foot + 0.66, 4.9, 0.6), (0.5, 1.6), 0.5),
        heap(rng, (0.2, 4.7, 0), wood, 22, 0.45, 0.3),
        anchor("furniture", (bench, back - 0.5, 0.92), (0.3, 1.2), 0.8),
        anchor("heap", (1.2, 2.9, 0.53), (0.4, 1.4), 0.6),
        anchor("floor", (-0.3, 3.4, 0), (0.2, 0.8), 0.6),
    ]
    return Shot(Camera(azimuth, elevation, fov, *size, eye), anchors, True, True, list(moods))


def candle(rng, at, colour):
    """A candle on a saucer: the tip of its wick."""
    h, r = rng.uniform(0.06, 0.24), rng.uniform(0.018, 0.038)
    wax = lathe(
        [(0, 0), (1.02 * r, 0), (r, 0.5 * h), (0.97 * r, h), (0.8 * r, h + 0.003), (0.004, h - 0.006), (0, h - 0.006)]
    )
    wick = tube([(0, 0, h - 0.008), (0.001, 0.001, h + 0.006), (0.004, 0.002, h + 0.012)], 0.0011, 6)
    saucer = lathe([(0, -0.002), (2 * r, -0.002), (2.3 * r, 0.011), (2.2 * r, 0.011), (1.9 * r, 0.002), (0, 0.002)])
    dish = metal((0.6, 0.45, 0.2)) if rng.random() < 0.5 else plain((0.4, 0.38, 0.35), 0.2)
    put([(wax, plain(colour, 0.45)), (wick, plain((0.01, 0.01, 0.01))), (saucer, dish)], at, smooth=True)
    return np.add(at, [0.004, 0.002, h + 0.008])


def candles(
    rng, sky, count=5, spread=0.42, tone=0.4, runner=None, laid=True, elevation=-16, fov=48, size=(800, 600), eye=1.05,
    colours=((0.75, 0.7, 0.58), (0.6, 0.06, 0.03), (0.75, 0.55, 0.3)), moods=("dark", "black"),
):  # fmt: skip
    """A table close by in the dark with candles on it; `laid`: with plates and glasses."""
    hdri(*sky)
    y, top = 1.0, 0.744
    table((0, y + 0.1, 0), 0, (1.9, 1.1), timber(tone), 0.74)
    put(
        [
            (block((6, 0.1, 3.2), (0, 4, 1.5)), paint((0.28, 0.2, 0.14))),
            (block((8, 8, 0.02), (0, 2, -0.01)), timber(0.3)),
        ]
    )
    lamp((1.2, -0.3, 2.2), 1.6, (1, 0.7, 0.45), 0.5)
    lamp((-1.5, 1.6, 2), 0.8, (0.7, 0.8, 1), 0.5)
    if runner:
        put([(block((1.1, 0.7, 0.003), (0, y, 0.742), 0.001), cloth(runner, 0.03))])
    xy = np.stack([rng.uniform(-spread, spread, 80), y + rng.uniform(-0.3, 0.4, 80)], -1)
    wicks = [candle(rng, (*spot, top + 0.002), colours[rng.integers(len(colours))]) for spot in apart(xy, 0.15)[:count]]
    if laid:
        dish = lathe([(0, 0.004), (0.08, 0.004), (0.12, 0.015), (0.125, 0.016), (0.08, 0), (0, 0)], 40)
        cup = lathe([(0, 0), (0.035, 0), (0.006, 0.008), (0.005, 0.09), (0.03, 0.12), (0.04, 0.17), (0.033, 0.2)])
        for side in (-1, 1):
            put([(dish, plain((0.6, 0.58, 0.55), 0.2))], (0.62 * side, y - 0.12, 0.741), smooth=True)
            put([(cup, plain((0.12, 0.02, 0.025), 0.05))], (0.55 * side, y + 0.42, 0.741), smooth=True)
    fruit_bowl((-0.78, y + 0.28, 0.741))
    bottle((0.75, y + 0.3, 0.741), (0.02, 0.04, 0.015), 0.3)
    for x in (-0.75, 0.7):
        chair((x, y + 0.95, 0), 0, timber(0.3))
    picture(rng, (0.3, 3.94, 1.3), 0, 0.7, 0.5)
    put([(shapes.drape(rng, 0.9, 2.3, 8), cloth((0.3, 0.06, 0.04)))], (-1.6, 3.85, 0), smooth=True)
    anchors = [anchor("candle", wick, (0.03, 0.075), 0.02) for wick in wicks]
    return Shot(Camera(0, elevation, fov, *size, eye), anchors, True, False, list(moods))


def stairs(x, y, steps=11):
    """A flight of concrete steps with a red handrail, 1 m wide."""
    flight = [block((1.0, 0.29, 0.17 * (i + 1)), (x + 0.5, y + 0.29 * i, 0.085 * (i + 1)), 0.012) for i in range(steps)]
    put([(join(flight), material("step", (0.3, 0.29, 0.27), (0.2, 0.19, 0.18), period=0.3, rough=0.5))])
    posts = [np.array([x + 0.02, y + 0.29 * i, 0.17 * (i + 1)]) for i in range(steps)]
    rail = [tube([foot, foot + [0, 0, 0.85]], 0.012, 6) for foot in posts]
    rail.append(tube([posts[0] + [0, -0.1, 0.8], posts[-1] + [0, 0, 0.85]], 0.025))
    put([(join(rail), plain((0.55, 0.10, 0.03), 0.4))], smooth=True)


def corridor(
    rng, colour=(0.62, 0.6, 0.52), doors=(0.35, 0.2, 0.1), kind="tiles", warm=False, flight=False, length=11.0,
    carpet=(0.32, 0.05, 0.03), elevation=-7, fov=70, size=(600, 800), eye=1.6, moods=("indoor", "dark"),
):  # fmt: skip
    """A passage with doors, lamps, a red fire extinguisher and a green sign; `flight`: with stairs up."""
    gradient(**GREY)
    room(
        rng,
        -1.05,
        1.05,
        -0.8,
        length,
        2.6,
        colour,
        kind,
        0.7,
        left=[(2.6, 3.5, 0, 2.05), (6.2, 7.1, 0, 2.05)],
        right=[(2.8, 3.7, 0, 2.05), (7.4, 8.3, 0, 2.05)],
    )
    skin = material("door", doors, tuple(0.8 * c for c in doors), period=0.3, stretch=(1, 1, 0.2), rough=0.4)
    knob = lathe([(0, 0), (0.025, 0), (0.025, 0.02), (0, 0.03)], 12)
    for side, y in ((-1, length - 3.05), (-1, length - 6.65), (1, 2.45), (1, 7.05)):
        put(
            [
                (block((0.05, 0.9, 2.05), (1.15 * side, y, 1.025)), skin),
                (moved(knob, (1.1 * side, y - 0.35, 1)), metal()),
            ]
        )
    light = (1, 0.72, 0.42) if warm else (1, 0.97, 0.9)
    panel = material("panel", light, glow=3.5)
    for y in np.arange(1.2, length, 2.6):
        put([(block((0.3, 0.9, 0.05), (0, y, 2.57)), panel)])
        ceiling_light(0, y, 2.54, 16, light, (0.3, 0.9))
    bottle_ = lathe([(0, 0), (0.07, 0), (0.07, 0.38), (0.03, 0.45), (0.02, 0.5), (0, 0.5)], 24)
    hose = tube([(0.02, 0, 0.48), (0.1, 0, 0.4), (0.09, 0, 0.15)], 0.01, 6)
    put([(bottle_, plain((0.6, 0.03, 0.02), 0.3)), (hose, plain(BLACK))], (0.96, 4.4, 0.6), math.pi, smooth=True)
    put([(block((0.36, 0.03, 0.16), (0, 5, 2.35)), material("sign", (0.05, 0.5, 0.18), glow=1.2))])
    put(
        [
            (
                block((0.02, 0.6, 0.8), (1.04, 5.4, 1.5)),
                material("board", (0.5, 0.2, 0.04), (0.6, 0.55, 0.45), period=0.12),
            )
        ]
    )
    for i in range(4):
        carton((-0.75, 4.2 + 0.36 * (i % 3), 0.3 * (i // 3)), rng.normal(0, 0.15), (0.36, 0.32, 0.3))
    for y in (1.9, 5.4):
        picture(rng, (-1.03, y, 1.5), math.pi / 2, 0.5, 0.4)
    rug((0, 3.2), (0.9, 1.6), carpet)
    papers(rng, (0, 4.6, 0), 8, 0.5)
    anchors = [
        waste_bin((0.8, 3.5, 0), (0.25, 0.25, 0.26), 0.16, 0.5),
        anchor("heap", (-0.75, 4.2, 0.6), (0.4, 1.3), 0.5),
        anchor("floor", (-0.2, 5.2, 0), (0.4, 1.5), 0.8),
    ]
    if flight:
        stairs(0.03, 5.6)
        return Shot(
            Camera(0, elevation, fov, *size, eye),
            [*anchors, anchor("floor", (0.45, 5.9, 0.35), (0.3, 1), 0.6)],
            True,
            True,
            list(moods),
        )
    chair((-0.78, 6.6, 0), 1.5, timber(0.5))
    house_plant(rng, (0.78, length - 0.9, 0))
    anchors += [
        anchor("floor", (-0.1, length - 2.2, 0), (0.6, 2), 1.3),
        anchor("furniture", (-0.78, 6.6, 0.48), (0.3, 1.1), 0.4),
        anchor("wall", (0.9, 6.2, 0.05), (0.7, 1.8), 0.4),
    ]
    return Shot(Camera(0, elevation, fov, *size, eye), anchors, True, True, list(moods))


PLATES = {
    "living_day": Plate(living, 301, "train", dict(sky=("city", 120, 1))),
    "living_lamp": Plate(
        living, 302, "train", dict(
            sky=("night", 0, 1), colour=(0.45, 0.25, 0.16), seats=(0.30, 0.09, 0.05), curtains=(0.35, 0.06, 0.03),
            cushions=((0.7, 0.5, 0.2), (0.1, 0.2, 0.2)), carpet=(0.12, 0.14, 0.2), tone=0.4, night=True, lit=True,
            side=-1, size=(800, 533), moods=("dark", "indoor"),
        ),
    ),
    "kitchen_day": Plate(kitchen, 303, "train", dict(sky=("city", 0, 1))),
    "kitchen_close": Plate(
        kitchen, 304, "train", dict(
            sky=("forest", 0, 1), doors=(0.28, 0.09, 0.05), tile=(0.55, 0.5, 0.36), slab=(0.36, 0.34, 0.32), wide=2.1,
            stove=0.0, close=True, elevation=-24, fov=58, size=(600, 800), eye=1.62, moods=("indoor", "dark"),
        ),
    ),
    "hearth": Plate(fireside, 305, "train", dict(sky=("night", 0, 1))),
    "office_day": Plate(office, 306, "train", dict(sky=("city", 60, 1))),
    "workshop": Plate(workshop, 307, "train", dict(sky=("forest", 0, 1))),
    "candle_table": Plate(candles, 308, "train", dict(sky=("interior", 0, 0.05))),
    "candle_close": Plate(
        candles, 309, "train", dict(
            sky=("night", 0, 0.3), count=3, spread=0.14, tone=0.8, runner=(0.5, 0.05, 0.03), laid=False, elevation=-14,
            fov=40, size=(600, 800), moods=("black", "dark"),
        ),
    ),
    "passage": Plate(corridor, 310, "train", dict()),
    "stairwell": Plate(
        corridor, 311, "train", dict(
            colour=(0.5, 0.5, 0.52), doors=(0.1, 0.16, 0.22), kind="concrete", warm=True, flight=True,
            carpet=(0.2, 0.2, 0.19), size=(800, 800),
        ),
    ),
    "flat_evening": Plate(
        living, 401, "val", dict(
            sky=("sunrise", 60, 0.7), colour=(0.4, 0.46, 0.42), seats=(0.4, 0.34, 0.25), curtains=(0.6, 0.28, 0.06),
            cushions=((0.65, 0.12, 0.02),), carpet=(0.4, 0.36, 0.3), tone=0.9, lit=True, power=0.6, elevation=-9,
            fov=72, size=(800, 450), eye=1.35, moods=("indoor", "dark"),
        ),
    ),
    "galley": Plate(
        kitchen, 402, "val", dict(
            sky=("courtyard", 0, 1), colour=(0.5, 0.52, 0.55), doors=(0.08, 0.16, 0.2), slab=(0.09, 0.085, 0.08),
            tile=(0.66, 0.5, 0.35), kind="planks", stove=-0.6, wide=2.7, lit=True, size=(700, 700),
        ),
    ),
    "altar": Plate(
        candles, 403, "val", dict(
            sky=("courtyard", 0, 0.03), count=9, tone=0.25, laid=False, elevation=-20, fov=52, size=(800, 533), eye=1.15,
            colours=((0.7, 0.66, 0.6), (0.3, 0.36, 0.3), (0.75, 0.3, 0.05)), moods=("black", "dark"),
        ),
    ),
    "garage": Plate(
        workshop, 404, "val", dict(
            sky=("courtyard", 90, 1), colour=(0.5, 0.44, 0.34), power=0.7, bench=-1.2, azimuth=-7, size=(800, 533),
            drums=((0.1, 0.3, 0.14), (0.5, 0.4, 0.05), (0.5, 0.08, 0.05)), eye=1.9,
        ),
    ),
}  # fmt: skip
