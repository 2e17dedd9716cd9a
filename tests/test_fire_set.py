"""The bundled fire set: complete, labelled as its manifest says, read by Ultralytics, made by sound parts."""

import hashlib
import json
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
FIRE = ROOT / "datasets" / "fire"
sys.path.insert(0, str(ROOT / "datasets" / "render"))

import flame  # noqa: E402
import make_fire_set  # noqa: E402
import scene  # noqa: E402

WITHOUT_FIRE = {"plain", "lamps", "cones", "steam"}
MANIFEST = json.loads((FIRE / "manifest.json").read_text())


def boxes_of(name):
    """Boxes in pixels, from the label file."""
    width, height = MANIFEST[name]["size"]
    lines = (FIRE / name.replace("images", "labels")).with_suffix(".txt").read_text().splitlines()
    for line in lines:
        kind, x, y, w, h = line.split()
        assert kind == "0", line
        x, y, w, h = (float(v) for v in (x, y, w, h))
        yield (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height


def test_files_are_those_of_the_manifest():
    there = {p.relative_to(FIRE).as_posix() for p in FIRE.glob("*/images/*")}
    assert there == set(MANIFEST)
    labels = {p.relative_to(FIRE).as_posix() for p in FIRE.glob("*/labels/*.txt")}
    assert labels == {name.replace("images", "labels").replace(".jpg", ".txt") for name in MANIFEST}
    for name, facts in MANIFEST.items():
        assert hashlib.sha256((FIRE / name).read_bytes()).hexdigest() == facts["sha256"], name


def test_counts_size_and_splits():
    of = {split: [n for n in MANIFEST if n.startswith(split)] for split in ("train", "val")}
    assert {split: len(names) for split, names in of.items()} == {"train": 80, "val": 20}
    assert sum(p.stat().st_size for p in FIRE.rglob("*") if p.is_file()) <= 8e6
    hashes = [facts["sha256"] for facts in MANIFEST.values()]
    assert len(set(hashes)) == len(hashes)
    train, val = ({MANIFEST[n]["backdrop"] for n in of[split]} for split in ("train", "val"))
    assert not train & val
    assert 15 <= sum(not facts["boxes"] for facts in MANIFEST.values()) <= 25


def test_flame_shapes_are_not_shared_between_splits():
    grids, _ = flame.load()
    train, val = (
        {(bake, frame) for bake in grids for frame in grids[bake] if make_fire_set.SPLITS[split]["frames"](bake, frame)}
        for split in ("train", "val")
    )
    assert train and val and not train & val


@pytest.mark.parametrize("name", sorted(MANIFEST))
def test_labels_fit_the_picture(name):
    picture = cv2.imread(str(FIRE / name))
    height, width = picture.shape[:2]
    assert [width, height] == MANIFEST[name]["size"] and max(width, height) == 640
    boxes = list(boxes_of(name))
    assert np.allclose(boxes, MANIFEST[name]["boxes"], atol=0.01) if boxes else not MANIFEST[name]["boxes"]
    for x0, y0, x1, y1 in boxes:
        assert -0.01 <= x0 < x1 <= width + 0.01 and -0.01 <= y0 < y1 <= height + 0.01
        assert min(x1 - x0, y1 - y0) >= 8 - 0.01
        # Fire is bright, and redder than it is blue: in the box, on each of its four sides, and less so just outside.
        x0, y0, x1, y1 = (round(v) for v in (x0, y0, x1, y1))
        blue, _, red = (picture[..., c].astype(int) for c in range(3))
        burning = (red > 110) & (red > blue + 50)
        assert burning[y0:y1, x0:x1].mean() > 0.1
        inside = burning[y0:y1, x0:x1]
        halves = np.array_split(inside, 2, 0) + np.array_split(inside, 2, 1)
        assert all(half.any() for half in halves)


def test_the_yaml_is_found_from_another_folder(tmp_path, monkeypatch):
    from ultralytics.data.utils import check_det_dataset

    monkeypatch.chdir(tmp_path)
    data = check_det_dataset(str(FIRE / "fire.yaml"))
    assert data["names"] == {0: "fire"}
    assert [Path(data[split]) for split in ("train", "val")] == [FIRE / split / "images" for split in ("train", "val")]


@pytest.mark.parametrize("split", ["train", "val"])
def test_ultralytics_reads_every_picture_and_label(split, tmp_path):
    from ultralytics.data import YOLODataset
    from ultralytics.data.utils import check_det_dataset, load_dataset_cache_file

    copy = tmp_path / "fire"  # Ultralytics leaves a cache beside the labels, and repairs pictures in place
    shutil.copytree(FIRE, copy, ignore=shutil.ignore_patterns("*.cache*"))
    data = check_det_dataset(str(copy / "fire.yaml"))
    pictures = YOLODataset(img_path=data[split], data=data, task="detect", imgsz=160, augment=False)
    cache = load_dataset_cache_file(copy / split / "labels.cache")
    facts = {Path(name).name: f["boxes"] for name, f in MANIFEST.items() if name.startswith(split)}
    empty = sum(not boxes for boxes in facts.values())
    found, missing, without, corrupt, total = cache["results"]
    assert (missing, corrupt, total) == (0, 0, len(facts)) and without == empty
    assert found + without >= total and cache["msgs"] == []
    for label in pictures.labels:
        path = Path(label["im_file"])
        assert len(label["bboxes"]) == len(facts[path.name]), path.name
        assert path.read_bytes() == (FIRE / split / "images" / path.name).read_bytes()


@pytest.fixture
def camera():
    return scene.Camera(azimuth=30, elevation=-5, fov=60, width=160, height=120)


def block(voxels=16):
    """A solid, even flame that fills the middle of its box."""
    light = np.zeros((voxels, voxels, voxels, 4), np.float32)
    light[4:12, 4:12, 4:12] = 1
    return flame.Volume(light, np.zeros((voxels, voxels, voxels, 2), np.float32), (2.0, 2.0, 2.0), 1.0)


def test_a_marched_block_appears_where_the_camera_projects_it(camera):
    foot = 6 * camera.ahead
    seen = flame.march(block(), foot, camera, np.full((120, 160), 1e6))
    mask = np.zeros((120, 160), bool)
    mask[seen.rows, seen.cols] = seen.flame.max(-1) > 0.5
    corners = [
        camera.project(foot + x * camera.right + y * camera.ahead + [0, 0, z])
        for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.5, 1.5)
    ]  # fmt: skip
    expected = [*np.min(corners, 0), *np.max(corners, 0)]
    assert np.allclose(flame.box_of(mask), expected, atol=2.5)
    ys, xs = np.nonzero(mask)
    assert flame.box_of(mask) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_what_stands_in_front_hides_the_flame(camera):
    foot = 6 * camera.ahead
    depth = np.full((120, 160), 1e6)
    depth[:, :80] = 3.0
    seen = flame.march(block(), foot, camera, depth)
    shown = np.zeros((120, 160))
    shown[seen.rows, seen.cols] = seen.flame.max(-1)
    assert shown[:, :80].max() == 0 and shown[:, 80:].max() > 0.5
    assert (seen.through <= 1).all() and seen.through.min() < 0.1


def test_a_flame_is_the_same_each_time_and_differs_with_its_seed():
    grids, sizes = flame.load()
    baked = grids["a"][16]
    one, again, other = (flame.refine(*baked, sizes["a"], factor=1, seed=seed).light for seed in (5, 5, 6))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_a_box_ignores_sparks_and_refuses_specks():
    mask = np.zeros((60, 60), bool)
    mask[10:40, 20:45] = True
    mask[50, 50] = True
    assert flame.box_of(mask) == (20, 10, 45, 40)
    mask[:] = False
    assert flame.box_of(mask) is None
    mask[5:12, 5:30] = True
    assert flame.box_of(mask) is None


def test_a_picture_made_on_a_plain_backdrop_is_deterministic_and_labelled_where_it_burns(monkeypatch):
    dusk = np.full((32, 64, 3), 0.05, np.float32)
    entry = next(e for e in make_fire_set.plan() if e["split"] == "val" and e["kind"] == "far")
    monkeypatch.setattr(make_fire_set, "LONG_SIDE", 320)
    monkeypatch.setattr(scene, "panorama", lambda _: dusk)
    flames = flame.load()
    (picture, boxes), (again, same) = (make_fire_set.render(entry, {entry["backdrop"]: None}, flames) for _ in range(2))
    assert np.array_equal(picture, again) and boxes == same and boxes
    blue, _, red = (picture[..., c].astype(int) for c in range(3))
    burning = (red > 220) & (red > blue + 80)  # brighter than ground in firelight
    inside = np.zeros_like(burning)
    for x0, y0, x1, y1 in boxes:
        assert burning[y0:y1, x0:x1].any()
        inside[max(0, y0 - 12) : y1 + 12, max(0, x0 - 12) : x1 + 12] = True
    assert not (burning & ~inside).any()


def test_the_plan_is_the_manifest():
    plan = {
        f"{e['split']}/images/fire_{e['number']:03}.jpg": (e["kind"], e["backdrop"], e["mood"])
        for e in make_fire_set.plan()
    }
    assert plan == {name: (facts["kind"], facts["backdrop"], facts["mood"]) for name, facts in MANIFEST.items()}
    for name, facts in MANIFEST.items():
        assert (facts["kind"] in WITHOUT_FIRE) == (not facts["boxes"]), name


def test_the_data_card_tells_what_is_there():
    assert make_fire_set.table(MANIFEST) in (FIRE / "README.md").read_text()
