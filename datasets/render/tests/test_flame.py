"""The baked fires: those of the table, made by its recipes, split so that no shape is seen in both splits."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RENDER = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(RENDER))

import bake  # noqa: E402
import flame  # noqa: E402

SMOKE_ONLY = {"drift"}
GRIDS, SIZES = flame.load()


def test_the_file_holds_the_bakes_and_frames_of_the_table():
    assert set(GRIDS) == set(SIZES) == set(bake.BAKES)
    for name, recipe in bake.BAKES.items():
        assert sorted(GRIDS[name]) == list(recipe.frames), name
    assert flame.FLAMES.stat().st_size <= 4e6


def test_every_bake_was_made_by_its_recipe_as_it_stands():
    assert bake.stale(bake.held()) == [], "run datasets/render/bake.py"


def test_a_changed_recipe_is_noticed(monkeypatch):
    other = dataclasses.replace(bake.BAKES["line1"], seed=99)
    monkeypatch.setitem(bake.BAKES, "line1", other)
    assert bake.stale(bake.held()) == ["line1"]


def test_each_family_has_another_fire_in_each_split():
    recipes = bake.BAKES.values()
    families = {split: {r.family for r in recipes if r.split == split} for split in ("train", "val")}
    assert families["train"] == families["val"] and len(families["train"]) >= 12
    assert {r.split for r in recipes} == {"train", "val"}
    assert len({r.seed for r in recipes}) == len(recipes)
    assert len({GRIDS[name][frame][0].tobytes() + GRIDS[name][frame][1].tobytes()
                for name in GRIDS for frame in GRIDS[name]}) == sum(map(len, GRIDS.values()))  # fmt: skip


@pytest.mark.parametrize("name", bake.BAKES)
def test_every_frame_burns_or_smokes_and_stays_clear_of_its_box(name):
    family = bake.BAKES[name].family
    for fire, smoke in GRIDS[name].values():
        assert np.allclose(np.array(fire.shape), 2 * np.array(smoke.shape))
        assert np.allclose(np.ptp(np.array(SIZES[name]) / fire.shape[::-1]), 0, atol=1e-6)  # voxels are cubes
        assert (fire.max() == 0) if family in SMOKE_ONLY else ((fire > 0.3).sum() > 100)
        assert family == "candle" or (smoke > 0.05).any()
        for grid in (fire, smoke):
            assert (
                max(grid[-1].max(), grid[:, 0].max(), grid[:, -1].max(), grid[:, :, 0].max(), grid[..., -1].max()) < 0.1
            )


def test_a_long_fire_is_long_and_a_tall_one_tall():
    def shape(name):
        fires = GRIDS[name].values()
        return np.mean([np.multiply(flame.extent(fire), SIZES[name]) for fire, _ in fires], axis=0)

    for n in "12":
        x, _, z = shape(f"line{n}")
        assert x > 3 * z
        x, y, z = shape(f"tall{n}")
        assert z > 1.5 * max(x, y)
        fires = [fire for fire, _ in GRIDS[f"window{n}"].values()]
        depth = fires[0].shape[1]
        assert sum(fire[:, : depth // 2].sum() for fire in fires) > 2 * sum(
            fire[:, depth // 2 :].sum() for fire in fires
        )
        assert all(fire[:, fire.shape[1] // 2 + 1 :].max() == 0 for fire, _ in GRIDS[f"wall{n}"].values())


def test_turning_keeps_what_burns_and_the_foot():
    fire, smoke = next(iter(GRIDS["line1"].values()))
    voxel = SIZES["line1"][0] / fire.shape[2]
    for turn in (0, 35, 90):
        turned, _ = flame.spin((fire, flame.resize(smoke, fire.shape)), (voxel, voxel), turn)
        assert np.isclose(turned.sum(), fire.sum(), rtol=0.02)
    x = (np.arange(fire.shape[2]) + 0.5 - fire.shape[2] / 2) @ fire.sum((0, 1))
    y = (np.arange(turned.shape[1]) + 0.5 - turned.shape[1] / 2) @ turned.sum((0, 2))
    assert np.isclose(abs(x), abs(y), rtol=0.05)


def test_baking_without_blender_says_what_to_install():
    without = "import sys; sys.modules['bpy'] = None; import bake; sys.argv.append('--force'); bake.main()"
    made = subprocess.run([sys.executable, "-c", without], cwd=RENDER, capture_output=True, text=True)
    assert made.returncode == 1 and "pip install bpy" in made.stderr and "Traceback" not in made.stderr
