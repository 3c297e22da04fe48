"""The peers of `scripts/bench data`: PEER FOLDER RESOLUTION LAYERS MAGNITUDE THREADS.

Measures once for each line on standard input, which is a number of seconds, and answers with a line: how many images
became float tensors in how many seconds. The files are in memory. torchvision's and timm's transforms run in one
thread whatever THREADS is; two workers are two of these processes.
"""

import io
import os
import random
import sys
import time
from itertools import cycle
from pathlib import Path

AREA, ASPECT = (0.05, 1.0), (0.75, 1.33)


def read(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(Path(folder).glob("*.jpg"))]


def one_by_one(files, prepare):
    """Calls of `prepare` until the time is over."""

    def measure(seconds: float) -> tuple[int, float]:
        done, begin = 0, time.perf_counter()
        for file in cycle(files):
            prepare(file)
            done += 1
            took = time.perf_counter() - begin
            if took >= seconds:
                return done, took

    return measure


def torchvision(folder, resolution, layers, magnitude, _threads):
    from PIL import Image
    from torchvision import transforms as t

    steps = [t.RandomResizedCrop(resolution, AREA, ASPECT), t.RandomHorizontalFlip()]
    if layers:
        steps.append(t.RandAugment(layers, magnitude))
    transform = t.Compose([*steps, t.ToTensor(), t.Normalize([0.5] * 3, [0.5] * 3)])
    return one_by_one(read(folder), lambda file: transform(Image.open(io.BytesIO(file)).convert("RGB")))


def torchvision_small(file, resolution, layers, magnitude, _threads):
    """Images of 32 × 32 pixels as CIFAR's data set class has them: an array each."""
    import numpy as np
    from PIL import Image
    from torchvision import transforms as t

    images = np.fromfile(file, np.uint8).reshape(-1, 32, 32, 3)
    steps = [t.RandomResizedCrop(resolution, AREA, ASPECT), t.RandomHorizontalFlip()]
    if layers:
        steps.append(t.RandAugment(layers, magnitude))
    transform = t.Compose([*steps, t.ToTensor(), t.Normalize([0.5] * 3, [0.5] * 3)])
    return one_by_one(list(images), lambda image: transform(Image.fromarray(image)))


def torchvision_v2(folder, resolution, layers, magnitude, _threads):
    import torch
    from torchvision.io import decode_jpeg
    from torchvision.transforms import v2

    steps = [v2.RandomResizedCrop(resolution, AREA, ASPECT, antialias=True), v2.RandomHorizontalFlip()]
    if layers:
        steps.append(v2.RandAugment(layers, magnitude))
    transform = v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5] * 3, [0.5] * 3)])
    files = [torch.frombuffer(bytearray(file), dtype=torch.uint8) for file in read(folder)]
    return one_by_one(files, lambda file: transform(decode_jpeg(file)))


def timm(folder, resolution, layers, magnitude, _threads):
    from PIL import Image
    from timm.data import create_transform

    transform = create_transform(
        resolution,
        is_training=True,
        scale=AREA,
        ratio=ASPECT,
        auto_augment=f"rand-m{magnitude}-n{layers}" if layers else None,
        color_jitter=None,
        interpolation="bilinear",
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
    )
    return one_by_one(read(folder), lambda file: transform(Image.open(io.BytesIO(file)).convert("RGB")))


def tensorflow(folder, resolution, layers, magnitude, threads):
    """big_vision's pipeline: decode_jpeg_and_inception_crop, flip_lr, randaug, value_range."""
    import tensorflow as tf
    from data_tf import randaugment

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)

    def prepare(file):
        begin, size, _ = tf.image.sample_distorted_bounding_box(
            tf.image.extract_jpeg_shape(file),
            tf.zeros([0, 0, 4], tf.float32),
            min_object_covered=0,
            area_range=AREA,
            aspect_ratio_range=ASPECT,
            use_image_if_no_bounding_boxes=True,
        )
        window = tf.stack([begin[0], begin[1], size[0], size[1]])
        image = tf.io.decode_and_crop_jpeg(file, window, channels=3)
        image = tf.cast(tf.image.resize(image, [resolution] * 2), tf.uint8)
        image = tf.image.random_flip_left_right(image)
        if layers:
            image = randaugment(image, layers, magnitude, resolution)
        return tf.cast(image, tf.float32) / 255.0 * 2.0 - 1.0

    data = tf.data.Dataset.from_tensor_slices(read(folder)).repeat()
    data = data.map(prepare, num_parallel_calls=threads, deterministic=True).batch(16).prefetch(2)
    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    options.threading.max_intra_op_parallelism = 1
    batches = iter(data.with_options(options))
    return batch_by_batch(lambda: len(next(batches)))


def dali(folder, resolution, layers, magnitude, threads):
    from nvidia.dali import fn, pipeline_def, types
    from nvidia.dali.auto_aug import rand_augment

    @pipeline_def(
        batch_size=16, num_threads=threads, device_id=None, seed=0, enable_conditionals=True, prefetch_queue_depth=2
    )
    def pipeline():
        files = fn.external_source(source=cycle(map(np_bytes, read(folder))), batch=False, dtype=types.UINT8, ndim=1)
        images = fn.decoders.image_random_crop(
            files, device="cpu", random_area=AREA, random_aspect_ratio=ASPECT, output_type=types.RGB
        )
        images = fn.resize(images, size=[resolution, resolution], interp_type=types.INTERP_LINEAR)
        mirror = fn.random.coin_flip(probability=0.5)
        if layers:
            images = fn.flip(images, horizontal=mirror)
            images = rand_augment.rand_augment(images, n=layers, m=magnitude)
            mirror = 0
        return fn.crop_mirror_normalize(images, mirror=mirror, mean=[127.5] * 3, std=[127.5] * 3)

    def np_bytes(file):
        import numpy as np

        return np.frombuffer(file, np.uint8)

    built = pipeline()
    built.build()
    return batch_by_batch(lambda: len(built.run()[0]))


def batch_by_batch(batch):
    def measure(seconds: float) -> tuple[int, float]:
        done, begin = 0, time.perf_counter()
        while True:
            done += batch()
            took = time.perf_counter() - begin
            if took >= seconds:
                return done, took

    return measure


PEERS = {
    "torchvision": torchvision,
    "torchvision-small": torchvision_small,
    "torchvision-v2": torchvision_v2,
    "timm": timm,
    "tf.data": tensorflow,
    "dali": dali,
}


def main() -> None:
    name, folder, *numbers = sys.argv[1:]
    # What a peer prints is not the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    random.seed(0)
    if "torch" in name or name == "timm":
        # Some of CUDA's libraries are stand-ins without functions (scripts/setup.d/timm.sh).
        sys.setdlopenflags(os.RTLD_LAZY)
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(0)
    measure = PEERS[name](folder, *map(int, numbers))
    measure(0.5)  # Warms up.
    for line in sys.stdin:
        print(*measure(float(line)), file=answer, flush=True)


if __name__ == "__main__":
    main()
