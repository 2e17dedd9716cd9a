"""After the training: measure the weights, choose a confidence threshold, draw what they find."""

from collections import Counter
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from ultralytics import YOLO
from ultralytics.utils.metrics import box_iou, smooth

from .checkpoints import load_model
from .files import save_figure
from .fire import read_boxes, read_classes, show_labelled, to_corners
from .job import MEASURED, PREDICTED, Job, write_set
from .pictures import BLUE, GREEN, draw_boxes
from .quiet import nothing_fetched, quiet
from .resume import Run, final_weights, read_checkpoint, seal
from .threads import all_cores

SURE = 0.3  # a box found with less counts as no help when the found objects are counted
USUAL = 0.25  # Ultralytics' threshold


def judge(job: Job, folder: Path) -> Run:
    """Measure the weights on validation pictures, store the threshold with them, and draw what they find."""
    pictures = job.parts["val_at_end"]
    data = write_set(folder / "judging.yaml", job.data, train=job.data.pictures["train"], val=pictures)
    yolo = load_model(str(final_weights(folder, job.keep_best)))
    batch = int(yolo.ckpt["train_args"]["batch"])  # as found for batch=-1, or halved where the memory did not suffice
    settings = {"plots": False, **job.only(MEASURED), "batch": batch, "data": data, "verbose": False}
    place = {"project": str(folder.parent), "name": folder.name, "exist_ok": True}
    with quiet(), nothing_fetched(), all_cores():
        box = yolo.val(**settings, **place).box
    scores = {"precision": box.mp, "recall": box.mr, "mAP50": box.map50, "mAP50-95": box.map}
    threshold = job.settings.get("conf") or best_confidence(box)
    seal(folder / "weights" / "best.pt", confidence=threshold)
    picture = Run(folder, {}, 0).picture
    draw_predictions(yolo, pictures, picture, job.only(PREDICTED), threshold)
    found = count_found(box, pictures, single_class=bool(job.settings.get("single_cls")))
    return Run(folder, {name: float(score) for name, score in scores.items()}, len(pictures), threshold, found)


def best_confidence(box) -> float:
    """The confidence threshold with the highest F1, at which Ultralytics gives precision and recall.

    At least 0.05, for a network that has learned nothing; 0.25, as usual, where there was nothing to measure.
    """
    curve = np.asarray(getattr(box, "f1_curve", ()))  # (classes, confidences from 0 to 1); none where nothing was right
    if not curve.size:
        return USUAL
    return max(0.05, float(smooth(curve.mean(0), 0.1).argmax() / (curve.shape[1] - 1)))


def count_found(box, pictures: list[Path], single_class: bool = False) -> tuple[int, int]:
    """How many labelled objects of the measured pictures are found with a confidence of at least `SURE`, and of how many.

    Ultralytics keeps the recall of each class at 1000 confidences from 0 to 1.
    """
    labelled = Counter(0 if single_class else label for picture in pictures for label in read_classes(picture))
    curve = np.asarray(getattr(box, "r_curve", ()))  # none where nothing was right
    if not curve.size:
        return 0, labelled.total()
    recall = curve[:, round(SURE * (curve.shape[1] - 1))]
    counts = np.array([labelled[label] for label in map(int, box.ap_class_index)])
    return round(float(recall @ counts)), int(counts.sum())


def stored_threshold(weights: str) -> float | None:
    """The confidence threshold that was stored with these weights when they were measured; None where there is none."""
    held = read_checkpoint(Path(weights)) if str(weights).endswith(".pt") else None
    return held and held.get("confidence")


def choose_threshold(settings: dict) -> None:
    """Set `conf` to the threshold stored with the weights, unless one was given, and say which it is."""
    if settings.get("conf") is not None:
        return
    if threshold := stored_threshold(settings["model"]):
        settings["conf"] = round(threshold, 3)
        print(f"conf={settings['conf']} (the threshold stored with these weights when they were measured)")
    else:
        print(f"These weights come without a threshold; Ultralytics' usual one is taken ({USUAL}, for track 0.1).")


def spread(pictures: list[Path], count: int) -> list[Path]:
    """At most `count` of the pictures, at equal distances from the first to the last."""
    return [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, count).astype(int))]


def draw_predictions(yolo: YOLO, pictures: list[Path], path: Path, settings: dict, threshold: float, count: int = 12):
    """Write `count` pictures, spread over the set, with the boxes found (and how sure) and those labelled (dashed)."""
    chosen = spread(pictures, count)
    settings = {**settings, "conf": threshold, "verbose": False}
    with quiet(), nothing_fetched(), all_cores():
        found = [yolo.predict(str(picture), **settings)[0] for picture in chosen]
    rows = -(-len(chosen) // 4)
    figure = Figure(figsize=(11, 0.6 + 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 4, squeeze=False).flat
    for ax in axes[len(chosen) :]:
        ax.axis("off")
    right = labelled = 0
    for ax, picture, result in zip(axes, chosen, found):
        corners = show_found(ax, picture, result, threshold)
        height, width = result.orig_shape
        truth = torch.tensor(to_corners(read_boxes(picture), width, height), dtype=torch.float32)
        here = count_matched(truth, corners)
        ax.set_title(f"{picture.name}: " + (f"{here} of {len(truth)}" if len(truth) else "none"), fontsize=11)
        right, labelled = right + here, labelled + len(truth)
    figure.suptitle(
        f"Dashed: {labelled} labelled. Solid: confidence at least {threshold:.2f}, which finds {right} of them."
    )
    save_figure(figure, path)


def show_found(ax, picture: Path, result, threshold: float) -> torch.Tensor:
    """Draw a picture with the boxes found (and how sure), and those labelled (dashed).

    Returns the corners of the drawn boxes, (n, 4) pixels.
    """
    boxes = result.boxes if result.boxes is not None else result.obb
    corners, sure = boxes.xyxy.cpu(), boxes.conf.cpu()
    drawn = sure >= threshold
    draw_boxes(ax, corners[drawn].tolist(), BLUE, [f"{confidence:.2f}" for confidence in sure[drawn].tolist()])
    show_labelled(ax, picture, GREEN, dashed=True)  # last, so that no found box hides a label
    return corners[drawn]


def count_matched(labelled: torch.Tensor, found: torch.Tensor, iou: float = 0.5) -> int:
    """How many of the labelled boxes (n, 4) have a box of `found` (m, 4), one each, that overlaps them by IoU >= `iou`."""
    overlap = box_iou(labelled, found.float())
    count = 0
    while overlap.numel() and overlap.max() >= iou:
        row, column = divmod(int(overlap.argmax()), overlap.shape[1])
        overlap[row], overlap[:, column] = -1, -1
        count += 1
    return count
