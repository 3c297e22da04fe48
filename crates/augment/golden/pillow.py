"""What Pillow makes of the test images of reference.py: writes pillow.txt, which the Rust tests read.

Run by hand with Pillow 13.0.0. `crop` and `resize` are what torchvision's RandomResizedCrop calls.
"""

import zlib
from pathlib import Path

import numpy as np
import reference as ref
from PIL import Image

CASES = [
    (375, 500, 3, 0, 0, 375, 500, 224),
    (375, 500, 3, 17, 31, 90, 111, 224),
    (375, 500, 3, 200, 300, 175, 200, 96),
    (28, 28, 1, 3, 4, 20, 9, 28),
    (32, 32, 3, 0, 0, 32, 32, 32),
    (97, 13, 3, 96, 12, 1, 1, 5),
]

lines = []
for height, width, channels, top, left, h, w, side in CASES:
    pixels = ref.pattern(height, width, channels)
    image = Image.fromarray(pixels if channels == 3 else pixels[..., 0])
    out = image.crop((left, top, left + w, top + h)).resize((side, side), Image.Resampling.BILINEAR)
    crc = zlib.crc32(np.ascontiguousarray(np.asarray(out)).tobytes())
    lines.append(f"0 {height} {width} {channels} {top} {left} {h} {w} {side} {crc:08x}")
(Path(__file__).parent / "pillow.txt").write_text("\n".join(lines) + "\n")
