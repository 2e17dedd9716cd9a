"""The bundled fire set: whole, varied, labelled as its manifest says, honestly split, and read by Ultralytics."""

import hashlib
import re
import shutil
import sys
import textwrap
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
FIRE = ROOT / "datasets" / "fire"
sys.path.insert(0, str(ROOT / "datasets" / "render"))

import check  # noqa: E402


@pytest.fixture(scope="module")
def manifest():
    return check.load(FIRE)


@pytest.fixture(scope="module")
def inspected(manifest):
    return check.inspect(FIRE, manifest)


def lines(faults):
    return "\n".join(faults)


# -------------------------------------------------------------------------------------------------------- soundness
def test_files_are_those_of_the_manifest_and_none_is_there_twice(manifest):
    assert not lines(check.file_faults(FIRE, manifest))


def test_labels_are_in_range_and_those_of_the_manifest(manifest):
    assert not lines(check.label_faults(FIRE, manifest))


def test_boxes_are_drawn_around_what_burns(manifest):
    assert not lines(check.mask_faults(manifest))


def test_what_burns_is_bright_and_flame_coloured(inspected):
    assert not lines(inspected[0])


def test_splits_share_no_backdrop_and_no_bake(manifest):
    assert not lines(check.split_faults(manifest))


def test_no_picture_has_a_near_duplicate_in_the_other_split(inspected):
    train, val = (check.part(inspected[2], split) for split in check.SPLITS)
    assert not lines(check.double_faults(check.nearest(train, val)))


# --------------------------------------------------------------------------------------------------------- contents
def test_there_are_enough_pictures_and_they_are_small(manifest):
    assert len(check.part(manifest, "train")) >= 480 and len(check.part(manifest, "val")) >= 120
    assert sum(path.stat().st_size for path in FIRE.rglob("*") if path.suffix != ".cache") <= 40e6
    assert {max(facts["size"]) for facts in manifest.values()} == {640}


@pytest.mark.parametrize("split", check.SPLITS)
def test_a_fifth_is_without_fire_and_a_third_of_the_boxes_is_small(manifest, split):
    pictures = check.part(manifest, split).values()
    assert sum(not facts["boxes"] for facts in pictures) >= len(pictures) / 5
    boxes = [share for facts in pictures for share in check.shares(facts)]
    assert 0.25 <= sum(share < 1 for share in boxes) / len(boxes) <= 0.45
    assert min(boxes) < 0.5 and max(boxes) > 40


def test_the_set_is_varied(manifest):
    assert len(check.count(manifest, lambda facts: facts["bakes"])) >= 10
    assert set(check.fires(manifest)) >= {0, 1, 2, 3, 4}
    assert len(check.shapes(manifest)) >= 4
    assert max(map(sum, check.count(manifest, lambda facts: [facts["mood"]]).values())) <= len(manifest) / 2


# ------------------------------------------------------------------------------------------------ freshness of papers
def test_the_data_card_tells_what_is_there(manifest, inspected):
    card = (FIRE / "README.md").read_text(encoding="utf-8")
    fresh = check.with_numbers(card, check.numbers(FIRE, manifest, inspected[2]))
    assert card == fresh, "run: python datasets/render/check.py"


def test_every_photographed_place_has_its_credit(manifest):
    credits = (FIRE / "README.md").read_text(encoding="utf-8").split("\n## Licence and credits\n")[1]
    places = {facts["backdrop"] for facts in manifest.values() if facts["source"] != "plate"}
    assert {place for place in places if not re.search(rf"\b{place}\b", credits)} == set()


def test_the_data_card_renumbers_classes_as_it_says(tmp_path, monkeypatch):
    code = re.search(r"```python\n(.*?)```", (FIRE / "README.md").read_text(encoding="utf-8"), re.S)[1]
    labels = tmp_path / "copy" / "train" / "labels"
    labels.mkdir(parents=True)
    (labels / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n1 0.2 0.3 0.1 0.2\n")
    (labels / "b.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    exec(textwrap.dedent(code), {})
    assert [(labels / name).read_text() for name in ("a.txt", "b.txt")] == ["0 0.2 0.3 0.1 0.2\n", ""]


def test_the_drawings_show_these_pictures():
    sources = [ROOT / "figures" / "fire_set.py", FIRE / "manifest.json"]
    code, data = (hashlib.sha256(path.read_bytes()).hexdigest() for path in sources)
    sheet = ROOT / "figures" / "fire_set.jpg"
    assert sheet.stat().st_size <= 1.2e6
    assert Image.open(sheet).info["comment"].decode() == code + data, "run `make figures`"
    assert Image.open(sheet.with_suffix(".png")).text["Data"] == data, "run `make figures`"


def test_every_picture_was_made_by_the_code_beside_it(manifest):
    import kinds
    import make_fire_set

    plan = {f"{e['split']}/images/fire_{e['number']:03}.jpg": make_fire_set.recipe(e) for e in kinds.plan()}
    made = {name: facts["recipe"] for name, facts in manifest.items()}
    stale = sorted(name for name in plan.keys() | made.keys() if plan.get(name) != made.get(name))
    assert not stale, "run `make data`"


# ------------------------------------------------------------------------------------------------------- Ultralytics
def test_the_yaml_is_found_from_another_folder(tmp_path, monkeypatch):
    from ultralytics.data.utils import check_det_dataset

    monkeypatch.chdir(tmp_path)
    data = check_det_dataset(str(FIRE / "fire.yaml"))
    assert data["names"] == {0: "fire"}
    assert [Path(data[split]) for split in check.SPLITS] == [FIRE / split / "images" for split in check.SPLITS]


@pytest.mark.parametrize("split", check.SPLITS)
def test_ultralytics_reads_every_picture_and_label(manifest, split, tmp_path):
    from ultralytics.data import YOLODataset
    from ultralytics.data.utils import check_det_dataset, load_dataset_cache_file

    copy = tmp_path / "fire"  # Ultralytics leaves a cache beside the labels, and repairs pictures in place
    for part in ("images", "labels"):
        shutil.copytree(FIRE / split / part, copy / split / part)
    data = check_det_dataset(str(FIRE / "fire.yaml"))
    pictures = YOLODataset(img_path=str(copy / split / "images"), data=data, task="detect", imgsz=160, augment=False)
    cache = load_dataset_cache_file(copy / split / "labels.cache")
    of = check.part(manifest, split)
    found, missing, without, corrupt, total = cache["results"]
    assert (missing, corrupt, total) == (0, 0, len(of))
    assert without == sum(not facts["boxes"] for facts in of.values())
    assert found + without >= total  # older versions count the empty ones among the found
    assert cache["msgs"] == []  # it would tell of repaired pictures and of duplicate labels here
    assert len(pictures.labels) == len(of)
    wrong = []
    for label in pictures.labels:
        path = Path(label["im_file"])
        name = f"{split}/images/{path.name}"
        same = hashlib.sha256(path.read_bytes()).hexdigest() == of[name]["sha256"]
        if not same or len(label["bboxes"]) != len(of[name]["boxes"]):
            wrong.append(name)
    assert not wrong
