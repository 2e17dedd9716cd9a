"""trace() prints what a model's rows really do."""

import pytest

from modules.registry import ModelError
from modules.trace import model_rows, trace


def test_rows_of_a_model_with_a_backbone():
    rows = model_rows("yolo11n-TinyNet.yaml", imgsz=320)
    assert [row.index for row in rows] == list(range(20))
    backbone, p2, p3, p4, p5, sppf = rows[:6]
    assert backbone.inputs == [(3, 320, 320)] and len(backbone.outputs) == 4 and backbone.stride is None
    assert [row.stride for row in (p2, p3, p4, p5)] == [4, 8, 16, 32]
    assert p3.outputs == [(32, 40, 40)] and p3.parameters == 0
    assert sppf.inputs == [(128, 10, 10)] and sppf.outputs == [(256, 10, 10)]
    assert rows[8].inputs == [(256, 20, 20), (64, 20, 20)], "a Concat shows both its inputs"
    assert sum(row.parameters for row in rows) == 1_661_184


def test_stock_model():
    rows = model_rows("yolo11n.yaml", imgsz=64)
    assert [row.stride for row in rows[:3]] == [2, 4, 4] and rows[-1].module == "Detect"


def test_table(capsys):
    trace("yolo11n-TinyNet.yaml", imgsz=320)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 20 + 1
    assert "320" in lines[-1] and "1,661,184 parameters" in lines[-1]
    assert "32x40x40" in lines[3]


def test_wrong_model_names_the_row(tmp_path):
    (tmp_path / "yolo11n-Wrong.yaml").write_text(
        "nc: 1\nbackbone:\n- [-1, 1, Conv, [16, 3, 2]]\nhead:\n- [-1, 1, Cnov, [16, 3, 2]]\n"
    )
    with pytest.raises(ModelError, match="yolo11n-Wrong.yaml: row 1 .*unknown module 'Cnov'. Did you mean Conv"):
        trace(str(tmp_path / "yolo11n-Wrong.yaml"))


@pytest.mark.parametrize("imgsz", [-1, 0, 33, 640.0, "640", True, None, [64]])
def test_sizes_that_no_picture_has(imgsz):
    with pytest.raises(ValueError, match="give a multiple of 32 pixels"):
        trace("yolo11n-TinyNet.yaml", imgsz=imgsz)
