"""Fire as light: baked flame voxels go in, light and transparency per pixel come out.

A fire is a box of voxels with two grids, `flame` (how much burns here) and `smoke` (how dense it is).
`refine` turns them into what shines and what absorbs; `march` looks through the box from the camera,
slice by slice, front to back. Nothing is random but what the given seed says.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FLAMES = Path(__file__).with_name("flames.npz")
# Linear RGB from cool to hot. The sRGB picture of these is deep red, orange, amber, yellow, pale yellow.
COLOURS = np.float32([[1, 0.05, 0.001], [1, 0.13, 0.006], [1, 0.25, 0.022], [1, 0.42, 0.07], [1, 0.62, 0.22]])
SOOT = 0.4  # absorption per emission: without it a flame in daylight is a pale pink veil
MOST_VOXELS = 4e6  # of a refined fire, which costs about 0.7 s of computing each million
ROOM = 5  # voxels around a fire, so that finer tongues are not cut off
LAMINAR = 0.6  # metres: smaller flames are smooth, as of a candle
DEEP = 1.2  # how many slices a baked voxel gets at most along the view, which needs less detail than the picture
THIN = 0.04  # smoke under this density is a faint veil
SMOKE = 0.12  # absorption per density, both per voxel of the baked grid


@dataclass
class Volume:
    """What shines and absorbs, as slices ordered along the view: arrays are (slices, height, width, channels)."""

    light: np.ndarray  # emitted R, G, B and the absorption of soot and smoke together
    smoke: np.ndarray  # smoke's absorption, lit by the surroundings and by the flame
    size: tuple[float, float, float]  # metres: width, depth, height
    voxels: float  # slices are this many baked voxels apart


@dataclass
class Light:
    """One volume seen by the camera, inside the window `rows`, `cols` of the picture."""

    rows: slice
    cols: slice
    flame: np.ndarray  # (h, w, 3) emitted light that leaves the volume
    ambient: np.ndarray  # (h, w) smoke that scatters the light of the surroundings
    glow: np.ndarray  # (h, w) smoke that scatters the light of the flame
    through: np.ndarray  # (h, w) share of the light behind that passes


def load(path=FLAMES):
    """The baked fires: {bake: {frame: (flame, smoke)}}, values 0 to 1, axes (z, y, x); and {bake: (x, y, z) metres}.

    Which shape and split a bake belongs to stands in `bake.BAKES`.
    """
    grids, sizes = {}, {}
    with np.load(path) as file:
        for key in file.files:
            bake, what, *frame = key.split("_")
            if what == "size":
                sizes[bake] = tuple(file[key])
            elif what == "flame":
                smoke = file[f"{bake}_smoke_{frame[0]}"]
                grids.setdefault(bake, {})[int(frame[0])] = (np.float32(file[key]) / 255, np.float32(smoke) / 255)
    return grids, sizes


def extent(grid):
    """The shares of its box's width (x), depth (y) and height (z) that a flame, or a cloud of smoke, fills."""
    shares = []
    for axis in (2, 1, 0):
        mass = np.cumsum(grid.sum(tuple(n for n in range(3) if n != axis)))
        first, last = np.searchsorted(mass, [0.01 * mass[-1], 0.99 * mass[-1]])
        shares.append(float(last + 1 - (first if axis else 0)) / len(mass))
    return tuple(shares)


def resize(grid, shape, way=cv2.INTER_LINEAR):
    """Interpolation of a 3-D grid, one axis after the other."""
    for length in shape:
        rest = grid.shape[1:]
        flat = np.ascontiguousarray(grid, dtype=np.float32).reshape(grid.shape[0], -1)
        grid = np.moveaxis(cv2.resize(flat, (flat.shape[1], length), interpolation=way).reshape(length, *rest), 0, -1)
    return grid


def blur(grid, sigma):
    """Gaussian blur of a 3-D grid."""
    for _ in range(3):
        flat = np.ascontiguousarray(grid, dtype=np.float32).reshape(grid.shape[0], -1)
        flat = cv2.GaussianBlur(flat, (1, 2 * int(3 * sigma) + 1), sigmaX=1, sigmaY=sigma)
        grid = np.moveaxis(flat.reshape(grid.shape), 0, -1)
    return grid


def noise(shape, cell, rng, octaves=3, gain=0.6):
    """Smooth noise of standard deviation 1; `cell` is the size in voxels of the largest lumps, along each axis."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        coarse = [max(3, round(n / c * 2**octave) + 2) for n, c in zip(shape, cell)]
        total += gain**octave * resize(rng.normal(size=coarse).astype(np.float32), shape, cv2.INTER_CUBIC)
    return total / total.std()


def spin(grids, voxel, turn):
    """Turn grids about the vertical and cut them to what they hold, the foot staying in the middle.

    `voxel`: metres along x and y. Afterwards both are the voxel's x.
    """
    ny, nx = grids[0].shape[1:]
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    deep = ny * voxel[1] / voxel[0]
    wide = [2 * math.ceil((abs(a) * nx + abs(b) * deep) / 2) + 2 * ROOM for a, b in ((cos, sin), (sin, cos))]
    # From a place in the new grid to its place in the old one.
    back = np.array([[cos, -sin], [sin * voxel[0] / voxel[1], cos * voxel[0] / voxel[1]]])
    shift = (np.array([nx, ny]) - 1) / 2 - back @ ((np.array(wide) - 1) / 2)
    back = np.column_stack([back, shift])
    turned = [np.stack([cv2.warpAffine(layer, back, wide, flags=cv2.WARP_INVERSE_MAP) for layer in g]) for g in grids]
    used = np.maximum(*(g.max(0) for g in turned)) > 0.01
    for axis, count in ((0, wide[0]), (1, wide[1])):
        places = np.nonzero(used.any(axis))[0]
        if len(places):
            reach = max(count / 2 - places[0], places[-1] + 1 - count / 2) + ROOM
            margin = max(0, int(count / 2 - reach))
            cut = slice(margin, count - margin)
            turned = [g[:, :, cut] if axis == 0 else g[:, cut] for g in turned]
    return turned


def refine(flame, smoke, size, *, factor=2.0, turn=0.0, seed=0, smoke_amount=1.0, flame_amount=1.0):
    """From a baked frame to a `Volume`: turned about the vertical, refined `factor` times, with finer tongues."""
    rng = np.random.default_rng(seed)
    nz, ny, nx = flame.shape
    smoke = resize(smoke, flame.shape)
    if not flame_amount:  # smoke alone must not stand on the ground like a wall
        smoke = smoke * np.clip(np.linspace(0, 4, nz, dtype=np.float32), 0, 1)[:, None, None]
    voxel = size[0] / nx
    flame, smoke = spin((flame, smoke), (voxel, size[1] / ny), turn)
    flame, smoke = (np.pad(g, ((0, ROOM), (0, 0), (0, 0))) for g in (flame, smoke))
    size = flame.shape[2] * voxel, flame.shape[1] * voxel, size[2] * (nz + ROOM) / nz
    nz, ny, nx = flame.shape

    most = math.sqrt(MOST_VOXELS / (DEEP * flame.size))  # a large fine bake needs less refinement
    factor = float(min(factor, max(1, most)))
    # (z, y, x) -> (y, z, x): a slice is a picture, y runs away from the camera and needs less detail.
    deep = min(factor, DEEP)
    scale = np.array([deep, factor, factor])
    shape = tuple(max(4, round(n * s)) for n, s in zip((ny, nz, nx), scale))
    flame, smoke = (resize(np.moveaxis(g, 1, 0), shape) for g in (flame, smoke))
    height = (np.arange(shape[1], dtype=np.float32) / factor)[:, None]  # in baked voxels
    wild = float(np.clip(size[2] / LAMINAR, 0.08, 1))
    rise = wild * np.clip(height / 12, 0, 1)  # the base stays in place
    # Fire is drawn out upwards: so are its lumps.
    across = noise(shape, scale * (6, 11, 6), rng, octaves=4, gain=0.5) * (0.3 * wild + 0.7 * rise)
    along = noise(shape, scale * (5, 12, 5), rng, octaves=4, gain=0.5) * rise
    z, x = np.mgrid[: shape[1], : shape[2]].astype(np.float32)
    for y in range(shape[0]):
        u, v = x + 1.3 * factor * across[y], z + 2.4 * factor * along[y]
        flame[y] = cv2.remap(flame[y], u, v, cv2.INTER_LINEAR)
        smoke[y] = cv2.remap(smoke[y], u, v, cv2.INTER_LINEAR)

    # The base of a large fire is ragged.
    ground = wild * 1.5 * np.abs(noise((shape[0], 1, shape[2]), scale * (6, 1, 6), rng))
    flame *= np.clip((height - ground) / 1.5, 0, 1)
    shine, heat = kindle(flame, scale, rise, rng)
    shine *= flame_amount
    light = np.zeros((*shape, 4), np.float32)
    burning = shine > 0
    low = np.minimum(heat[burning].astype(int), len(COLOURS) - 2)
    colour = COLOURS[low] + (heat[burning] - low)[:, None] * (COLOURS[low + 1] - COLOURS[low])
    light[burning, :3] = shine[burning, None] * colour
    dense = SMOKE * smoke_amount * billow(smoke, scale, rng)
    firelight = blur(shine, 5 * factor)
    light[..., 3] = SOOT * np.sqrt(shine) + dense
    return Volume(
        light, np.stack([dense * daylight(dense, factor), dense * firelight], -1).astype(np.float32), size, 1 / deep
    )


def kindle(flame, scale, rise, rng):
    """How brightly a flame shines and how hot it looks (0 to 4), torn into tongues where `rise` is 1, not where 0."""
    torn = noise(flame.shape, scale * (4, 9, 4), rng, octaves=5, gain=0.65)
    flame = np.clip(flame * (1 + 0.45 * torn * rise) - (0.02 + 0.12 * rise) * np.sqrt(torn**2 + 0.2), 0, 1)
    # A flame is brightest in its thin burning sheets, where the grid changes fastest.
    edge = np.sqrt(sum((s * g) ** 2 for s, g in zip(scale, np.gradient(flame))))
    edge /= np.percentile(edge[flame > 0.1], 95) + 1e-6 if (flame > 0.1).any() else 1
    return flame**2 * (0.3 + 0.7 * np.clip(edge, 0, 1.5)), 4 * flame**1.4


def billow(smoke, scale, rng):
    """Smoke with round lumps upon round lumps, whose edges are sharp."""
    lumps = np.abs(noise(smoke.shape, scale * (10, 10, 10), rng, octaves=4, gain=0.6))
    body = smoke * (0.45 + 0.75 * lumps)
    return body * np.clip((body - THIN) / (2 * THIN), 0.06, 1)


def daylight(dense, factor):
    """How much of the sky's light reaches each voxel from above, half of it from the upper left."""
    lit = np.empty_like(dense)
    above, slant = np.zeros_like(dense[:, 0]), np.zeros_like(dense[:, 0])
    for z in range(dense.shape[1] - 1, -1, -1):
        slant = np.pad(slant[:, :-1], ((0, 0), (1, 0)))
        above, slant = above + dense[:, z], slant + dense[:, z]
        lit[:, z] = 0.5 * np.exp(-0.35 / factor * above) + 0.5 * np.exp(-1.2 / factor * slant)
    return lit


def march(volume, foot, camera, depth, lean=0.0):
    """Look through a volume that stands on the point `foot` = (x, y, z). `depth` (H, W) is where each ray ends.

    The slices stand upright and face the camera, so each is one perspective look-up. `lean` pushes the flame aside.
    Returns a `Light`, or None where the camera does not see the volume.
    """
    width, thick, height = volume.size
    offset = np.asarray(foot, float) - camera.position
    distance = np.hypot(*offset[:2])
    ahead = np.array([*offset[:2] / distance, 0])
    side = np.array([ahead[1], -ahead[0], 0])
    forward, sideways, up = (camera.rays @ axis for axis in (ahead, side, np.array([0, 0, 1.0])))
    count, rows, cols = volume.light.shape[:3]
    steps = distance + ((np.arange(count) + 0.5) / count - 0.5) * thick
    steps = [(n, t) for n, t in enumerate(steps) if t > 0.02 and volume.light[n, ..., 3].any()]
    if not steps:
        return None

    def place(t):
        reach = t / np.maximum(forward, 1e-3)
        return reach, reach * sideways, reach * up - offset[2]

    seen = np.zeros(depth.shape, bool)
    for _, t in (steps[0], steps[len(steps) // 2], steps[-1]):
        _, x, z = place(t)
        seen |= (forward > 0.05) & (abs(x) < width / 2 + abs(lean) * height) & (z > -0.02 * height) & (z < height)
    if not seen.any():
        return None
    ys, xs = np.nonzero(seen.any(1))[0], np.nonzero(seen.any(0))[0]
    window = slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1)
    forward, sideways, up, depth = (a[window] for a in (forward, sideways, up, depth))

    flame = np.zeros((*depth.shape, 3), np.float32)
    smoke = np.zeros((*depth.shape, 2), np.float32)
    through = np.ones(depth.shape, np.float32)
    for n, t in steps:
        reach, x, z = place(t)
        x = x - lean * np.maximum(z, 0) ** 1.5 / height**0.5
        u = ((x / width + 0.5) * cols - 0.5).astype(np.float32)
        v = (z / height * rows - 0.5).astype(np.float32)
        light = cv2.remap(volume.light[n], u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        grey = cv2.remap(volume.smoke[n], u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        clear = np.clip((depth - reach) * count / thick + 0.5, 0, 1)  # share of the slice in front of what ends the ray
        length = (volume.voxels * clear / np.maximum(forward, 1e-3)).astype(np.float32)
        flame += (through * length)[..., None] * light[..., :3]
        smoke += (through * length)[..., None] * grey
        through *= np.exp(-length * light[..., 3])
    return Light(*window, flame, smoke[..., 0], smoke[..., 1], through)
