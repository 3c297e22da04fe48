"""Holds reference.py against TensorFlow's own kernels; prints the number of differing pixels.
Then draws 20,000 crops per image size from TensorFlow and writes their quantiles to crops.txt.

Run once by hand (tensorflow-cpu 2.13.1, tensorflow-addons 0.21.0, NumPy 1.23.5), with
TF_ENABLE_ONEDNN_OPTS=0: oneDNN, off by default until TensorFlow 2.9, fuses multiply and add in the
convolution of Sharpness and so rounds some pixels differently.
"""

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import reference as ref
import tensorflow as tf
import tensorflow_addons as tfa


def grayscale():
    low, high = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    for r in range(256):
        image = np.stack([np.full_like(low, r), low, high], -1)
        yield tf.image.rgb_to_grayscale(image).numpy(), ref.gray(image)


def images():
    rng = np.random.default_rng(1)
    for shape in ((224, 224, 3), (28, 28, 3), (33, 50, 3)):
        yield rng.integers(0, 256, shape, dtype=np.uint8)
        yield ref.pattern(*shape)


def smoothing():
    kernel = tf.tile(tf.constant([[1, 1, 1], [1, 5, 1], [1, 1, 1]], tf.float32)[..., None, None] / 13.0, [1, 1, 3, 1])
    for image in images():
        smooth = tf.nn.depthwise_conv2d(image[None].astype(np.float32), kernel, [1] * 4, "VALID")[0]
        yield tf.cast(tf.clip_by_value(smooth, 0.0, 255.0), tf.uint8).numpy(), ref.sharpness(image, 0.0)[1:-1, 1:-1]


def geometry():
    def filled(op, image):
        image = np.concatenate([image, np.ones_like(image[..., :1])], -1)
        image = op(tf.constant(image)).numpy()
        return np.where(image[..., 3:] == 0, np.uint8(128), image[..., :3])

    for image in images():
        for m in (10, 15, 20):
            for s in (1, -1):
                level = s * m / 10
                radians = tf.constant(level * 30) * (np.pi / 180)
                yield filled(lambda im: tfa.image.rotate(im, radians), image), ref.rotate(image, level * 30)
                shear = level * 0.3
                yield filled(lambda im: tfa.image.transform(im, [1, shear, 0, 0, 1, 0, 0, 0]), image), ref.shear_x(image, shear)
                yield filled(lambda im: tfa.image.transform(im, [1, 0, 0, shear, 1, 0, 0, 0]), image), ref.shear_y(image, shear)
                for pixels in (level * 100, level * 12.5):
                    yield filled(lambda im: tfa.image.translate(im, [-pixels, 0]), image), ref.translate_x(image, pixels)
                    yield filled(lambda im: tfa.image.translate(im, [0, -pixels]), image), ref.translate_y(image, pixels)


def posterize():
    image = ref.pattern(28, 28, 3)
    for bits in (0, 1, 4, 6, 8, 10, 12):
        shift = 8 - bits
        shifted = tf.bitwise.left_shift(tf.bitwise.right_shift(image, shift), shift)
        yield shifted.numpy(), ref.posterize(image, bits)


def resize(method, reference):
    for image in images():
        for size in ((224, 224), (28, 28), (37, 19), (256, 300)):
            image = image[: max(8, image.shape[0] - 3)]
            out = tf.image.resize(image, size, method=method)
            yield tf.cast(tf.clip_by_value(out, 0, 255), tf.uint8).numpy(), reference(image, *size)


CHECKS = {
    "grayscale": grayscale,
    "smoothing": smoothing,
    "geometry": geometry,
    "posterize": posterize,
    "bilinear": lambda: resize("bilinear", ref.bilinear),
    "area": lambda: resize("area", ref.area),
}

for name, check in CHECKS.items():
    differing = total = 0
    for expected, found in check():
        assert expected.shape == found.shape, (expected.shape, found.shape)
        differing += np.count_nonzero(expected != found)
        total += expected.size
    print(f"{name}: {differing} of {total} values differ")


def crops():
    tf.random.set_seed(0)
    for width, height in ((500, 375), (28, 28), (300, 900)):
        draw = tf.function(
            lambda index: tf.concat(
                tf.image.sample_distorted_bounding_box(
                    [height, width, 3],
                    tf.zeros([0, 0, 4]),
                    min_object_covered=0,
                    area_range=(0.05, 1.0),
                    aspect_ratio_range=(0.75, 1.33),
                    use_image_if_no_bounding_boxes=True,
                )[:2],
                0,
            )
        )
        y, x, _, h, w, _ = tf.map_fn(draw, tf.range(20_000)).numpy().T
        for name, values in (("area", w * h), ("height", h), ("width", w), ("top", y), ("left", x)):
            quantiles = np.quantile(values, np.arange(21) / 20, method="inverted_cdf")
            yield " ".join(map(str, [width, height, name, *quantiles.astype(int)]))


with open("crops.txt", "w") as file:
    file.write("\n".join(crops()) + "\n")
