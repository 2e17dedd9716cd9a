"""The check of the fire set finds what is wrong: a small made-up set, broken in one way after the other."""

import hashlib
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import check  # noqa: E402
import masks  # noqa: E402

SIZE = 320, 240
BOXES = {
    "train/images/a.jpg": [[40, 60, 101, 150], [200, 100, 260, 141]],
    "train/images/b.jpg": [],
    "val/images/c.jpg": [[100, 20, 190, 117]],
}


def disc(box):
    """The ellipse that fills a box, as a mask."""
    x0, y0, x1, y1 = box
    y, x = np.ogrid[: SIZE[1], : SIZE[0]]
    return ((x + 0.5 - (x0 + x1) / 2) / (x1 - x0)) ** 2 + ((y + 0.5 - (y0 + y1) / 2) / (y1 - y0)) ** 2 <= 0.25


def picture(name, boxes=None):
    """A soft grey pattern that depends on the name, with an orange disc in every box. BGR."""
    rng = np.random.default_rng(list(name.encode()))
    grey = cv2.resize(rng.uniform(20, 200, (6, 8)).astype(np.float32), SIZE, interpolation=cv2.INTER_CUBIC)
    drawn = np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, 2)
    for box in BOXES[name] if boxes is None else boxes:
        drawn[disc(box)] = 30, 130, 250
    return drawn


def save(folder, manifest, name, pixels):
    """Put a picture into the set as if it had been made so."""
    data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    (folder / name).write_bytes(data)
    manifest[name]["sha256"] = hashlib.sha256(data).hexdigest()


def write_label(folder, name, boxes):
    width, height = SIZE
    rows = [
        f"0 {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f} {(x1 - x0) / width:.6f} {(y1 - y0) / height:.6f}\n"
        for x0, y0, x1, y1 in boxes
    ]
    (folder / check.label_of(name)).write_text("".join(rows))


@pytest.fixture
def made(tmp_path):
    """(folder, manifest) of a sound set."""
    manifest = {}
    for name, boxes in BOXES.items():
        split = name.split("/")[0]
        manifest[name] = dict(
            size=list(SIZE), boxes=[list(box) for box in boxes], masks=[masks.pack(disc(box)) for box in boxes],
            kind="far", mood="day", source="panorama", backdrop=split, bakes=[split + "1"] if boxes else [],
        )  # fmt: skip
        for what in ("images", "labels"):
            (tmp_path / split / what).mkdir(parents=True, exist_ok=True)
        save(tmp_path, manifest, name, picture(name))
        write_label(tmp_path, name, boxes)
    (tmp_path / "README.md").write_text(f"Before\n{check.BEGIN}\n{check.END}\nafter\n")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path, manifest


A, B, C = BOXES


def told(faults, *words):
    """Exactly one fault, which says all this."""
    return len(faults) == 1 and all(word in faults[0] for word in words)


# ------------------------------------------------------------------------------------------------------------- masks
def test_masks_keep_which_cells_burn():
    mask = np.zeros((427, 640), bool)  # 427 is no multiple of a cell
    mask[100:130, 50:300] = True
    mask[426, 639] = True
    again = masks.unpack(masks.pack(mask), 640, 427)
    assert again.shape == mask.shape and (mask <= again).all()
    assert again.sum() == 40 * 256 + 3 * 8  # rows 96 to 135, columns 48 to 303; and the corner's cell
    assert not masks.unpack(masks.pack(np.zeros((240, 320), bool)), 320, 240).any()


@pytest.mark.parametrize("text, size, words", [("?", (320, 240), "masks.pack"), (None, (640, 480), "640 x 480")])
def test_masks_say_what_is_wrong(text, size, words):
    with pytest.raises(ValueError, match=words):
        masks.unpack(text or masks.pack(np.zeros((240, 320), bool)), *size)


# ------------------------------------------------------------------------------------------------------------ report
def test_a_sound_set_passes_and_gets_its_card(made, capsys):
    folder, manifest = made
    assert check.report(folder) == 0
    card = (folder / "README.md").read_text()
    assert card.startswith("Before\n") and card.endswith("after\n") and "| train | 2 | 1 | 2 |" in card
    assert "3 pictures, 0 faults" in capsys.readouterr().out
    hashes = check.inspect(folder, manifest)[2]
    assert check.with_numbers(card, check.numbers(folder, manifest, hashes)) == card
    manifest[A]["mood"] = "night"
    assert check.with_numbers(card, check.numbers(folder, manifest, hashes)) != card


def test_a_broken_set_ends_with_exit_code_1(made, capsys, monkeypatch):
    folder, _ = made
    monkeypatch.setattr(sys, "argv", ["check.py", "--set", str(folder)])
    assert check.main() == 0
    (folder / B).unlink()
    assert check.main() == 1
    assert f"WRONG  {B}: in manifest.json, but not in the folder" in capsys.readouterr().out


def test_a_set_without_what_is_checked_is_refused(made, tmp_path):
    folder, manifest = made
    with pytest.raises(SystemExit, match="--set"):
        check.load(folder / "nowhere")
    del manifest[B]["masks"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SystemExit, match="b.jpg has no masks"):
        check.load(folder)


def test_a_set_without_a_card_is_checked_all_the_same(made, capsys):
    folder, _ = made
    (folder / "README.md").unlink()
    assert check.report(folder) == 0
    assert "no data card" in capsys.readouterr().out and not (folder / "README.md").exists()


def test_a_card_without_markers_is_refused():
    with pytest.raises(SystemExit, match="no place for the numbers"):
        check.with_numbers("# A card\n", "numbers")


# -------------------------------------------------------------------------------------------------- files and labels
def test_files_that_are_missing_strange_changed_or_double_are_found(made):
    folder, manifest = made
    assert check.file_faults(folder, manifest) == []
    (folder / "val/labels/d.txt").write_text("")
    assert told(check.file_faults(folder, manifest), "val/labels/d.txt", "not in manifest.json")
    (folder / "val/labels/d.txt").unlink()
    data = (folder / A).read_bytes()
    (folder / A).write_bytes(data[:-9])
    assert told(check.file_faults(folder, manifest), A, "sha256")
    (folder / A).write_bytes(data)
    (folder / C).write_bytes(data)
    manifest[C]["sha256"] = manifest[A]["sha256"]
    assert told(check.file_faults(folder, manifest), C, "the same file", A)


@pytest.mark.parametrize(
    "row", ["1 0.5 0.5 0.1 0.1", "0 0.5 1.2 0.1 0.1", "0 0.5 0.5 -0.1 0.1", "0 0.5 0.5 0.1", "0 a b c d", "0 nan 0 0 0"]
)
def test_label_rows_out_of_range_are_found(made, row):
    folder, manifest = made
    assert check.label_faults(folder, manifest) == []
    (folder / check.label_of(B)).write_text(row + "\n")
    assert told(check.label_faults(folder, manifest), check.label_of(B), row)


def test_labels_that_differ_from_the_manifest_are_found(made):
    folder, manifest = made
    (folder / check.label_of(A)).write_text("")  # forgotten
    assert told(check.label_faults(folder, manifest), check.label_of(A))
    shifted = [[x0 + 3, y0, x1 + 3, y1] for x0, y0, x1, y1 in BOXES[A]]
    write_label(folder, A, shifted)
    assert told(check.label_faults(folder, manifest), check.label_of(A), "43.0")


@pytest.mark.parametrize(
    "box, words",
    [
        ([40, 60, 47, 150], "under 8 px"),
        ([300, 100, 330, 150], "leaves the picture"),
        ([205, 105, 225, 125], "mostly in another"),
    ],
)
def test_tiny_outer_and_nested_boxes_are_found(made, box, words):
    folder, manifest = made
    manifest[A]["boxes"][0] = box
    write_label(folder, A, manifest[A]["boxes"])
    assert any(words in fault and str(box) in fault for fault in check.label_faults(folder, manifest))


# -------------------------------------------------------------------------------------------------- masks and flames
@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("shift", [-9, 9])
def test_a_box_that_does_not_fit_its_mask_is_found(made, side, shift):
    _, manifest = made
    assert check.mask_faults(manifest) == []
    manifest[A]["boxes"][0][side] += shift
    assert told(check.mask_faults(manifest), A, "not drawn around")


def test_missing_empty_and_broken_masks_are_found(made):
    _, manifest = made
    kept = manifest[A]["masks"]
    manifest[A]["masks"] = kept[:1]
    assert told(check.mask_faults(manifest), A, "2 boxes, but 1 masks")
    manifest[A]["masks"] = [kept[0], masks.pack(np.zeros(SIZE[::-1], bool))]
    assert told(check.mask_faults(manifest), A, "not drawn around")
    manifest[A]["masks"] = [kept[0], kept[1][:-8]]
    assert told(check.mask_faults(manifest), A, "masks.pack")


def test_a_box_on_what_does_not_burn_is_found(made):
    _, manifest = made
    facts = manifest[A]
    assert check.flame_faults(picture(A), facts) == []
    assert told(check.flame_faults(picture(A, facts["boxes"][:1]), facts), str(facts["boxes"][1]))
    half = picture(A, [facts["boxes"][0], [200, 100, 228, 141]])  # nothing burns in the right half of the second box
    assert told(check.flame_faults(half, facts), str(facts["boxes"][1]))
    cold = picture(A)[..., ::-1]
    assert len(check.flame_faults(cold, facts)) == 2


def test_a_forgotten_fire_is_reported():
    assert check.suspects(picture(A), BOXES[A]) == []
    x0, y0, x1, y1 = BOXES[A][1]
    assert np.allclose(check.suspects(picture(A), BOXES[A][:1]), [[x0, y0, x1 - x0, y1 - y0]], atol=1)


# ------------------------------------------------------------------------------------------------ splits and doubles
def test_what_both_splits_share_is_found(made):
    _, manifest = made
    assert check.split_faults(manifest) == []
    manifest[B]["bakes"] = ["val1"]
    assert told(check.split_faults(manifest), "bake val1")
    manifest[B] |= dict(bakes=[], backdrop="val")
    assert told(check.split_faults(manifest), "backdrop val")
    manifest[B]["backdrop"] = "train"
    manifest[C]["bakes"] = []
    assert told(check.split_faults(manifest), C, "no bake")


def test_near_duplicates_are_found_in_spite_of_size_jpeg_and_brightness(made):
    folder, manifest = made
    train, val = (check.part(check.inspect(folder, manifest)[2], split) for split in check.SPLITS)
    assert check.double_faults(check.nearest(train, val)) == []
    assert len(check.nearest(train, val)) == 2 and len(check.nearest(train)) == 1 and check.nearest(val) == []
    copy = cv2.resize(picture(A), (160, 120))
    copy = cv2.imdecode(cv2.imencode(".jpg", copy, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    val[C] = check.perceptual_hash(cv2.convertScaleAbs(copy, alpha=0.7, beta=15))
    pairs = check.nearest(train, val)
    assert pairs[0][1:] == (A, C) and told(check.double_faults(pairs), A, C)


def test_a_picture_of_another_size_is_found(made):
    folder, manifest = made
    save(folder, manifest, B, picture(B)[:200])
    assert told(check.inspect(folder, manifest)[0], B, "320 x 240")
