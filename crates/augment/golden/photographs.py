"""What TensorFlow and Pillow make of photographs: writes photographs.txt, which the Rust tests read.

Usage: photographs.py [FOLDER-OF-SKIMAGE-DATA]. With a folder (skimage/data of PyPI's scikit-image 0.26.0) it also
makes photographs/ anew: coffee and chelsea (CC0) and astronaut (NASA, public domain), small, in several formats.

Run by hand with tensorflow-cpu 2.21.0, NumPy 2.4.6 and Pillow 13.0.0 (libjpeg-turbo 3, libwebp 1.6). oneDNN is off, as
in crosscheck.py. The ops are those of scripts/bench.d/data_tf.py: RandAugment in TensorFlow.
"""

import os
import sys
import zlib
from pathlib import Path

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[2] / "scripts/bench.d"))

import data_tf as ops
import numpy as np
import tensorflow as tf
from PIL import Image

FOLDER = HERE / "photographs"
SIDE = 224
# libjpeg's default, and Pillow's; TensorFlow's is the fast one.
DCT = "INTEGER_ACCURATE"
WINDOWS = [(0, 0, 375, 500), (0, 0, 100, 100), (16, 32, 64, 48), (17, 31, 90, 111), (200, 300, 175, 200), (374, 499, 1, 1)]


def make(source: Path) -> None:
    FOLDER.mkdir(exist_ok=True)
    coffee = Image.open(source / "coffee.png").convert("RGB").resize((500, 375), Image.Resampling.LANCZOS)
    chelsea = Image.open(source / "chelsea.png").convert("RGB").resize((225, 150), Image.Resampling.LANCZOS)
    astronaut = Image.open(source / "astronaut.png").convert("RGB").resize((97, 131), Image.Resampling.LANCZOS)
    coffee.save(FOLDER / "coffee.jpg", quality=90)
    chelsea.save(FOLDER / "444.jpg", quality=90, subsampling=0)
    chelsea.save(FOLDER / "422.jpg", quality=85, subsampling=1, restart_marker_blocks=5)
    astronaut.save(FOLDER / "progressive.jpg", quality=80, progressive=True)
    astronaut.convert("L").save(FOLDER / "grey.jpg", quality=90)
    astronaut.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn clockwise to look at it.
    astronaut.save(FOLDER / "turned.jpg", quality=75, exif=exif)
    Image.new("RGB", (1, 1), (10, 200, 30)).save(FOLDER / "1x1.jpg", quality=90)
    small = astronaut.resize((48, 65))
    small.save(FOLDER / "rgb.png")
    small.quantize(15).save(FOLDER / "palette.png")
    transparent = small.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(small.size))
    transparent.save(FOLDER / "rgba.png")
    transparent.convert("LA").save(FOLDER / "la.png")
    deep = np.asarray(small.convert("L")).astype(np.uint16) * 256 + np.arange(48, dtype=np.uint16)
    Image.fromarray(deep).save(FOLDER / "16-bit.png")
    astronaut.save(FOLDER / "lossy.webp", quality=80)
    transparent.save(FOLDER / "lossless.webp", lossless=True)


def crc(image) -> str:
    return f"{zlib.crc32(np.ascontiguousarray(image).tobytes()):08x}"


def decoded(path: Path) -> np.ndarray:
    if path.suffix == ".jpg":
        return tf.io.decode_jpeg(path.read_bytes(), channels=3, dct_method=DCT).numpy()
    image = Image.open(path)
    if image.mode.startswith("I"):
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, -1)
    if image.mode in ("P", "LA"):
        image = image.convert("RGBA")
    return np.asarray(image)[..., :3]


def decodes():
    for path in sorted(FOLDER.iterdir()):
        image = decoded(path)
        yield f"decode {path.name} {image.shape[1]} {image.shape[0]} {crc(image)}"
        if path.suffix == ".jpg" and path.stem != "cmyk":
            grey = tf.io.decode_jpeg(path.read_bytes(), channels=1, dct_method=DCT).numpy()
            yield f"decode-grey {path.name} {grey.shape[1]} {grey.shape[0]} {crc(grey)}"


def crops():
    file = (FOLDER / "coffee.jpg").read_bytes()
    fast = np.abs(tf.io.decode_jpeg(file, channels=3).numpy().astype(int) - decoded(FOLDER / "coffee.jpg"))
    print(f"the fast DCT: {np.count_nonzero(fast)} of {fast.size} values differ, by up to {fast.max()}")
    whole = tf.io.decode_jpeg(file, channels=3, dct_method=DCT).numpy()
    for top, left, height, width in WINDOWS:
        window = whole[top : top + height, left : left + width]
        cropped = tf.io.decode_and_crop_jpeg(file, [top, left, height, width], channels=3, dct_method=DCT).numpy()
        apart = np.abs(window.astype(int) - cropped)
        print(f"decode_and_crop_jpeg {top, left, height, width}: {np.count_nonzero(apart)} values differ, by {apart.max()}")
        small = tf.cast(tf.image.resize(window, [SIDE, SIDE]), tf.uint8).numpy()
        yield f"crop coffee.jpg {top} {left} {height} {width} {crc(window)} {crc(small)}"


def evaluations():
    for name, side, small in (("coffee.jpg", 224, 256), ("coffee.jpg", 384, 448), ("444.jpg", 224, 256), ("grey.jpg", 32, 37)):
        image = decoded(FOLDER / name)
        factor = np.float32(small) / np.float32(min(image.shape[:2]))
        size = [int(np.rint(np.float32(length) * factor)) for length in image.shape[:2]]
        image = tf.cast(tf.image.resize(image, size, "area"), tf.uint8).numpy()
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        yield f"evaluate {name} {side} {crc(image[top : top + side, left : left + side])}"


def distorted():
    image = tf.cast(tf.image.resize(decoded(FOLDER / "coffee.jpg"), [SIDE, SIDE]), tf.uint8)
    for magnitude in (0, 10, 15, 20):
        for name, sign, y, x, out in ops.every(image, magnitude, SIDE):
            yield f"op coffee.jpg {name} {magnitude} {sign} {y} {x} {crc(out.numpy())}"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        make(Path(sys.argv[1]))
    lines = [*decodes(), *crops(), *evaluations(), *distorted()]
    (HERE / "photographs.txt").write_text("\n".join(lines) + "\n")
