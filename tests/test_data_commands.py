"""`python -m modules data ...`: what it finds in a set, how it splits by scenes, what it converts and what it refuses."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from modules.course import data
from modules.course.errors import InputError
from modules.course.fire import FIRE_YAML, fire_pictures


@pytest.fixture
def photographs(tmp_path):
    """Twelve scenes of the fire set, three nearly equal pictures of each, in images/ and labels/."""
    for part in ("images", "labels"):
        (tmp_path / part).mkdir()
    for letter, source in zip("abcdefghijkl", fire_pictures("val")[::10]):
        with Image.open(source) as picture:
            for k in range(3):
                name = f"{letter}x{k * 17 + ord(letter) % 7}y"
                picture.crop((k, k, picture.width - k, picture.height - k)).save(tmp_path / "images" / f"{name}.jpg")
                shutil.copy(source.parents[1] / "labels" / f"{source.stem}.txt", tmp_path / "labels" / f"{name}.txt")
    return tmp_path


def test_the_course_s_own_set_has_no_leak():
    lines = [str(finding) for finding in data.check(FIRE_YAML)]
    assert "  no picture to train on looks like one to validate on" in lines
    assert any(line.startswith("  train: 480 pictures, 452 boxes, 109 pictures without any") for line in lines)


def test_split_keeps_scenes_together_and_check_agrees(photographs):
    path = data.split(photographs, ["fire"], shares=(0.5, 0.25, 0.25))
    scene_of = {}
    for part in ("train", "val", "test"):
        for line in (photographs / f"{part}.txt").read_text().split():
            scene_of.setdefault(line.removeprefix("./images/")[0], set()).add(part)
    assert len(scene_of) == 12 and all(len(parts) == 1 for parts in scene_of.values())
    assert not any("both parts" in str(finding) for finding in data.check(path))


def test_a_careless_split_is_noticed(photographs):
    pictures = sorted((photographs / "images").iterdir())
    for part, chosen in (("train", pictures[::2]), ("val", pictures[1::2])):
        (photographs / f"{part}.txt").write_text("".join(f"{p}\n" for p in chosen))
    (photographs / "my.yaml").write_text(f"path: {photographs}\ntrain: train.txt\nval: val.txt\nnames: [fire]\n")
    found = [str(finding) for finding in data.check(photographs / "my.yaml")]
    assert any("look alike and stand in both parts" in line for line in found)


def test_frames_of_one_film_stay_together_though_they_differ(tmp_path):
    rng = np.random.default_rng(0)
    pictures = []
    for film in ("kitchen", "yard", "barn", "quay"):
        for frame in range(5):
            pictures.append(tmp_path / f"{film}_{frame:04d}.png")
            Image.fromarray(rng.integers(0, 255, (12, 13, 3), dtype=np.uint8)).save(pictures[-1])
    assert sorted(len(group) for group in data.scenes(pictures)) == [5, 5, 5, 5]
    numbered = [path.rename(tmp_path / f"IMG_{i:04d}.png") for i, path in enumerate(pictures)]
    assert len(data.scenes(numbered)) == 20  # a camera's numbers say nothing


VOC = """<annotation><size><width>200</width><height>100</height></size>
<object><name>fire</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>100</xmax><ymax>50</ymax></bndbox></object>
<object><name>smoke</name><bndbox><xmin>101</xmin><ymin>51</ymin><xmax>200</xmax><ymax>100</ymax></bndbox></object>
</annotation>"""


def test_voc_becomes_yolo(tmp_path):
    (tmp_path / "xml").mkdir()
    (tmp_path / "xml" / "a.xml").write_text(VOC)
    assert data.convert(tmp_path / "xml", tmp_path / "labels") == ["fire", "smoke"]
    rows = (tmp_path / "labels" / "a.txt").read_text().splitlines()
    assert rows == ["0 0.250000 0.250000 0.500000 0.500000", "1 0.750000 0.750000 0.500000 0.500000"]


COCO = {
    "categories": [{"id": 7, "name": "smoke"}, {"id": 3, "name": "fire"}],
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 200, "height": 100},
        {"id": 2, "file_name": "night/b.png", "width": 50, "height": 50},
    ],
    "annotations": [
        {"image_id": 1, "category_id": 3, "bbox": [0, 0, 100, 50]},
        {"image_id": 1, "category_id": 7, "bbox": [150, 50, 100, 50]},
        {"image_id": 2, "category_id": 3, "bbox": [0, 0, 50, 50], "iscrowd": 1},
    ],
}


def write_coco(path, **changes):
    path.write_text(json.dumps(COCO | changes))
    return path


def test_coco_becomes_yolo(tmp_path):
    assert data.convert(write_coco(tmp_path / "all.json"), tmp_path / "labels") == ["fire", "smoke"]
    rows = (tmp_path / "labels" / "a.txt").read_text().splitlines()
    # The second box reaches over the picture's right edge and is cut there.
    assert rows == ["0 0.250000 0.250000 0.500000 0.500000", "1 0.875000 0.750000 0.250000 0.500000"]
    assert (
        tmp_path / "labels" / "night" / "b.txt"
    ).read_text() == ""  # a crowd is no object, and the picture a negative


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"images": []}, "is no COCO file"),
        ({"annotations": [{"image_id": 1, "category_id": 9, "bbox": [0, 0, 1, 1]}]}, "is no COCO file"),
        ({"images": [{"id": i, "file_name": n, "width": 9, "height": 9} for i, n in ((1, "a.jpg"), (2, "a.png"))]}, "one name"),
        ({"images": [{"id": i, "file_name": f"../{i}.jpg", "width": 9, "height": 9} for i in (1, 2)]}, "lies outside"),
    ],
)  # fmt: skip
def test_broken_coco_files_are_refused(changes, message, tmp_path):
    path = write_coco(tmp_path / "all.json", **changes)
    with pytest.raises(InputError, match=message):
        data.convert(path, tmp_path / "labels")
    assert not (tmp_path / "labels").exists()


REFUSED = {
    "no pictures": (["split", "{tmp}", "names=fire"], "no pictures in"),
    "no names": (["split", "{tmp}"], "classes in the order of their numbers"),
    "too few words": (["split", "names=fire"], "is written as"),
    "an unknown word": (["check", "{tmp}/my.yaml", "deep=1"], "is written as"),
    "no such set": (["check", "{tmp}/my.yaml"], "there is no such file"),
    "nothing to convert": (["convert", "{tmp}", "{tmp}/labels"], "there are no .xml files"),
    "no such COCO file": (["convert", "{tmp}/all.json", "{tmp}/out"], "there is no such file"),
    "shares that are no numbers": (["split", "{tmp}", "names=fire", "shares=a,b,c"], "shares=a,b,c: write numbers"),
    "a broken xml": (["convert", "{tmp}/broken", "{tmp}/out"], "is no Pascal VOC file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case, tmp_path):
    words, message = REFUSED[case]
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.xml").write_text("<annotation><object/></annotation>")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        data.main([word.format(tmp=tmp_path) for word in words])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_split_that_is_there_is_not_written_over(photographs):
    data.split(photographs, ["fire"])
    before = (photographs / "split.yaml").read_bytes()
    with pytest.raises(InputError, match="must stay"):
        data.split(photographs, ["fire"], seed=1)
    assert (photographs / "split.yaml").read_bytes() == before


def test_show_writes_one_new_picture(photographs, tmp_path):
    path = data.split(photographs, ["fire"])
    written = data.show(path, tmp_path / "look.png", count=4)
    assert Image.open(written).width > 500
    with pytest.raises(InputError, match="there already"):
        data.show(path, written)
