"""The parts of the fire set's generator: camera, backdrops, flames, boxes; and a whole picture on a plain backdrop."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

RENDER = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(RENDER))

import compose  # noqa: E402
import flame  # noqa: E402
import masks  # noqa: E402
import scene  # noqa: E402

FAR = 1e6  # metres: nothing is in the way


@pytest.fixture
def camera():
    return scene.Camera(azimuth=30, elevation=-5, fov=60, width=160, height=120)


def test_the_generator_is_read_without_blender():
    blocked = "import sys; sys.modules['bpy'] = sys.modules['OpenEXR'] = None; import make_fire_set"
    subprocess.run([sys.executable, "-c", blocked], cwd=RENDER, check=True)


# ------------------------------------------------------------------------------------------------------------ camera
@pytest.mark.parametrize("crop", [False, True])
def test_points_are_projected_into_the_pixel_whose_ray_meets_them(camera, crop):
    if crop:
        camera = camera.crop(31.5, 12.25, 100, 80, 1.7)
    for row, column in [(0, 0), (17, 93), (camera.height - 1, camera.width - 1)]:
        x, y = camera.project(camera.position + 7 * camera.rays[row, column])
        assert np.allclose((x, y), (column + 0.5, row + 0.5), atol=1e-3)
    assert camera.project(camera.position - camera.rays[60, 50]) is None


def test_the_camera_looks_where_it_is_turned():
    east = scene.Camera(azimuth=90, elevation=0, fov=60, width=161, height=121)
    assert np.allclose(east.rays[60, 80], [1, 0, 0], atol=1e-6)
    assert east.rays[60, 160, 1] < 0 < east.rays[0, 80, 2]  # south is on the right, the sky above
    up = scene.Camera(azimuth=0, elevation=20, fov=60, width=161, height=121)
    assert np.isclose(np.degrees(np.arcsin(up.rays[60, 80, 2])), 20, atol=1e-3)


def test_a_crop_shows_what_the_whole_showed(camera):
    point = camera.position + 5 * camera.rays[70, 60]
    x, y = camera.project(point)
    assert np.allclose(camera.crop(20, 30, 90, 70, 2).project(point), (2 * (x - 20), 2 * (y - 30)))


# --------------------------------------------------------------------------------------------------------- backdrops
def test_a_panorama_is_seen_in_its_direction_and_exposed_by_its_key():
    pixels = np.full((64, 128, 3), 0.2, np.float32)
    pixels[:32, 30:34] = [4, 1, 1]  # a red stripe in the sky of the east, at azimuth 90
    camera = scene.Camera(azimuth=90, elevation=10, fov=60, width=160, height=120)
    view = scene.Panorama(pixels, camera, key=0.1, wall=10)
    sky = view.image[5]
    assert abs(np.argmax(sky[:, 0] / sky[:, 2]) - 80) <= 8
    middle = np.exp(np.log(view.image @ scene.LUMA + 1e-3).mean())
    assert np.isclose(middle, 0.1, rtol=0.15)
    assert view.is_ground[-1].all() and not view.is_ground[0].any()
    foot = view.points[view.is_ground]
    assert np.allclose(foot[:, 2], 0, atol=1e-3)


def plate(camera):
    """A plate of a grey ground under a dark sky, and something 4 m away that fills the right half."""
    shape = camera.height, camera.width
    ground = camera.rays[..., 2] < -0.02
    depth = np.where(ground, -camera.eye / np.minimum(camera.rays[..., 2], -0.02), 10000)
    wall = np.arange(camera.width) >= camera.width // 2
    depth = np.where(wall, np.minimum(depth, 4), depth)
    about = dict(azimuth=camera.azimuth, elevation=camera.elevation, fov=camera.fov, eye=camera.eye)
    return dict(
        image=np.where(ground | wall, 0.2, 0.05)[..., None].repeat(3, -1).astype(np.float16),
        albedo=np.full((*shape, 3), 0.5, np.float16),
        normal=np.broadcast_to(np.float16([0, 0, 1]), (*shape, 3)),
        depth=depth.astype(np.float16),
        ground=ground & ~wall,
        meta={"camera": about | dict(width=camera.width, height=camera.height)},
    )


def test_a_crop_of_a_plate_keeps_its_places(camera):
    arrays = plate(camera)
    arrays["image"][40:44, 50:54] = [9, 0, 0]
    part = camera.crop(30, 20, 120, 90, 1.5)
    view = scene.Plate(arrays, part, 30, 20, key=0.1)
    ys, xs = np.nonzero(view.image[..., 0] > view.image[..., 0].max() / 2)
    assert np.allclose((xs.mean() + 0.5, ys.mean() + 0.5), (1.5 * (52 - 30), 1.5 * (42 - 20)), atol=0.3)
    assert abs(np.median(view.points[view.is_ground][:, 2])) < 0.05
    assert not view.is_ground[:, 100:].any() and view.is_ground[-10:, :60].all()


def test_a_body_stands_where_the_camera_projects_it_and_hides_what_is_behind(camera):
    view = scene.Panorama(np.full((32, 64, 3), 0.2, np.float32), camera, key=0.1, wall=20)
    behind = view.depth.copy()
    ball = scene.Thing("sphere", 5 * camera.ahead + [0, 0, 1], (0.5,), (1, 0, 0))
    view.add(ball, scene.grain(1))
    x, y = (round(v) for v in camera.project(ball.at))
    changed = view.depth < behind
    ys, xs = np.nonzero(changed)
    assert np.allclose((xs.mean(), ys.mean()), (x, y), atol=1.5)
    assert np.isclose(view.depth[y, x], np.linalg.norm(ball.at - camera.position) - 0.5, atol=0.02)
    red = view.image[changed]
    assert (red[:, 0] > 2 * red[:, 2]).mean() > 0.9


def test_firelight_is_warm_and_falls_off(camera):
    view = scene.Panorama(np.full((32, 64, 3), 0.2, np.float32), camera, key=0.05, wall=30)
    before = view.image.copy()
    foot = 6 * camera.ahead
    view.firelight(foot, 1.0, 1.0)
    added = view.image - before
    away = np.linalg.norm(view.points - foot, axis=-1)
    near, far = (added[view.is_ground & where].mean(0) for where in (away < 1.5, (away > 4) & (away < 6)))
    assert near[0] > near[1] > near[2] > 0 and near[0] > 5 * far[0]


# ------------------------------------------------------------------------------------------------------------ flames
def block(voxels=16):
    """A solid, even flame that fills the middle of its box."""
    light = np.zeros((voxels, voxels, voxels, 4), np.float32)
    light[4:12, 4:12, 4:12] = 1
    return flame.Volume(light, np.zeros((voxels, voxels, voxels, 2), np.float32), (2.0, 2.0, 2.0), 1.0)


def on_picture(seen, values, camera):
    """What is known inside a `Light`'s window, over the whole picture."""
    whole = np.zeros((camera.height, camera.width), values.dtype)
    whole[seen.rows, seen.cols] = values
    return whole


def test_a_marched_block_appears_where_the_camera_projects_it(camera):
    foot = 6 * camera.ahead
    seen = flame.march(block(), foot, camera, np.full((120, 160), FAR))
    mask = on_picture(seen, seen.flame.max(-1) > 0.5, camera)
    corners = [
        camera.project(foot + x * camera.right + y * camera.ahead + [0, 0, z])
        for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.5, 1.5)
    ]  # fmt: skip
    assert np.allclose(compose.bounds(mask), [*np.min(corners, 0), *np.max(corners, 0)], atol=2.5)


def test_what_stands_in_front_hides_the_flame(camera):
    depth = np.full((120, 160), FAR)
    depth[:, :80] = 3.0
    seen = flame.march(block(), 6 * camera.ahead, camera, depth)
    shown = on_picture(seen, seen.flame.max(-1), camera)
    assert shown[:, :80].max() == 0 and shown[:, 80:].max() > 0.5
    assert (seen.through <= 1).all() and seen.through.min() < 0.1


def test_a_flame_behind_the_camera_is_not_seen(camera):
    assert flame.march(block(), -6 * camera.ahead, camera, np.full((120, 160), FAR)) is None


def small_fire():
    """A made-up bake of 20 voxels a side: a round flame under its smoke, axes (z, y, x)."""
    z, y, x = np.mgrid[:20, :20, :20]
    ball = np.clip(1.4 - np.sqrt((x - 9.5) ** 2 + (y - 9.5) ** 2 + (z - 8) ** 2) / 5, 0, 1).astype(np.float32)
    return ball, np.roll(ball, 4, axis=0)[::2, ::2, ::2]


def test_a_flame_is_the_same_each_time_and_differs_with_its_seed():
    size = (1.0, 1.0, 1.0)
    one, again, other = (flame.refine(*small_fire(), size, factor=1, seed=seed).light for seed in (5, 5, 6))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_refined_flame_is_warm_and_without_flame_nothing_shines():
    burning = flame.refine(*small_fire(), (1.0, 1.0, 1.0), factor=1.5)
    red, green, blue, absorbs = burning.light.reshape(-1, 4).sum(0)
    assert red > green > blue and absorbs > 0
    smoking = flame.refine(*small_fire(), (1.0, 1.0, 1.0), factor=1.5, flame_amount=0)
    assert smoking.light[..., :3].max() == 0 and smoking.light[..., 3].max() > 0


# ------------------------------------------------------------------------------------------------------------- boxes
def test_a_box_ignores_sparks_and_refuses_specks():
    mask = np.zeros((60, 60), bool)
    mask[10:40, 20:45] = True
    clean = mask.copy()
    mask[50, 50] = True
    assert np.array_equal(compose.without_sparks(mask), clean)
    assert compose.bounds(clean) == (20, 10, 45, 40)
    assert compose.bounds(np.zeros((60, 60), bool)) is None
    speck = np.zeros((60, 60), bool)
    speck[5:12, 5:30] = True
    assert compose.bounds(speck) is None


# ------------------------------------------------------------------------------------------------------- photographs
def test_a_photograph_keeps_grey_grey_and_the_order_of_brightness():
    light = np.repeat(np.geomspace(0.02, 4, 8), 20)[None, :, None].repeat(80, 0).repeat(3, -1).astype(np.float32)
    one, again = (scene.photograph(light, np.random.default_rng(3), bloom=0, noise=0.002) for _ in range(2))
    assert np.array_equal(one, again) and one.dtype == np.uint8 and one.shape == light.shape
    steps = one[30:50].reshape(20, 8, 20, 3)[:, :, 5:15].mean((0, 2))
    assert (np.diff(steps.mean(-1)) > 0).all() and np.ptp(steps, axis=-1).max() < 4


@pytest.fixture
def plain(monkeypatch):
    """`plain(kind)`: a picture and its facts, composed on an even grey backdrop out of one made-up fire."""
    monkeypatch.setattr(compose, "load_panorama", lambda _: np.full((32, 64, 3), 0.05, np.float32))
    fires = {name: {1: small_fire()} for name in compose.bake.BAKES}
    flames = fires, dict.fromkeys(fires, (1.0, 1.0, 1.0))

    def render(kind, number=1):
        entry = dict(number=number, split="val", source="panorama", backdrop="sunrise", kind=kind, shape=(4, 3))
        return compose.compose(entry, flames)

    return render


@pytest.mark.parametrize("kind", ["far", "close"])
def test_a_composed_picture_is_deterministic_and_labelled_where_it_burns(plain, kind):
    (picture, facts), (again, same) = plain(kind), plain(kind)
    assert np.array_equal(picture, again) and facts == same and facts["boxes"] and facts["bakes"]
    height, width = picture.shape[:2]
    blue, _, red = (picture[..., c].astype(int) for c in range(3))
    burning = (red > 220) & (red > blue + 80)  # brighter than ground in firelight
    near = np.zeros_like(burning)
    for (x0, y0, x1, y1), text in zip(facts["boxes"], facts["masks"], strict=True):
        assert burning[y0:y1, x0:x1].any()
        near[max(0, y0 - 12) : y1 + 12, max(0, x0 - 12) : x1 + 12] = True
        ys, xs = np.nonzero(masks.unpack(text, width, height))
        outer = np.array([xs.min(), ys.min(), xs.max(), ys.max()]) // masks.CELL
        assert (outer == np.array([x0, y0, x1 - 1, y1 - 1]) // masks.CELL).all()
    assert not (burning & ~near).any()


def test_a_picture_without_fire_has_no_box(plain):
    _, facts = plain("cones")
    assert facts["boxes"] == [] and facts["masks"] == []
