"""RandAugment in TensorFlow, as the study's code has it: a chain of conditions, one op of 16 a layer.

After `distort_image_with_randaugment` of big_vision, with TensorFlow's own kernel in place of those of TensorFlow
Addons, which is the same and no longer published. The peer of `scripts/bench data`, and what crates/augment/golden holds
the ops against.
"""

import math

import tensorflow as tf


def blend(degenerate, image, factor):
    degenerate, image = tf.cast(degenerate, tf.float32), tf.cast(image, tf.float32)
    return tf.cast(tf.clip_by_value(degenerate + factor * (image - degenerate), 0.0, 255.0), tf.uint8)


def autocontrast(image):
    def channel(c):
        low, high = tf.cast(tf.reduce_min(c), tf.float32), tf.cast(tf.reduce_max(c), tf.float32)

        def stretched():
            scale = 255.0 / (high - low)
            values = tf.cast(c, tf.float32) * scale - low * scale
            return tf.cast(tf.clip_by_value(values, 0.0, 255.0), tf.uint8)

        return tf.cond(high > low, stretched, lambda: c)

    return tf.stack([channel(image[..., c]) for c in range(3)], -1)


def equalize(image):
    def channel(c):
        values = tf.cast(c, tf.int32)
        histogram = tf.histogram_fixed_width(values, [0, 255], nbins=256)
        nonzero = tf.boolean_mask(histogram, histogram != 0)
        step = (tf.reduce_sum(nonzero) - nonzero[-1]) // 255

        def mapped():
            lut = (tf.cumsum(histogram) + step // 2) // step
            lut = tf.clip_by_value(tf.concat([[0], lut[:-1]], 0), 0, 255)
            return tf.cast(tf.gather(lut, values), tf.uint8)

        return tf.cond(step == 0, lambda: c, mapped)

    return tf.stack([channel(image[..., c]) for c in range(3)], -1)


def grey(image):
    return tf.image.grayscale_to_rgb(tf.image.rgb_to_grayscale(image))


def contrast(image, factor):
    histogram = tf.histogram_fixed_width(tf.cast(tf.image.rgb_to_grayscale(image), tf.int32), [0, 255], nbins=256)
    mean = tf.clip_by_value(tf.reduce_sum(tf.cast(histogram, tf.float32)) / 256.0, 0.0, 255.0)
    return blend(tf.cast(tf.ones_like(image, tf.float32) * mean, tf.uint8), image, factor)


def sharpness(image, factor):
    kernel = tf.constant([[1, 1, 1], [1, 5, 1], [1, 1, 1]], tf.float32, shape=[3, 3, 1, 1]) / 13.0
    smooth = tf.nn.depthwise_conv2d(
        tf.cast(image[None], tf.float32), tf.tile(kernel, [1, 1, 3, 1]), [1] * 4, "VALID"
    )[0]
    smooth = tf.cast(tf.clip_by_value(smooth, 0.0, 255.0), tf.uint8)
    mask = tf.pad(tf.ones_like(smooth), [[1, 1], [1, 1], [0, 0]])
    smooth = tf.where(mask == 1, tf.pad(smooth, [[1, 1], [1, 1], [0, 0]]), image)
    return blend(smooth, image, factor)


def transform(image, matrix):
    with_mask = tf.concat([image, tf.ones_like(image[..., :1])], -1)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=with_mask[None],
        transforms=tf.cast(matrix, tf.float32)[None],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="NEAREST",
        fill_mode="CONSTANT",
    )[0]
    return tf.where(moved[..., 3:] == 0, tf.constant(128, tf.uint8), moved[..., :3])


def rotation(radians, side):
    c, s, end = tf.cos(radians), tf.sin(radians), float(side - 1)
    x, y = (end - (c * end - s * end)) / 2, (end - (s * end + c * end)) / 2
    return tf.stack([c, -s, x, s, c, y, 0.0, 0.0])


def cutout(image, half, side, y, x):
    rows, columns = tf.range(side)[:, None, None], tf.range(side)[None, :, None]
    covered = (rows >= y - half) & (rows < y + half) & (columns >= x - half) & (columns < x + half)
    return tf.where(covered, tf.constant(128, tf.uint8), image)


def solarize(image, threshold):
    return tf.where(image < tf.constant(threshold % 256, tf.uint8), image, 255 - image)


def solarize_add(image, addition):
    added = tf.cast(tf.clip_by_value(tf.cast(image, tf.int32) + addition, 0, 255), tf.uint8)
    return tf.where(image < 128, added, image)


def posterize(image, bits):
    # Beyond the bits of a byte, and for none, TensorFlow clamps the shift.
    shift = tf.constant(8 - bits if 1 <= bits <= 8 else 7, tf.uint8)
    return tf.bitwise.left_shift(tf.bitwise.right_shift(image, shift), shift)


def affine(a=1.0, b=0.0, c=0.0, d=0.0, e=1.0, f=0.0):
    return tf.stack([a, b, c, d, e, f, 0.0, 0.0])


def table(magnitude, side):
    """Name and function of the image and of what is drawn: a sign, and the centre of Cutout."""
    level = magnitude / 10
    factor = level * 1.8 + 0.1
    degrees, shear, pixels = level * 30, level * 0.3, level * 100 * side / 224
    return [
        ("AutoContrast", lambda im, _s, _y, _x: autocontrast(im)),
        ("Equalize", lambda im, _s, _y, _x: equalize(im)),
        ("Invert", lambda im, _s, _y, _x: 255 - im),
        ("Rotate", lambda im, s, _y, _x: transform(im, rotation(s * degrees * (math.pi / 180), side))),
        ("Posterize", lambda im, _s, _y, _x: posterize(im, int(level * 4))),
        ("Solarize", lambda im, _s, _y, _x: solarize(im, int(level * 256))),
        ("Color", lambda im, _s, _y, _x: blend(grey(im), im, factor)),
        ("Contrast", lambda im, _s, _y, _x: contrast(im, factor)),
        ("Brightness", lambda im, _s, _y, _x: blend(tf.zeros_like(im), im, factor)),
        ("Sharpness", lambda im, _s, _y, _x: sharpness(im, factor)),
        ("ShearX", lambda im, s, _y, _x: transform(im, affine(b=s * shear))),
        ("ShearY", lambda im, s, _y, _x: transform(im, affine(d=s * shear))),
        ("TranslateX", lambda im, s, _y, _x: transform(im, affine(c=s * pixels))),
        ("TranslateY", lambda im, s, _y, _x: transform(im, affine(f=s * pixels))),
        ("Cutout", lambda im, _s, y, x: cutout(im, int(level * 40 * side / 224), side, y, x)),
        ("SolarizeAdd", lambda im, _s, _y, _x: solarize_add(im, int(level * 110))),
    ]


def every(image, magnitude, side):
    """Every op with both signs or with three centres: name, sign, y, x and the image it makes."""
    for name, op in table(magnitude, side):
        if name == "Cutout":
            drawn = [(0, 0, 0), (0, side // 3, side // 2), (0, side - 1, side - 1)]
        elif name.startswith(("Rotate", "Shear", "Translate")):
            drawn = [(1, 0, 0), (-1, 0, 0)]
        else:
            drawn = [(0, 0, 0)]
        for sign, y, x in drawn:
            yield name, sign, y, x, op(image, tf.constant(float(sign)), y, x)


def randaugment(image, layers, magnitude, side):
    ops = [op for _, op in table(magnitude, side)]
    for _ in range(layers):
        sign = tf.where(tf.random.uniform([]) < 0.5, 1.0, -1.0)
        y, x = (tf.random.uniform([], 0, side, tf.int32) for _ in range(2))
        chosen = tf.random.uniform([], 0, len(ops), tf.int32)
        branches = [lambda op=op, im=image: op(im, sign, y, x) for op in ops]
        image = tf.switch_case(chosen, branches)
        image.set_shape([side, side, 3])
    return image
