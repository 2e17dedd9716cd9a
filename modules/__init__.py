"""Backbones by Hand. Importing this package makes its classes known to Ultralytics YOLO."""

from pathlib import Path

from .course import start as start  # isort: skip  (before anything that takes long to import)
from .course import threads as threads  # isort: skip  (has to see the environment before Ultralytics changes it)
from .c2f_irmb import C2f_iRMB
from .emo import EMO_1M, EMO_2M, EMO_5M, EMO_6M
from .fasternet import FasterNet, fasternet_l, fasternet_m, fasternet_s, fasternet_t0, fasternet_t1, fasternet_t2
from .irmb import iRMB
from .registry import MODEL_FOLDERS, register
from .repvit import repvit_m0_6, repvit_m0_9, repvit_m1_0, repvit_m1_1, repvit_m1_5, repvit_m2_3
from .revcol import revcol_base, revcol_large, revcol_small, revcol_tiny, revcol_xlarge
from .tinynet import TinyBlock, TinyNet

BACKBONES = (
    TinyNet,
    *(EMO_1M, EMO_2M, EMO_5M, EMO_6M),
    *(repvit_m0_6, repvit_m0_9, repvit_m1_0, repvit_m1_1, repvit_m1_5, repvit_m2_3),
    *(FasterNet, fasternet_t0, fasternet_t1, fasternet_t2, fasternet_s, fasternet_m, fasternet_l),
    *(revcol_tiny, revcol_small, revcol_base, revcol_large, revcol_xlarge),
)
BLOCKS = (TinyBlock, iRMB)
BLOCKS_WITH_REPEATS = (C2f_iRMB,)

__all__ = [cls.__name__ for cls in (*BACKBONES, *BLOCKS, *BLOCKS_WITH_REPEATS)] + ["register"]

MODEL_FOLDERS.append(Path(__file__).parent / "cfg")

for _cls in (*BACKBONES, *BLOCKS):
    register(_cls)
for _cls in BLOCKS_WITH_REPEATS:
    register(_cls, repeats=True)

from .course import yours  # noqa: E402, F401  a notebook's own classes stand in for those that are registered now
