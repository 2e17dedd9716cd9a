"""A stock model of Ultralytics with another backbone: the same neck and head, its row numbers counted anew.

`python -m modules graft yolo11n.yaml EMO_1M` prints such a model. The course's own are written by `make models`.
"""

from copy import deepcopy

import yaml
from ultralytics.nn import tasks

from ..registry import MODEL_FOLDERS, REGISTERED, ModelError, is_backbone

MAPS = {4: 1, 8: 2, 16: 3, 32: 4}  # a backbone's row is 0; its maps P2 to P5 count as the next four
AFTER = ("SPPF", "PSA", "C2PSA")  # rows that stock backbones end with, and that stay behind a new one
SHIPPED = {
    "TinyNet": "TinyNet",
    "EMO": "EMO_1M",
    "RepViT": "repvit_m0_9",
    "FasterNet": "FasterNet",
    "RevColV1": "revcol_tiny",
}


def strides(rows: list[list]) -> list[int]:
    """The stride after each row of a stock backbone, whose rows [c, kernel, 2] halve the map."""
    found, stride = [], 1
    for *_, arguments in rows:
        halves = len(arguments) > 2 and type(arguments[1]) is int and arguments[2] == 2
        found.append(stride := stride * 2 if halves else stride)
    return found


def graft(stock: dict, backbone: str) -> dict:
    """`stock`, as `yaml_model_load` reads it, with a registered backbone in the place of its own.

    Raises:
        ModelError: the backbone is not registered, or the stock backbone is not of the usual kind.
    """
    names = [name for name, entry in REGISTERED.items() if entry.is_backbone]
    if backbone not in names:
        raise ModelError(f"'{backbone}' is no registered backbone. Registered are {', '.join(names)}.")
    if any(is_backbone(row[2]) for row in stock["backbone"]):
        raise ModelError("it has a backbone of ours already; write another class into its first row.")
    model = {key: value for key, value in deepcopy(stock).items() if key not in ("scale", "yaml_file")}
    old = model["backbone"]
    after = len(old)
    while old[after - 1][2] in AFTER:
        after -= 1
    row_strides = strides(old)
    if row_strides[-1] != 32:
        raise ModelError(
            f"the backbone of this model ends at stride {row_strides[-1]}; ours have maps up to stride 32."
        )
    kept = old[after:]
    if kept and kept[0][2] != "SPPF":  # the others take no change of channels
        kept.insert(0, [-1, 1, "Conv", [kept[0][3][0], 1]])
    model["backbone"] = [[-1, 1, backbone, ["width"]], *kept]
    shift = 5 + len(kept) - len(old)

    def moved(row: int, reader: int) -> int:
        row = row if row >= 0 else reader + row
        if row >= after:
            return row + shift
        if row_strides[row] not in MAPS:
            raise ModelError(f"row {reader} reads a map at stride {row_strides[row]}; ours have 4, 8, 16 and 32.")
        return MAPS[row_strides[row]]

    for reader, row in enumerate(model["head"], len(old)):
        rows = [f if f == -1 else moved(f, reader) for f in (row[0] if isinstance(row[0], list) else [row[0]])]
        row[0] = rows if isinstance(row[0], list) else rows[0]
    return model


def flow(value) -> str:
    """A value of a model as YAML writes it in one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return "null" if value is None else str(value)


def as_yaml(model: dict, *title: str) -> str:
    """The text of a grafted model, each row with its number."""
    first, *others = model["backbone"]
    places = "its maps are 1 = P2/4, 2 = P3/8, 3 = P4/16, 4 = P5/32"
    lines = [f"# {line}" for line in title]
    for key, value in model.items():
        if key == "scales":
            lines.append("scales: # [depth, width, max_channels]")
            lines += [f"  {name}: [{d:.2f}, {w:.2f}, {c}]" for name, (d, w, c) in value.items()]
        elif key not in ("backbone", "head"):
            lines.append(f"{key}: {flow(value)}")
    lines += ["", "backbone:", "  # [from, repeats, module, arguments]", f"  - {flow(first)} # 0 to 4: {places}"]
    lines += [f"  - {flow(row)} # {i}" for i, row in enumerate(others, 5)]
    lines += ["", "head:"]
    for i, row in enumerate(model["head"], 5 + len(others)):
        read = [f"P{f + 1}" for f in (row[0] if isinstance(row[0], list) else [row[0]]) if 1 <= f <= 4]
        lines.append(f"  - {flow(row)} # {i}{', reads ' + ' and '.join(read) if read else ''}")
    text = "\n".join(lines) + "\n"
    assert yaml.safe_load(text) == model, "this model cannot be written in this form"
    return text


def grafted(stock: str, backbone: str) -> str:
    """The text of a stock model, such as yolo11n.yaml or yolov8s-seg.yaml, with a registered backbone.

    Raises:
        ModelError: there is no such model or backbone, or the two do not fit.
    """
    try:
        model = tasks.yaml_model_load(stock)
    except FileNotFoundError:
        raise ModelError(
            f"Ultralytics has no model '{stock}'. It has yolo11n.yaml, yolov8n-seg.yaml and more."
        ) from None
    return as_yaml(
        graft(model, backbone),
        f"{stock} with {backbone} as its backbone, written by: python -m modules graft {stock} {backbone}",
        "In the name of a model, a letter after the number chooses the scale: yolo11-Mine.yaml is built as yolo11n-Mine.yaml.",
        "[width] follows the scale. [] in its place is the size that the backbone's authors publish.",
    )


def main() -> None:
    """Write the course's own models."""
    for name, backbone in SHIPPED.items():
        path = MODEL_FOLDERS[-1] / f"yolo11-{name}.yaml"
        path.write_text(grafted("yolo11.yaml", backbone), encoding="utf-8", newline="\n")
        print(path.name)


if __name__ == "__main__":
    main()
