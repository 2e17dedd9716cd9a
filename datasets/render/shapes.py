"""Bodies as numbers: each function returns (vertices (N, 3) in metres, faces (M, 4)), for `blender.mesh`."""

import math

import numpy as np

TURN = 2 * math.pi


def unit(vectors):
    return vectors / (np.linalg.norm(vectors, axis=-1, keepdims=True) + 1e-9)


def join(bodies):
    """Several bodies as one."""
    bodies = list(bodies)
    offsets = np.cumsum([0] + [len(points) for points, _ in bodies[:-1]])
    return np.concatenate([p for p, _ in bodies]), np.concatenate([f + o for (_, f), o in zip(bodies, offsets)])


def moved(body, at=(0, 0, 0), turn=0.0, tilt=0.0):
    """The body tilted about the x axis, then turned about z, then shifted; angles in radians."""
    points, faces = body
    c, s = math.cos(tilt), math.sin(tilt)
    points = points @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    c, s = math.cos(turn), math.sin(turn)
    return points @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + at, faces


def grid(points, around=False):
    """A surface over points (rows, columns, 3); `around` joins the last column to the first."""
    rows, columns = points.shape[:2]
    i = np.arange(rows - 1)[:, None] * columns
    j = np.arange(columns if around else columns - 1)
    k = (j + 1) % columns
    faces = np.stack([i + j, i + k, i + columns + k, i + columns + j], -1)
    return points.reshape(-1, 3), faces.reshape(-1, 4)


def tube(line, radii, sides=8):
    """A bent pipe with closed ends along points (N, 3)."""
    line = np.asarray(line, float)
    radii = np.concatenate([[1e-4], np.broadcast_to(radii, len(line)), [1e-4]])
    way = unit(np.gradient(line, axis=0))
    across = unit(np.cross(way, np.eye(3)[np.argmin(abs(way.mean(0)))]))
    line, way, across = (np.concatenate([a[:1], a, a[-1:]]) for a in (line, way, across))
    angle = np.arange(sides) / sides * TURN
    ring = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * np.cross(way, across)[:, None]
    return grid(line[:, None] + radii[:, None, None] * ring, around=True)


def lathe(profile, sides=32):
    """A profile [(radius, height), ...] turned about the z axis."""
    radius, height = np.array(profile, float).T[:, :, None]
    angle = np.arange(sides) / sides * TURN
    radius = np.maximum(radius, 1e-4)
    return grid(np.stack([radius * np.cos(angle), radius * np.sin(angle), height + 0 * angle], -1), around=True)


def block(size, at=(0, 0, 0), edge=0.008, turn=0.0):
    """A box around the point `at` with chamfered edges."""
    half = np.array(size) / 2
    edge = min(edge, 0.49 * min(size))
    corners = list(np.ndindex(2, 2, 2))
    number = {(c, axis): 3 * i + axis for i, c in enumerate(corners) for axis in range(3)}
    signs = 2 * np.repeat(corners, 3, axis=0) - 1
    points = signs * np.where(np.tile(np.eye(3, dtype=bool), (8, 1)), half, half - edge)

    def corner(axis, value, u, v):
        c = [u, v]
        c.insert(axis, value)
        return tuple(c)

    faces = [[number[c, axis] for axis in (0, 1, 2, 2)] for c in corners]
    for axis in range(3):
        u, v = (k for k in range(3) if k != axis)
        for side in (0, 1):
            faces.append([number[corner(axis, side, *c), axis] for c in ((0, 0), (1, 0), (1, 1), (0, 1))])
        for c in np.ndindex(2, 2):
            low, high = corner(axis, 0, *c), corner(axis, 1, *c)
            faces.append([number[low, u], number[high, u], number[high, v], number[low, v]])
    faces = np.array(faces)
    a, b, c = (points[faces[:, k]] for k in range(3))
    inward = (np.cross(b - a, c - a) * points[faces].mean(1)).sum(1) < 0
    faces[inward] = faces[inward][:, ::-1]
    return moved((points, faces), at, turn)


def pillow(size, square=0.35, rows=18):
    """A stuffed box around the origin; `square` 1 makes a ball."""

    def bent(x, power):
        return np.sign(x) * abs(x) ** power

    v = np.linspace(-math.pi / 2, math.pi / 2, rows)[:, None]
    u = np.linspace(-math.pi, math.pi, 2 * rows, endpoint=False)
    wide = bent(np.cos(v), 0.8 * square + 0.2)
    points = np.stack([wide * bent(np.cos(u), square), wide * bent(np.sin(u), square), np.sin(v) + 0 * u], -1)
    return grid(points * np.array(size) / 2, around=True)


def drape(rng, width, height, folds=9, depth=0.06):
    """A hanging cloth from x = 0 to `width`, its foot at z = 0."""
    x, z = np.linspace(0, 1, folds * 10), np.linspace(0, 1, 14)[:, None]
    wave = np.sin(TURN * folds * (x + 0.012 * np.sin(5 * z + rng.uniform(0, 6))))
    y = depth * wave * (1 - 0.35 * z) + 0.03 * np.sin(7 * x + 2 * z)
    return grid(np.stack(np.broadcast_arrays(x * width, y, z * height), -1))


def leaves(rng, at, way, length, width):
    """Diamonds that start at points (N, 3) and point along `way`, turned at random about it."""
    way = unit(way)
    across = unit(np.cross(way, rng.normal(size=at.shape))) * np.broadcast_to(width, len(at))[:, None] / 2
    along = way * np.broadcast_to(length, len(at))[:, None]
    points = np.stack([at, at + 0.45 * along + across, at + along, at + 0.45 * along - across], 1)
    return points.reshape(-1, 3), np.arange(4 * len(at)).reshape(-1, 4)


def blades(rng, roots, height, width, lean=0.4, rows=3):
    """Grass on points (N, 3): tapering strips that bend over."""
    count = len(roots)
    height = np.broadcast_to(height, count)
    angle = rng.uniform(0, TURN, count)
    out = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)[:, None]
    across = np.stack([-np.sin(angle), np.cos(angle), 0 * angle], -1)[:, None]
    bend = abs(rng.normal(0, lean, count)) * height
    rise = np.sqrt(np.maximum(height**2 - 0.6 * np.minimum(bend, height) ** 2, 0.01 * height**2))
    t = np.linspace(0, 1, rows + 1)
    spine = roots[:, None] + (t**2 * bend[:, None])[..., None] * out
    spine = spine + (t * rise[:, None])[..., None] * [0, 0, 1]
    half = ((1 - t**1.5) * width / 2 + 4e-4)[:, None] * across
    points = np.stack([spine - half, spine + half], 2).reshape(-1, 3)
    first = np.arange(count)[:, None] * 2 * (rows + 1) + 2 * np.arange(rows)
    return points, np.stack([first, first + 1, first + 3, first + 2], -1).reshape(-1, 4)


def twig(rng, start, way, length, radius, rows=6, wander=0.15, lift=0.05):
    """A line that wanders and its radii: (points (rows + 1, 3), radii); `lift` bends it up, or down if negative."""
    line, way = [np.asarray(start, float)], unit(np.asarray(way, float))
    for _ in range(rows):
        way = unit(way + rng.normal(0, wander, 3) + [0, 0, lift])
        line.append(line[-1] + way * length / rows)
    return np.array(line), np.linspace(radius, 0.35 * radius, rows + 1)


def log(rng, length, radius):
    """A felled trunk along x, its middle near the origin."""
    line, _ = twig(rng, [-length / 2, 0, 0], [1, 0, 0], length, radius, 7, 0.05, 0)
    taper = radius * np.linspace(1, rng.uniform(0.7, 0.95), 8) * (1 + 0.05 * rng.normal(size=8))
    return tube(line, taper, 12)


def stone(rng, flat=0.6):
    """A chipped lump of radius 1."""
    rows = 14
    v = np.linspace(0.02, math.pi - 0.02, rows)[:, None]
    u = np.linspace(0, TURN, 2 * rows, endpoint=False)
    points = np.stack([np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v) + 0 * u], -1)
    radius = np.ones(points.shape[:2])
    for size, pitch in ((0.16, 2), (0.12, 3), (0.08, 5), (0.04, 9), (0.03, 14)):
        radius += size * np.sin(points @ rng.normal(0, pitch, 3) + rng.uniform(0, 6))
    for _ in range(4):
        radius = np.minimum(radius, rng.uniform(0.75, 0.95) / np.maximum(points @ unit(rng.normal(size=3)), 0.05))
    return grid(points * radius[..., None] * [1, rng.uniform(0.7, 1), flat], around=True)


def broadleaf(rng, height, leaf=0.2, count=5500, crown=0.4, levels=2, spread=0.55, thick=1.0):
    """(wood, leaves) of a tree: `crown` is where branches begin, as a share of the height; `levels` of branches."""
    radius = 0.022 * height * thick
    line, radii = twig(rng, [0, 0, 0], [*rng.normal(0, 0.05, 2), 1], 0.92 * height, radius, 8, 0.07)
    radii[0] *= 1.5
    wood, tips = [tube(line, radii, 10)], []

    def grow(line, radii, level, size):
        last = len(line) - 1
        for _ in range(9 if level == 0 else 6):
            f = rng.uniform(crown if level == 0 else 0.25, 1) * last
            i = min(int(f), last - 1)
            along = line[i + 1] - line[i]
            start, along = line[i] + (f - i) * along, unit(along)
            way = unit(np.cross(along, rng.normal(size=3))) * spread * rng.uniform(0.8, 1.6) + 0.6 * along
            length = size * rng.uniform(0.6, 1.1) * (1.25 - 0.6 * f / last if level == 0 else 1)
            branch, width = twig(rng, start, way, length, max(0.5 * radii[i], 0.006), 4, 0.18, 0.06)
            wood.append(tube(branch, width, 5 - level))
            if level + 1 < levels:
                grow(branch, width, level + 1, 0.55 * size)
            else:
                tips.append(branch[1:])

    grow(line, radii, 0, 0.36 * height)
    ends = np.concatenate(tips)
    at = ends[rng.integers(len(ends), size=count)] + rng.normal(0, 0.035 * height, (count, 3))
    size = leaf * rng.uniform(0.6, 1.3, (2, count)) * [[1], [0.55]]
    return join(wood), leaves(rng, at, rng.normal(size=(count, 3)) - [0, 0, 0.3], *size)


def conifer(rng, height, leaf=0.38, count=4500, crown=0.12):
    """(wood, needles) of a pointed tree whose needles begin at `crown` of its height."""
    wood = [tube(*twig(rng, [0, 0, 0], [0, 0, 1], height, 0.016 * height, 8, 0.02, 0.02))]
    for _ in range(40):
        share, angle = rng.uniform(0.04, 0.9), rng.uniform(0, TURN)
        length = 0.19 * height * (1.05 - share) * (1 if share > crown else 0.5)
        way = [math.cos(angle), math.sin(angle), 0.05]
        wood.append(tube(*twig(rng, [0, 0, share * height], way, length, 0.02 * (1.2 - share), 3, 0.1, -0.06), 4))
    share = 1 - (1 - crown) * np.sqrt(rng.uniform(0, 1, count))  # as dense all the way up
    angle = rng.uniform(0, TURN, count)
    lobes = 1 + 0.18 * np.sin(5 * angle + 20 * share) + 0.12 * rng.normal(size=count)
    reach = 0.2 * height * (1.03 - share) * lobes * np.sqrt(rng.uniform(0.05, 1, count))
    out = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    at = out * reach[:, None] + (share * height - 0.25 * reach)[:, None] * [0, 0, 1]
    way = out + rng.normal(0, 0.35, (count, 3)) - [0, 0, 0.25]
    return join(wood), leaves(rng, at, way, leaf * rng.uniform(0.6, 1.3, count), 0.4 * leaf)
