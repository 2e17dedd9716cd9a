"""Bake the fires: Blender's Mantaflow burns each recipe of BAKES, and the voxels go into flames.npz.

    python datasets/render/bake.py [--only NAME ...] [--force] [--out FILE]

What the file already holds under the same recipe is left alone, so an interrupted run continues.
Only baking needs `bpy`; the table can be read without it.
"""

import argparse
import ctypes
import hashlib
import importlib.util
import json
import math
import multiprocessing
import os
import random
import sys
import tempfile
import types
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

FLAMES = Path(__file__).with_name("flames.npz")
VERSION = 1  # raise it when the code bakes other fires: all are then baked again
FAINT = 0.02  # what is below this share of full flame or smoke counts as empty


@dataclass(frozen=True)
class Emitter:
    """A burning ellipsoid: middle and half axes in metres, the speed of its gas in metres per second."""

    at: tuple
    radii: tuple
    velocity: tuple = (0, 0, 0.4)
    fuel: float = 1.3  # 0: it only smokes
    smoke: float = 0.6
    drift: float = 0.0  # metres that it moves along x from frame to frame, to end up at `at`: as good as wind


@dataclass(frozen=True)
class Recipe:
    """How one fire is baked. The box's foot is the point (0, 0, 0); it reaches from `low` to `high` in metres.

    At turn 0 the camera looks along +y, with +x to the right: a wall fire's wall is at y = 0, and a window fire's jet
    comes towards the camera.
    """

    family: str
    split: str
    low: tuple
    high: tuple
    emitters: tuple
    seed: int
    resolution: int = 64  # voxels along the longest side
    frames: tuple = tuple(range(16, 41, 4))  # those that are kept; the simulation ends with the last
    burning: float = 0.35  # how fast fuel burns: less makes taller flames
    soot: float = 0.6  # smoke that a flame leaves
    heat: float = 5.0  # buoyancy by temperature
    swirl: float = 0.9  # vorticity of the flame
    stir: float = 4.0  # strength of the turbulence
    wall: bool = False  # whether the box's back is solid

    def digest(self):
        """Changes whenever this recipe, or the code that follows it, does."""
        text = json.dumps([VERSION, asdict(self)])
        values = json.loads(
            text, parse_float=lambda number: f"{float(number):.6g}"
        )  # last bits differ between machines
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]


def spread(seed, count, across, radius, height=0.15, **settings):
    """`count` emitters scattered over an ellipse of half axes `across`, each with a radius between `radius`'s two."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        angle, share = rng.uniform(0, 2 * math.pi), math.sqrt(rng.uniform(0, 1))
        at = share * across[0] * math.cos(angle), share * across[1] * math.sin(angle), rng.uniform(0.05, height)
        found.append(Emitter(at, (rng.uniform(*radius),) * 3, **settings))
    return tuple(found)


def row(seed, count, length, radius, wander, x=0.0, z=0.06, **settings):
    """`count` emitters along the x axis, around (x, 0, z)."""
    rng = random.Random(seed)
    found = []
    for n in range(count):
        at = x + ((n + rng.uniform(0.3, 0.7)) / count - 0.5) * length, rng.uniform(-wander, wander), z
        found.append(Emitter(at, (rng.uniform(*radius),) * 3, **settings))
    return tuple(found)


def sheet(seed, count, width, height, radius, **settings):
    """`count` flat emitters on the wall y = 0, more of them low than high."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        at = rng.uniform(-0.5, 0.5) * width, -0.05, 0.1 + height * rng.uniform(0, 1) ** 2
        r = rng.uniform(*radius)
        found.append(Emitter(at, (r, 0.06, 1.5 * r), (0, -0.1, 0.6), **settings))
    return tuple(found)


def jet(columns, speed, **settings):
    """Emitters side by side that blow along y."""
    return tuple(Emitter((x, 0, 0.3), (0.2, 0.15, 0.2), (0, speed, 0.3), **settings) for x in columns)


def box(x, y, z):
    """A box of x, y, z metres around the foot, a little below the ground so that flames do not start on its face."""
    return dict(low=(-x / 2, -y / 2, -0.05), high=(x / 2, y / 2, z))


# The families, each with one fire to train on and another to validate with: other seeds, other proportions.
BAKES = {
    # A campfire's single plume.
    "plume1": Recipe("plume", "train", **box(1.6, 1.6, 3), emitters=spread(1, 7, (0.4, 0.4), (0.06, 0.16)), seed=1),
    "plume2": Recipe(
        "plume", "val", **box(1.8, 1.8, 2.8), emitters=spread(22, 5, (0.5, 0.3), (0.1, 0.2)), seed=22, burning=0.5, stir=6.0
    ),
    # A wide heap with several tongues.
    "bonfire1": Recipe(
        "bonfire", "train", **box(3.2, 2, 3), emitters=spread(3, 11, (1.1, 0.5), (0.06, 0.2), 0.4), seed=3, resolution=56
    ),
    "bonfire2": Recipe(
        "bonfire", "val", **box(2.8, 2.2, 2.8), emitters=spread(24, 8, (0.9, 0.7), (0.1, 0.2), 0.3), seed=24,
        resolution=52, burning=0.5, heat=7.0,
    ),
    # A front in grass, long and low.
    "line1": Recipe(
        "line", "train", **box(6, 1.4, 1.8), emitters=row(5, 16, 5.3, (0.05, 0.15), 0.12, fuel=1.0), seed=5,
        resolution=96, burning=0.6, soot=0.3,
    ),
    "line2": Recipe(
        "line", "val", **box(5.2, 1.4, 1.8), emitters=row(26, 11, 4.4, (0.06, 0.2), 0.2, fuel=0.9), seed=26,
        resolution=84, burning=0.7, soot=0.4, heat=6.0,
    ),
    # A sheet that climbs a wall.
    "wall1": Recipe(
        "wall", "train", low=(-1.2, -0.8, -0.05), high=(1.2, 0, 3.4), seed=7, wall=True, soot=0.8,
        emitters=sheet(7, 13, 1.5, 1.5, (0.05, 0.16)),
    ),
    "wall2": Recipe(
        "wall", "val", low=(-0.9, -0.7, -0.05), high=(0.9, 0, 3.2), seed=28, resolution=60, wall=True, burning=0.5,
        emitters=sheet(28, 8, 0.9, 1.2, (0.07, 0.18)),
    ),
    # A jet that comes out of a window and turns up.
    "window1": Recipe(
        "window", "train", low=(-0.8, -1.7, -0.05), high=(0.8, 0.5, 3.2), seed=9, soot=1.2, resolution=60,
        emitters=jet((-0.3, 0.0, 0.3), -2.5, fuel=1.5, smoke=0.8),
    ),
    "window2": Recipe(
        "window", "val", low=(-0.8, -1.5, -0.05), high=(0.8, 0.5, 2.8), seed=30, soot=0.8, resolution=56, heat=7.0,
        emitters=jet((-0.15, 0.2), -2.0, fuel=1.2),
    ),
    # A vehicle: engine and underside below, cabin above.
    "vehicle1": Recipe(
        "vehicle", "train", **box(4.4, 1.9, 3.6), seed=11, soot=1.2, resolution=66,
        emitters=row(11, 6, 3.2, (0.1, 0.22), 0.4, z=0.35) + row(12, 4, 1.6, (0.15, 0.3), 0.3, z=1.15),
    ),
    "vehicle2": Recipe(
        "vehicle", "val", **box(4, 1.9, 3.4), seed=32, soot=1.5, resolution=60, burning=0.5,
        emitters=row(32, 3, 1.2, (0.15, 0.25), 0.3, x=1.1, z=0.6) + row(33, 4, 1.5, (0.12, 0.25), 0.4, x=-0.4, z=1.2),
    ),
    # A bin or a pan: a narrow round base and little smoke.
    "bin1": Recipe(
        "bin", "train", **box(0.9, 0.9, 1.7), emitters=spread(13, 6, (0.17, 0.17), (0.05, 0.1), 0.06), seed=13,
        resolution=56, soot=0.15,
    ),
    "bin2": Recipe(
        "bin", "val", **box(0.9, 0.9, 1.4), emitters=spread(34, 4, (0.15, 0.15), (0.07, 0.12), 0.06), seed=34,
        resolution=52, soot=0.1, burning=0.6, heat=6.0,
    ),
    # Wide and low: burning litter or a pool.
    "low1": Recipe(
        "low", "train", **box(3.4, 2.6, 1.5), emitters=spread(15, 18, (1.4, 1.0), (0.05, 0.14), 0.06, fuel=0.8), seed=15,
        burning=0.8, soot=0.4,
    ),
    "low2": Recipe(
        "low", "val", **box(3, 2.2, 1.4), emitters=spread(36, 12, (1.2, 0.8), (0.08, 0.18), 0.06, fuel=0.7), seed=36,
        resolution=56, burning=0.7, soot=0.3, heat=7.0,
    ),
    # Tall and thin.
    "tall1": Recipe(
        "tall", "train", **box(1.2, 1.2, 4.2), seed=17, resolution=80, heat=8.0, burning=0.3,
        emitters=spread(17, 3, (0.12, 0.12), (0.07, 0.13), 0.3, velocity=(0, 0, 1.5)),
    ),
    "tall2": Recipe(
        "tall", "val", **box(1.2, 1.2, 3.6), seed=38, resolution=72, heat=10.0, burning=0.4, stir=6.0,
        emitters=spread(38, 4, (0.2, 0.1), (0.06, 0.1), 0.5, velocity=(0, 0, 1.0)),
    ),
    # Little flame under much black smoke.
    "smoky1": Recipe(
        "smoky", "train", **box(3.2, 2.8, 4.2), seed=19, burning=1.2, soot=2.5, heat=4.0,
        emitters=spread(19, 8, (0.7, 0.5), (0.12, 0.28), 0.3, fuel=0.8, smoke=2.5),
    ),
    "smoky2": Recipe(
        "smoky", "val", **box(3, 2.6, 4), seed=40, resolution=58, burning=1.0, soot=3.0,
        emitters=spread(40, 5, (0.6, 0.4), (0.15, 0.3), 0.3, fuel=0.7, smoke=2.5),
    ),
    # A column of smoke over a small flame.
    "column1": Recipe(
        "column", "train", **box(2.4, 2.4, 5), seed=20, resolution=64, burning=2.0, soot=1.5, heat=4.0,
        emitters=spread(20, 4, (0.25, 0.25), (0.1, 0.2), 0.2, fuel=0.5, smoke=2.0),
    ),
    "column2": Recipe(
        "column", "val", **box(2.2, 2.2, 4.4), seed=41, resolution=58, burning=2.5, soot=2.0, heat=3.0, stir=6.0,
        emitters=spread(41, 3, (0.3, 0.2), (0.1, 0.22), 0.2, fuel=0.5, smoke=2.0),
    ),
    # Smoke alone, which the wind carries to the right as it rises from its source at the left.
    "drift1": Recipe(
        "drift", "train", **box(5.6, 1.8, 3.4), seed=21, heat=4.0, frames=tuple(range(30, 41, 2)),
        emitters=tuple(Emitter((x, y, 0.25), (0.2,) * 3, (0, 0, 0.8), 0, 2.5, -0.09) for x, y in ((-2, -0.1), (-1.7, 0.15))),
    ),
    "drift2": Recipe(
        "drift", "val", **box(5, 1.8, 3), seed=42, resolution=60, heat=3.0, stir=6.0, frames=tuple(range(31, 42, 2)),
        emitters=(Emitter((-1.8, 0, 0.3), (0.25, 0.2, 0.2), (0, 0, 0.6), 0, 2.5, -0.075),),
    ),
    # A candle or a torch: no simulation, a drawn drop.
    "candle1": Recipe("candle", "train", **box(0.06, 0.06, 0.12), emitters=(), seed=23, frames=tuple(range(8))),
    "candle2": Recipe("candle", "val", **box(0.07, 0.07, 0.1), emitters=(), seed=43, frames=tuple(range(6))),
    # Large and turbulent, finer than the others, for close views.
    "big1": Recipe(
        "big", "train", **box(2.4, 2.2, 3.2), seed=25, resolution=84, frames=tuple(range(14, 36, 3)), swirl=1.2,
        emitters=spread(25, 12, (0.7, 0.6), (0.06, 0.2), 0.3),
    ),
    "big2": Recipe(
        "big", "val", **box(2.6, 2, 3), seed=44, resolution=78, frames=tuple(range(14, 33, 3)), swirl=1.2, heat=7.0,
        burning=0.45, emitters=spread(44, 9, (0.8, 0.5), (0.08, 0.2), 0.3),
    ),
}  # fmt: skip


class LateSolver(types.ModuleType):
    """Stands in for Blender's solver, the module `manta`, and initialises it when it is first used.

    The Python module `bpy` initialises it before its classes are linked, and then a bake fails with "'LevelsetGrid'
    object has no attribute 'setConst'".
    """

    def __init__(self, library):
        super().__init__("manta")
        self.library = library

    def __getattr__(self, name):
        if name in ("solver", "__path__", "__spec__", "__wrapped__"):
            raise AttributeError(name)
        if not hasattr(self, "solver"):
            start = ctypes.PyDLL(self.library).PyInit_manta_main
            start.restype, start.argtypes = ctypes.py_object, []
            self.solver = start()
        if name == "__all__":
            return [key for key in vars(self.solver) if not key.startswith("__")]
        return getattr(self.solver, name)


def build(bpy, recipe, folder):
    """Set up the scene of one bake: the box, the emitters, and the turbulence. Returns the box."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    low, high = np.array(recipe.low), np.array(recipe.high)
    last = recipe.frames[-1]
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 1, last
    rng = random.Random(recipe.seed)

    texture = bpy.data.textures.new("flicker", "CLOUDS")
    texture.noise_scale = 0.25
    for emitter in recipe.emitters:
        bpy.ops.mesh.primitive_uv_sphere_add(
            radius=1, location=emitter.at, scale=emitter.radii, segments=16, ring_count=8
        )
        carried = bpy.context.object
        modifier = carried.modifiers.new("Fluid", "FLUID")
        modifier.fluid_type = "FLOW"
        flow = modifier.flow_settings
        flow.flow_behavior = "INFLOW"
        flow.flow_type = "BOTH" if emitter.fuel else "SMOKE"
        flow.fuel_amount = emitter.fuel * rng.uniform(0.8, 1.2)
        flow.density, flow.temperature = emitter.smoke, 1.0
        flow.use_initial_velocity, flow.velocity_coord = True, emitter.velocity
        flow.surface_distance = 1.0
        flow.use_texture, flow.noise_texture, flow.texture_size = True, texture, 0.6
        for frame in range(1, last + 1 if emitter.drift else 1):
            carried.location.x = emitter.at[0] - emitter.drift * (last - frame)
            carried.keyframe_insert("location", frame=frame)
        flow.texture_offset = rng.uniform(0, 5)
        flow.keyframe_insert("texture_offset", frame=1)
        flow.texture_offset += last / 12
        flow.keyframe_insert("texture_offset", frame=last)
    bpy.ops.object.effector_add(type="TURBULENCE")
    field = bpy.context.object.field
    field.strength, field.size, field.seed = recipe.stir, 0.5, recipe.seed % 127 + 1

    bpy.ops.mesh.primitive_cube_add(size=1, location=(low + high) / 2, scale=high - low)
    domain = bpy.context.object
    bpy.ops.object.transform_apply(location=False, rotation=False, scale=True)
    modifier = domain.modifiers.new("Fluid", "FLUID")
    modifier.fluid_type = "DOMAIN"
    settings = dict(
        domain_type="GAS", resolution_max=recipe.resolution, use_adaptive_domain=False, cache_type="ALL",
        cache_data_format="OPENVDB", openvdb_data_depth="16", cache_directory=folder, cache_frame_start=1,
        cache_frame_end=last, use_adaptive_timesteps=True, cfl_condition=4, time_scale=2.5, alpha=0.5,
        beta=recipe.heat, vorticity=0.5, burning_rate=recipe.burning, flame_smoke=recipe.soot,
        flame_vorticity=recipe.swirl, flame_ignition=1.5, flame_max_temp=3,
    )  # fmt: skip
    for face in ("front", "back", "left", "right", "top"):
        settings[f"use_collision_border_{face}"] = False
    settings["use_collision_border_bottom"] = True
    settings["use_collision_border_back"] = recipe.wall
    for name, value in settings.items():
        setattr(modifier.domain_settings, name, value)
    bpy.context.view_layer.objects.active = domain
    domain.select_set(True)
    return domain


def simulate(recipe, folder):
    """Burn one recipe: {frame: (flame, smoke)} as float arrays with axes (z, y, x)."""
    library = importlib.util.find_spec("bpy").origin  # once bpy is imported, this would name another file
    import bpy

    sys.modules["manta"] = LateSolver(library)
    domain = build(bpy, recipe, folder)
    bpy.ops.fluid.bake_all()
    kept = {}
    for frame in recipe.frames:
        bpy.context.scene.frame_set(frame)
        baked = domain.evaluated_get(bpy.context.evaluated_depsgraph_get()).modifiers["Fluid"].domain_settings
        shape = tuple(baked.domain_resolution)[::-1]
        grids = [np.array(grid, np.float32) for grid in (baked.flame_grid, baked.density_grid)]
        kept[frame] = tuple(g.reshape(shape) if g.size else np.zeros(shape, np.float32) for g in grids)
    return kept


def soften(grid, recipe, margin, top):
    """Let a grid fade before it meets the box's open faces: `margin` and `top` are shares of its width and height."""

    def window(length, start, end):
        x = (np.arange(length) + 0.5) / length
        low = np.clip(x / start, 0, 1) if start else 1
        high = np.clip((1 - x) / end, 0, 1) if end else 1
        share = (low * high).astype(np.float32)
        return share * share * (3 - 2 * share)

    z, y, x = grid.shape
    grid = grid * window(z, 0, top)[:, None, None]
    return grid * window(y, margin, 0 if recipe.wall else margin)[:, None] * window(x, margin, margin)


def crop(kept, recipe):
    """Cut the empty margins off, the foot staying in the middle: ({frame: (flame, smoke)}, size in metres)."""
    low, high = np.array(recipe.low), np.array(recipe.high)
    shape = np.array(next(iter(kept.values()))[0].shape[::-1])
    voxel = (high - low)[0] / shape[0]
    full = sum((flame > FAINT) | (smoke > FAINT) for flame, smoke in kept.values()) > 0
    ends = []
    for axis in range(3):
        used = np.nonzero(full.any(tuple(n for n in range(3) if n != 2 - axis)))[0]
        ends.append((used[0], used[-1] + 1))
    foot = np.round(-low / voxel).astype(int)
    # Even numbers of voxels, so that halving the smoke keeps it in place.
    reach = [2 * math.ceil(max(end - at, at - start) / 2) + 2 for (start, end), at in zip(ends[:2], foot[:2])]
    tall = 2 * math.ceil((ends[2][1] - foot[2]) / 2) + 2
    made = {}
    for frame, grids in kept.items():
        cut = []
        for grid in grids:
            target = np.zeros((tall, 2 * reach[1], 2 * reach[0]), np.float32)
            starts = foot[2], foot[1] - reach[1], foot[0] - reach[0]
            source = tuple(slice(max(0, s), s + n) for s, n in zip(starts, target.shape))
            piece = grid[source]
            place = tuple(slice(max(0, -s), max(0, -s) + n) for s, n in zip(starts, piece.shape))
            target[place] = piece
            cut.append(target)
        made[frame] = tuple(cut)
    return made, np.float32([2 * reach[0], 2 * reach[1], tall]) * voxel


def candle(recipe):
    """A candle's flame, drawn instead of simulated: a drop that flickers and leans a little from frame to frame."""
    rng = np.random.default_rng(recipe.seed)
    low, high = np.array(recipe.low), np.array(recipe.high)
    voxel = (high - low).max() / recipe.resolution
    x, y, z = (np.arange(a + voxel / 2, b, voxel) for a, b in zip(low, high))
    z, y, x = np.meshgrid(z, y, x, indexing="ij")
    kept = {}
    for frame in recipe.frames:
        tall, width = high[2] * rng.uniform(0.7, 0.92), high[0] * rng.uniform(0.36, 0.46)
        h = np.clip(z / tall, 0, 1)
        sway = rng.normal(0, 0.25, 2) * width
        wave = 0.08 * width * np.sin(5 * h + rng.uniform(0, 6)) * h
        radius = width * 2.5 * h**0.6 * (1 - h) ** 0.8 + 1e-6
        away = np.hypot(x - sway[0] * h**2 - wave, y - sway[1] * h**2) / radius
        flame = np.clip(1.25 * (1 - away**2), 0, 1) * np.clip(h * 9, 0, 1) * (z > 0)
        kept[frame] = flame.astype(np.float32), np.zeros_like(flame, np.float32)
    return kept


def pack(name, recipe):
    """What flames.npz holds of one bake: {key: array}."""
    if recipe.emitters:
        with tempfile.TemporaryDirectory() as folder:
            kept = simulate(recipe, folder)
        kept = {f: (soften(a, recipe, 0.06, 0.12), soften(b, recipe, 0.15, 0.35)) for f, (a, b) in kept.items()}
    else:
        kept = candle(recipe)
    made, size = crop(kept, recipe)
    keys = {f"{name}_size": size, f"{name}_recipe": np.array(recipe.digest())}
    for frame, (flame, smoke) in made.items():
        z, y, x = smoke.shape
        smoke = smoke.reshape(z // 2, 2, y // 2, 2, x // 2, 2).mean((1, 3, 5))
        for what, grid in (("flame", flame), ("smoke", smoke)):
            grid = np.where(grid > FAINT, np.clip(grid, 0, 1), 0)
            keys[f"{name}_{what}_{frame}"] = np.round(255 * grid).astype(np.uint8)
    return keys


def work(name, path):
    """Bake in a process of its own, because Blender crashes on the way out after a bake."""
    np.savez(path, **pack(name, BAKES[name]))
    sys.stdout.flush()
    os._exit(0)


def held(path=FLAMES):
    """What a file holds of the table's bakes: {key: array}."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        return {key: file[key] for key in file.files if key.split("_")[0] in BAKES}


def stale(arrays):
    """Names of the bakes that are missing or were made by another recipe."""
    return [name for name, recipe in BAKES.items() if arrays.get(f"{name}_recipe") != recipe.digest()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=BAKES, metavar="NAME", help=f"bakes to make: {', '.join(BAKES)}")
    parser.add_argument("--force", action="store_true", help="bake again what the file already holds")
    parser.add_argument("--out", type=Path, default=FLAMES, help="file to write (default: %(default)s)")
    options = parser.parse_args()

    arrays = held(options.out)
    due = [name for name in (BAKES if options.force else stale(arrays)) if name in (options.only or BAKES)]
    if due and importlib.util.find_spec("bpy") is None:
        raise SystemExit("Baking needs Blender as a Python module: with Python 3.11, pip install bpy==5.0.1")
    for number, name in enumerate(due, 1):
        before = os.times()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bake.npz"
            process = multiprocessing.get_context("spawn").Process(target=work, args=(name, path))
            process.start()
            process.join()
            if not path.exists():
                raise SystemExit(f"{name}: the bake failed; Blender's own message stands above")
            with np.load(path) as file:
                arrays = {key: arrays[key] for key in arrays if key.split("_")[0] != name} | dict(file)
        part = options.out.with_suffix(".part.npz")
        np.savez_compressed(part, **{key: arrays[key] for key in sorted(arrays)})
        part.replace(options.out)
        spent, size = os.times().children_user - before.children_user, options.out.stat().st_size / 1e6
        print(f"[{number}/{len(due)}] {name}: {spent:.0f} CPU-seconds, {size:.1f} MB in all", flush=True)


if __name__ == "__main__":
    main()
