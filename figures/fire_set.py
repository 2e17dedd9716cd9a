"""The fire set at a glance: a sheet of pictures with their boxes, and how its boxes are spread."""

import hashlib
import importlib.util
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw

DATASETS = Path(importlib.util.find_spec("modules").origin).parents[1] / "datasets"  # a copy of this file finds it too
FIRE = DATASETS / "fire"
sys.path.insert(0, str(DATASETS / "render"))
import check  # noqa: E402

COLUMNS, TILE = 10, (176, 132)  # pixels
BOXED, WITHOUT = 100, 20
CYAN, INK, COLOURS = "#00e5ff", "#1f2933", {"train": "#2f6fa8", "val": "#e08a2e"}


def spread(things, number):
    """So many of them, evenly spaced."""
    return [things[n] for n in np.linspace(0, len(things) - 1, min(number, len(things))).round().astype(int)]


def tile(name, boxes):
    """One picture in the middle of a dark tile, with its boxes."""
    small = Image.open(FIRE / name).convert("RGB")
    width = small.width
    small.thumbnail((TILE[0] - 2, TILE[1] - 2), Image.LANCZOS)
    draw = ImageDraw.Draw(small)
    for box in boxes:
        x0, y0, x1, y1 = (side * small.width / width for side in box)
        draw.rectangle([x0 - 1, y0 - 1, x1, y1], outline=CYAN)
    framed = Image.new("RGB", TILE, INK)
    framed.paste(small, ((TILE[0] - small.width) // 2, (TILE[1] - small.height) // 2))
    return framed


def sheet(manifest):
    """Pictures with fire, then some without, training before validation."""
    names = [name for split in check.SPLITS for name in check.part(manifest, split)]
    shown = spread([name for name in names if manifest[name]["boxes"]], BOXED)
    shown += spread([name for name in names if not manifest[name]["boxes"]], WITHOUT)
    page = Image.new("RGB", (COLUMNS * TILE[0], -(-len(shown) // COLUMNS) * TILE[1]), INK)
    for n, name in enumerate(shown):
        page.paste(tile(name, manifest[name]["boxes"]), (n % COLUMNS * TILE[0], n // COLUMNS * TILE[1]))
    return page


def bars(ax, title, counts):
    """Share of each value in training and in validation: {value: (training, validation)}."""
    totals = np.maximum(1, np.sum(list(counts.values()), 0))
    for n, split in enumerate(check.SPLITS):
        heights = [100 * pair[n] / totals[n] for pair in counts.values()]
        ax.bar(np.arange(len(counts)) + 0.4 * n - 0.2, heights, 0.4, color=COLOURS[split], label=split)
    steep = len(counts) > 10  # slanted names would run into each other
    names = dict(rotation=90) if steep else dict(rotation=35, ha="right")
    ax.set_xticks(range(len(counts)), [str(value) for value in counts], fontsize=9, **names)
    ax.set(title=title, ylabel="%")


def coverage(manifest):
    """How often each place of a picture lies in a box: (60, 60), shares of all pictures with fire."""
    grid, side = np.zeros((60, 60)), 60
    burning = [facts for facts in manifest.values() if facts["boxes"]]
    for facts in burning:
        covered = np.zeros_like(grid)
        for box in facts["boxes"]:
            x0, y0, x1, y1 = np.round(side * np.array(box) / np.tile(facts["size"], 2)).astype(int)
            covered[y0 : y1 + 1, x0 : x1 + 1] = 1
        grid += covered
    return grid / max(1, len(burning))


def numbers(manifest):
    figure, axes = plt.subplots(2, 3, figsize=(15, 8.6), dpi=80, layout="constrained")
    bars(axes[0, 0], "box area, % of the picture", check.areas(manifest))
    bars(axes[0, 1], "fires in a picture", check.fires(manifest))
    bars(axes[1, 0], "kind of scene, % of the pictures", check.count(manifest, lambda facts: [facts["kind"]]))
    bars(axes[1, 1], "light, % of the pictures", check.count(manifest, lambda facts: [facts["mood"]]))
    axes[0, 0].legend()
    seen = axes[0, 2].imshow(100 * coverage(manifest), cmap="magma", extent=(0, 1, 1, 0))
    axes[0, 2].set(title="where boxes lie: % of the pictures with fire", xticks=[], yticks=[])
    figure.colorbar(seen, ax=axes[0, 2])
    for split, colour in COLOURS.items():
        sides = [
            (100 * (x1 - x0) / facts["size"][0], 100 * (y1 - y0) / facts["size"][1])
            for facts in check.part(manifest, split).values()
            for x0, y0, x1, y1 in facts["boxes"]
        ]
        axes[1, 2].scatter(*np.reshape(sides, (-1, 2)).T, s=9, color=colour, alpha=0.6, label=split)
    ticks = [1, 3, 10, 30, 100]
    axes[1, 2].set(title="boxes", xlabel="width, % of the picture", ylabel="height, %", xscale="log", yscale="log")
    axes[1, 2].set_xticks(ticks, ticks)
    axes[1, 2].set_yticks(ticks, ticks)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    here, listed = Path(__file__), FIRE / "manifest.json"
    # Tests compare these with the files, and so find drawings that are older than their code or their data.
    source, data = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (here, listed))
    manifest = check.load(FIRE)
    sheet(manifest).save(here.with_suffix(".jpg"), quality=80, comment=source + data)
    numbers(manifest).savefig(here.with_suffix(".png"), metadata={"Source": source, "Data": data})
