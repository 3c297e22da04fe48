"""The reference pipeline in NumPy: RandAugment's ops, the inception crop and the two resizes.

Formulas follow TensorFlow's kernels and the RandAugment of TensorFlow's EfficientNet, in float32
and in their order of operations, because every result is truncated to uint8. Images are uint8
[H, W, C] with C = 1 or 3. Written for clarity, not speed; crosscheck.py holds it against
TensorFlow itself, generate.py writes the numbers the Rust tests read.
"""

import math

import numpy as np

F = np.float32


def to_uint8(values):
    """Clips to 0 .. 255 and truncates."""
    return np.clip(values, 0, 255).astype(np.uint8)


def blend(degenerate, image, factor):
    degenerate, image = degenerate.astype(F), image.astype(F)
    return to_uint8(degenerate + F(factor) * (image - degenerate))


def auto_contrast(image):
    out = image.copy()
    for c in range(image.shape[2]):
        low, high = F(image[..., c].min()), F(image[..., c].max())
        if high > low:
            scale = F(255) / (high - low)
            out[..., c] = to_uint8(image[..., c].astype(F) * scale + (-low * scale))
    return out


def equalize(image):
    out = image.copy()
    for c in range(image.shape[2]):
        histogram = np.bincount(image[..., c].ravel(), minlength=256)
        nonzero = histogram[histogram > 0]
        step = (nonzero.sum() - nonzero[-1]) // 255
        if step > 0:
            lut = (np.cumsum(histogram) + step // 2) // step
            lut = np.clip(np.concatenate([[0], lut[:-1]]), 0, 255)
            out[..., c] = lut[image[..., c]]
    return out


def invert(image):
    return 255 - image


def posterize(image, bits):
    shift = 8 - bits if 1 <= bits <= 8 else 7  # Beyond 8 bits it wraps in uint8; TensorFlow clamps it.
    return (image >> shift) << shift


def solarize(image, threshold):
    return np.where(image < threshold % 256, image, 255 - image)


def solarize_add(image, addition):
    return np.where(image < 128, np.clip(image.astype(int) + addition, 0, 255), image).astype(np.uint8)


def gray(image):
    if image.shape[2] == 1:
        return image
    r, g, b = (image[..., c].astype(F) * F(1 / 255) for c in range(3))
    luma = (r * F(0.2989) + g * F(0.587)) + b * F(0.114)
    return (luma * F(255.5)).astype(np.uint8)[..., None]


def color(image, factor):
    return blend(np.broadcast_to(gray(image), image.shape), image, factor)


def contrast(image, factor):
    constant = min(F(image.shape[0] * image.shape[1]) / F(256), F(255))
    return blend(np.full_like(image, np.uint8(constant)), image, factor)


def brightness(image, factor):
    return blend(np.zeros_like(image), image, factor)


def sharpness(image, factor):
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], F) / F(13)
    h, w, _ = image.shape
    smooth = image.copy()
    if h > 2 and w > 2:
        total = np.zeros((h - 2, w - 2, image.shape[2]), F)
        for i in range(3):
            for j in range(3):
                total = total + image[i : i + h - 2, j : j + w - 2].astype(F) * kernel[i, j]
        smooth[1:-1, 1:-1] = to_uint8(total)
    return blend(smooth, image, factor)


def transform(image, a, b, c, d, e, f):
    """Output (x, y) shows the source's (ax + by + c, dx + ey + f), nearest, 128 outside."""
    h, w, _ = image.shape
    a, b, c, d, e, f = (F(v) for v in (a, b, c, d, e, f))
    x, y = np.arange(w, dtype=F)[None], np.arange(h, dtype=F)[:, None]
    half_away = lambda v: (np.sign(v) * np.floor(np.abs(v.astype(float)) + 0.5)).astype(int)
    sx, sy = half_away((a * x + b * y) + c), half_away((d * x + e * y) + f)
    inside = (sx >= 0) & (sx < w) & (sy >= 0) & (sy < h)
    shown = image[np.clip(sy, 0, h - 1), np.clip(sx, 0, w - 1)]
    return np.where(inside[..., None], shown, np.uint8(128))


def rotation(image, degrees):
    h, w, _ = image.shape
    radians = F(degrees) * F(math.pi / 180)
    c, s = F(math.cos(radians)), F(math.sin(radians))
    w1, h1 = F(w - 1), F(h - 1)
    x0, y0 = (w1 - (c * w1 - s * h1)) / F(2), (h1 - (s * w1 + c * h1)) / F(2)
    return c, -s, x0, s, c, y0


def rotate(image, degrees):
    return transform(image, *rotation(image, degrees))


def shear_x(image, level):
    return transform(image, 1, level, 0, 0, 1, 0)


def shear_y(image, level):
    return transform(image, 1, 0, 0, level, 1, 0)


def translate_x(image, pixels):
    return transform(image, 1, 0, pixels, 0, 1, 0)


def translate_y(image, pixels):
    return transform(image, 1, 0, 0, 0, 1, pixels)


def cutout(image, half, center_y, center_x):
    out = image.copy()
    rows = slice(max(0, center_y - half), center_y + half)
    out[rows, max(0, center_x - half) : center_x + half] = 128
    return out


def ops(magnitude, resolution):
    """Every op as (name, sign or 0, function); cutout has its own arguments."""
    level = magnitude / 10
    factor = level * 1.8 + 0.1
    pixels = level * (100 * resolution / 224)
    table = [
        ("AutoContrast", 0, auto_contrast),
        ("Equalize", 0, equalize),
        ("Invert", 0, invert),
        ("Posterize", 0, lambda im: posterize(im, int(level * 4))),
        ("Solarize", 0, lambda im: solarize(im, int(level * 256))),
        ("Color", 0, lambda im: color(im, factor)),
        ("Contrast", 0, lambda im: contrast(im, factor)),
        ("Brightness", 0, lambda im: brightness(im, factor)),
        ("Sharpness", 0, lambda im: sharpness(im, factor)),
        ("SolarizeAdd", 0, lambda im: solarize_add(im, int(level * 110))),
    ]
    for sign in (1, -1):
        table += [
            ("Rotate", sign, lambda im, s=sign: rotate(im, s * level * 30)),
            ("ShearX", sign, lambda im, s=sign: shear_x(im, s * level * 0.3)),
            ("ShearY", sign, lambda im, s=sign: shear_y(im, s * level * 0.3)),
            ("TranslateX", sign, lambda im, s=sign: translate_x(im, s * pixels)),
            ("TranslateY", sign, lambda im, s=sign: translate_y(im, s * pixels)),
        ]
    return table


def cutout_half(magnitude, resolution):
    return int(magnitude / 10 * (40 * resolution / 224))


def bilinear(image, height, width):
    """TensorFlow 2's ResizeBilinear: half-pixel centres, two taps, no antialiasing."""

    def taps(out_size, in_size):
        scale = F(in_size) / F(out_size)
        at = (np.arange(out_size, dtype=F) + F(0.5)) * scale - F(0.5)
        floor = np.floor(at)
        low = np.maximum(floor, 0).astype(int)
        high = np.minimum(np.ceil(at), in_size - 1).astype(int)
        return low, high, at - floor

    y0, y1, fy = taps(height, image.shape[0])
    x0, x1, fx = taps(width, image.shape[1])
    fx, fy = fx[None, :, None], fy[:, None, None]
    image = image.astype(F)
    row = lambda y: image[y][:, x0] + (image[y][:, x1] - image[y][:, x0]) * fx
    top, bottom = row(y0), row(y1)
    return to_uint8(top + (bottom - top) * fy)


def area(image, height, width):
    """TensorFlow's ResizeArea: a box filter with fractional edges."""

    def boxes(out_size, in_size):
        scale, result = F(in_size) / F(out_size), []
        for i in range(out_size):
            start, end = F(i) * scale, F(i + 1) * scale
            taps = []
            for j in range(int(np.floor(start)), int(np.ceil(end))):
                if j < start:
                    weight = scale if j + 1 > end else F(j + 1) - start
                else:
                    weight = end - F(j) if j + 1 > end else F(1)
                taps.append((min(j, in_size - 1), weight))
            result.append(taps)
        return scale, result

    y_scale, y_boxes = boxes(height, image.shape[0])
    x_scale, x_boxes = boxes(width, image.shape[1])
    scale = F(1.0 / float(y_scale * x_scale))
    source = image.astype(F)
    out = np.zeros((height, width, image.shape[2]), F)
    for y, y_taps in enumerate(y_boxes):
        for x, x_taps in enumerate(x_boxes):
            total = np.zeros(image.shape[2], F)
            for j, y_weight in y_taps:
                line = np.zeros(image.shape[2], F)
                for i, x_weight in x_taps:
                    line = line + source[j, i] * x_weight
                total = total + line * y_weight
            out[y, x] = total * scale
    return to_uint8(out)


def evaluate(image, resolution, small):
    """resize_small(small) and central_crop(resolution)."""
    h, w, _ = image.shape
    factor = F(small) / F(min(h, w))
    image = area(image, int(np.rint(F(h) * factor)), int(np.rint(F(w) * factor)))
    top, left = (image.shape[0] - resolution) // 2, (image.shape[1] - resolution) // 2
    return image[top : top + resolution, left : left + resolution]


def pattern(height, width, channels, kind=0):
    """A test image made of integers alone, so that the Rust tests can make the same one.

    Kind 0 has gradients, edges and noise within 16 .. 239 (each channel its own range), kind 1 has
    two values, kind 2 has one.
    """
    y, x, c = np.meshgrid(
        np.arange(height, dtype=np.uint32),
        np.arange(width, dtype=np.uint32),
        np.arange(channels, dtype=np.uint32),
        indexing="ij",
    )
    noise = (y * np.uint32(73856093)) ^ (x * np.uint32(19349663)) ^ (c * np.uint32(83492791))
    noise = (noise * np.uint32(2654435761)) >> np.uint32(24)
    if kind == 1:
        return (40 + (noise & 1) * 150).astype(np.uint8)
    if kind == 2:
        return np.full((height, width, channels), 77, np.uint8)
    ramp = (x * 90) // width + (y * 60) // height
    edge = ((x // 5 + y // 7 + c) % 3) * 20
    return (16 + 6 * c + ramp + edge + noise % 20).astype(np.uint8)
