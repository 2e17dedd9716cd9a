"""Fire as light: baked flame voxels go in, light and transparency per pixel come out.

A fire is a box of voxels with two grids, `flame` (how much burns here) and `smoke` (how dense it is).
`refine` turns them into what shines and what absorbs; `march` looks through the box from the camera,
slice by slice, front to back. Nothing is random but what the given seed says.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

FLAMES = Path(__file__).with_name("flames.npz")
# Linear RGB from cool to hot. The sRGB picture of these is deep red, orange, amber, yellow.
COLOURS = np.float32([[1, 0.07, 0.002], [1, 0.15, 0.008], [1, 0.27, 0.025], [1, 0.42, 0.07]])
SOOT = 0.16  # absorption per emission: without it a flame in daylight is a pale pink veil
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
    """The baked fires: {bake: {frame: (flame, smoke)}}, values 0 to 1, axes (z, y, x); and {bake: (x, y, z) metres}."""
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


def resize(grid, shape):
    """Linear interpolation of a 3-D grid, one axis after the other."""
    for length in shape:
        rest = grid.shape[1:]
        flat = np.ascontiguousarray(grid, dtype=np.float32).reshape(grid.shape[0], -1)
        grid = np.moveaxis(cv2.resize(flat, (flat.shape[1], length)).reshape(length, *rest), 0, -1)
    return grid


def blur(grid, sigma):
    """Gaussian blur of a 3-D grid."""
    for _ in range(3):
        flat = np.ascontiguousarray(grid, dtype=np.float32).reshape(grid.shape[0], -1)
        flat = cv2.GaussianBlur(flat, (1, 2 * int(3 * sigma) + 1), sigmaX=1, sigmaY=sigma)
        grid = np.moveaxis(flat.reshape(grid.shape), 0, -1)
    return grid


def noise(shape, cell, rng, octaves=3):
    """Smooth noise of standard deviation 1; `cell` is the size in voxels of the largest lumps."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        coarse = [max(3, round(n / cell * 2**octave) + 2) for n in shape]
        total += 0.6**octave * resize(rng.normal(size=coarse).astype(np.float32), shape)
    return total / total.std()


def _fade(length, start, end):
    """A window that is 1 in the middle and falls to 0 over the shares `start` and `end` of its length."""
    x = np.linspace(0, 1, length, dtype=np.float32)
    window = np.clip(x / start, 0, 1) if start else np.ones_like(x)
    window = window * (np.clip((1 - x) / end, 0, 1) if end else 1)
    return window * window * (3 - 2 * window)


def refine(flame, smoke, size, *, factor=2.0, turn=0.0, seed=0, smoke_amount=1.0, flame_amount=1.0):
    """From a baked frame to a `Volume`: turned about the vertical, refined `factor` times, with finer tongues."""
    rng = np.random.default_rng(seed)
    smoke = resize(smoke, flame.shape)
    # Smoke and flame must not end at the walls of the baked box.
    nz, ny, nx = flame.shape
    walls = _fade(ny, 0.15, 0.15)[:, None] * _fade(nx, 0.15, 0.15)
    smoke = smoke * _fade(nz, 0 if flame_amount else 0.3, 0.45)[:, None, None] * walls
    flame = flame * _fade(nz, 0.05, 0.12)[:, None, None] * walls**0.3
    rotation = cv2.getRotationMatrix2D(((nx - 1) / 2, (ny - 1) / 2), turn, 1)
    flame, smoke = (np.stack([cv2.warpAffine(layer, rotation, (nx, ny)) for layer in g]) for g in (flame, smoke))

    # (z, y, x) -> (y, z, x): a slice is a picture, y runs away from the camera.
    shape = tuple(max(4, round(n * factor)) for n in (ny, nz, nx))
    flame, smoke = (resize(np.moveaxis(g, 1, 0), shape) for g in (flame, smoke))
    calm = np.clip(np.arange(shape[1]) / (12 * factor), 0, 1).astype(np.float32)[:, None]  # the base stays in place
    shift = [noise(shape, 10 * factor, rng, octaves=4) * calm * factor for _ in range(2)]
    z, x = np.mgrid[: shape[1], : shape[2]].astype(np.float32)
    for y in range(shape[0]):
        flame[y] = cv2.remap(flame[y], x + 1.1 * shift[0][y], z + 1.6 * shift[1][y], cv2.INTER_LINEAR)
        smoke[y] = cv2.remap(smoke[y], x + 2 * shift[0][y], z + 2 * shift[1][y], cv2.INTER_LINEAR)
    flame = np.clip(flame * (1 + 0.45 * noise(shape, 7 * factor, rng, octaves=4) * calm), 0, 1)

    # A flame is brightest in its thin burning sheets, where the grid changes fastest.
    edge = np.sqrt(sum(g * g for g in np.gradient(blur(flame, factor / 3)))) * factor
    edge /= np.percentile(edge[flame > 0.1], 95) + 1e-6 if (flame > 0.1).any() else 1
    shine = flame_amount * flame**1.6 * (0.3 + 0.7 * np.clip(edge, 0, 1.5))
    heat = np.clip(flame * 3, 0, 2.999)
    low = heat.astype(int)
    colour = COLOURS[low] + (heat - low)[..., None] * (COLOURS[low + 1] - COLOURS[low])
    dense = SMOKE * smoke_amount * smoke
    daylight = np.exp(-0.35 * np.cumsum(dense[:, ::-1], axis=1)[:, ::-1] / factor)
    firelight = blur(shine, 7 * factor)
    light = np.concatenate([shine[..., None] * colour, (SOOT * shine + dense)[..., None]], -1).astype(np.float32)
    return Volume(light, np.stack([dense * daylight, dense * firelight], -1).astype(np.float32), size, 1 / factor)


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
    steps = [(n, t) for n, t in enumerate(steps) if t > 0.2]
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
        length = (volume.voxels * (reach < depth) / np.maximum(forward, 1e-3)).astype(np.float32)
        flame += (through * length)[..., None] * light[..., :3]
        smoke += (through * length)[..., None] * grey
        through *= np.exp(-length * light[..., 3])
    return Light(*window, flame, smoke[..., 0], smoke[..., 1], through)


def box_of(mask, smallest=8):
    """The box (x0, y0, x1, y1) around a fire's mask, without sparks; None if a side is under `smallest` pixels."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    keep = [n + 1 for n, area in enumerate(areas) if area >= max(2, 0.01 * areas.max())]
    if not keep:
        return None
    ys, xs = np.nonzero(np.isin(labels, keep))
    box = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    return box if min(box[2] - box[0], box[3] - box[1]) >= smallest else None
