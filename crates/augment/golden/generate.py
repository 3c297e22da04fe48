"""Writes the reference results the Rust tests compare with, as CRC-32 of the output's bytes.

    python generate.py         (Python 3.11, NumPy 2.4.6, Pillow 13.0.0)

ops.txt      kind height width channels op magnitude sign [centre-y centre-x] crc
resizes.txt  kind height width channels method out-height out-width crc

Every image comes from reference.pattern. Arguments of an op are those at resolution = width.
Before anything is written, the ops that Pillow has too are held against Pillow.
"""

import zlib
from pathlib import Path

import numpy as np
import reference as ref
from PIL import Image, ImageOps

HERE = Path(__file__).parent
IMAGES = [
    (0, 224, 224, 3),
    (0, 384, 384, 3),
    (0, 32, 32, 3),
    (0, 28, 28, 1),
    (0, 29, 37, 3),
    (1, 32, 32, 3),
    (2, 32, 32, 3),
    (0, 2, 2, 1),
    (0, 1, 1, 3),
]
RESIZES = [
    (0, 224, 224, 3, 28, 28),
    (0, 375, 500, 3, 224, 224),
    (0, 6, 9, 1, 28, 28),
    (0, 28, 28, 1, 56, 56),
    (0, 32, 32, 3, 32, 32),
    (0, 1, 1, 3, 5, 5),
    (0, 97, 13, 3, 20, 33),
]
EVALUATIONS = [
    (0, 375, 500, 3, 224, 256),
    (0, 500, 375, 3, 384, 448),
    (0, 28, 28, 1, 56, 64),
    (0, 90, 41, 3, 28, 32),
]


def crc(image):
    return f"{zlib.crc32(np.ascontiguousarray(image).tobytes()):08x}"


def against_pillow():
    for image in (ref.pattern(40, 50, 3), ref.pattern(40, 50, 3, 1)):
        pil = Image.fromarray(image)
        assert (ref.equalize(image) == np.asarray(ImageOps.equalize(pil))).all()
        assert (ref.invert(image) == np.asarray(ImageOps.invert(pil))).all()
        assert (ref.posterize(image, 4) == np.asarray(ImageOps.posterize(pil, 4))).all()
        assert (ref.solarize(image, 128) == np.asarray(ImageOps.solarize(pil, 128))).all()
        apart = ref.auto_contrast(image).astype(int) - np.asarray(ImageOps.autocontrast(pil))
        assert np.abs(apart).max() <= 1, "rounding may differ by one, no more"


def ops():
    for spec in IMAGES:
        image, width = ref.pattern(*spec[1:], spec[0]), spec[2]
        start = " ".join(map(str, spec))
        for magnitude in (0, 10, 15, 20, 30):
            for name, sign, op in ref.ops(magnitude, width):
                yield f"{start} {name} {magnitude} {sign} {crc(op(image))}"
            half = ref.cutout_half(magnitude, width)
            for y, x in ((0, 0), (spec[1] // 3, width // 2), (spec[1] - 1, width - 1)):
                yield f"{start} Cutout {magnitude} 0 {y} {x} {crc(ref.cutout(image, half, y, x))}"


def resizes():
    for kind, h, w, c, out_h, out_w in RESIZES:
        image = ref.pattern(h, w, c, kind)
        for method in (ref.bilinear, ref.area):
            yield f"{kind} {h} {w} {c} {method.__name__} {out_h} {out_w} {crc(method(image, out_h, out_w))}"
    for kind, h, w, c, resolution, small in EVALUATIONS:
        out = ref.evaluate(ref.pattern(h, w, c, kind), resolution, small)
        yield f"{kind} {h} {w} {c} evaluate {resolution} {small} {crc(out)}"


against_pillow()
for name, lines in (("ops.txt", ops()), ("resizes.txt", resizes())):
    (HERE / name).write_text("\n".join(lines) + "\n")
