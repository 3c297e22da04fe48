"""RandAugment in TensorFlow, as the study's code has it: a chain of conditions, one op of 16 a layer.

After `distort_image_with_randaugment` of big_vision, with TensorFlow's own kernel in place of those of TensorFlow
Addons, which is the same and no longer published. The peer of `scripts/bench data`; not held against anything.
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


def cutout(image, half, side):
    y, x = (tf.random.uniform([], 0, side, tf.int32) for _ in range(2))
    rows, columns = tf.range(side)[:, None, None], tf.range(side)[None, :, None]
    covered = (rows >= y - half) & (rows < y + half) & (columns >= x - half) & (columns < x + half)
    return tf.where(covered, tf.constant(128, tf.uint8), image)


def randaugment(image, layers, magnitude, side):
    level = magnitude / 10
    factor = level * 1.8 + 0.1

    def signed(value):
        return tf.where(tf.random.uniform([]) < 0.5, value, -value)

    def solarize(threshold):
        return lambda im: tf.where(im < tf.constant(threshold % 256, tf.uint8), im, 255 - im)

    def solarize_add(addition):
        def op(im):
            added = tf.cast(tf.clip_by_value(tf.cast(im, tf.int32) + addition, 0, 255), tf.uint8)
            return tf.where(im < 128, added, im)

        return op

    def posterize(im):
        shift = tf.constant(min(7, 8 - int(level * 4)), tf.uint8)
        return tf.bitwise.left_shift(tf.bitwise.right_shift(im, shift), shift)

    ops = [
        autocontrast,
        equalize,
        lambda im: 255 - im,
        lambda im: transform(im, rotation(signed(level * 30 * math.pi / 180), side)),
        posterize,
        solarize(int(level * 256)),
        lambda im: blend(grey(im), im, factor),
        lambda im: contrast(im, factor),
        lambda im: blend(tf.zeros_like(im), im, factor),
        lambda im: sharpness(im, factor),
        lambda im: transform(im, tf.stack([1.0, signed(level * 0.3), 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])),
        lambda im: transform(im, tf.stack([1.0, 0.0, 0.0, signed(level * 0.3), 1.0, 0.0, 0.0, 0.0])),
        lambda im: transform(im, tf.stack([1.0, 0.0, signed(level * 100.0), 0.0, 1.0, 0.0, 0.0, 0.0])),
        lambda im: transform(im, tf.stack([1.0, 0.0, 0.0, 0.0, 1.0, signed(level * 100.0), 0.0, 0.0])),
        lambda im: cutout(im, int(level * 40), side),
        solarize_add(int(level * 110)),
    ]
    for _ in range(layers):
        chosen = tf.random.uniform([], 0, len(ops), tf.int32)
        image = tf.switch_case(chosen, [lambda op=op, im=image: op(im) for op in ops])
        image.set_shape([side, side, 3])
    return image
