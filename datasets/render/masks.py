"""A fire's mask as a short text: cells of 8 x 8 pixels, each set where any of its pixels burns."""

import base64
import zlib

import numpy as np

CELL = 8  # pixels


def pack(mask):
    """(H, W) bool -> text. What is kept is which cells burn, not which pixels."""
    height, width = mask.shape
    padded = np.pad(np.asarray(mask, bool), ((0, -height % CELL), (0, -width % CELL)))
    cells = padded.reshape(padded.shape[0] // CELL, CELL, -1, CELL).any((1, 3))
    return base64.b64encode(zlib.compress(np.packbits(cells).tobytes(), 9)).decode()


def unpack(text, width, height):
    """Text -> (height, width) bool in pixels, whole cells set."""
    rows, cols = -(-height // CELL), -(-width // CELL)
    try:
        packed = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), np.uint8)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"{text[:40]!r} is no packed mask ({error}): make it with masks.pack") from error
    if len(packed) != -(-rows * cols // 8):
        raise ValueError(
            f"the mask holds {8 * len(packed)} cells, a picture of {width} x {height} px has {rows * cols}: "
            "give the size of the picture that it was packed for"
        )
    cells = np.unpackbits(packed, count=rows * cols).reshape(rows, cols).astype(bool)
    return cells.repeat(CELL, 0).repeat(CELL, 1)[:height, :width]
