"""Put the best finished training of each main model into results/weights/, with the model card."""

from pathlib import Path

from ultralytics import YOLO

from modules.course import results, shipped

from .page import card
from .plan import MODELS
from .run import WORK

SHIPPED = ("yolo11n", "yolo11n-TinyNet", "yolo11n-EMO", "yolo11n-RepViT", "yolo11n-FasterNet", "yolo11n-RevColV1")
LARGEST = 30e6  # bytes, all together


def ship() -> None:
    """Write the weights of all models that have a finished training; say which have none."""
    models = results.trained(SHIPPED)
    for name in SHIPPED:
        if name not in models:
            print(f"{name}: no finished training yet")
            continue
        best = max(models[name].rows, key=lambda row: float(row["mAP50"]))
        weights = checkpoint_of(name, int(best["seed"]))
        if weights is None:
            print(f"{name}: the checkpoint of seed {best['seed']} is not in {WORK.name}/")
            continue
        facts = {"imgsz": int(best["imgsz"]), "seed": int(best["seed"]), "mAP50": float(best["mAP50"])}
        path = shipped.FOLDER / f"{name}.safetensors"
        yolo = YOLO(str(weights))
        shipped.pack(yolo.model, path, confidence=yolo.ckpt.get("confidence"), **facts)
        print(f"{path.name}: seed {best['seed']}, mAP50 {facts['mAP50']:.3f}, {path.stat().st_size / 1e6:.1f} MB")
    size = sum(path.stat().st_size for path in shipped.FOLDER.glob("*.safetensors"))
    if size > LARGEST:
        raise SystemExit(
            f"{size / 1e6:.1f} MB of weights are more than the {LARGEST / 1e6:.0f} MB that are meant for them"
        )
    shipped.FOLDER.mkdir(exist_ok=True)
    (shipped.FOLDER / "README.md").write_text(card(), encoding="utf-8")


def checkpoint_of(name: str, seed: int) -> Path | None:
    """The last epoch's weights of a finished training, the newest where it was trained more than once."""
    found = [*WORK.glob(f"{name}-{seed}/weights/best.pt"), *WORK.glob(f"{name}-{seed}-*/weights/best.pt")]
    return max(found, key=lambda path: path.stat().st_mtime, default=None) if name in MODELS else None
