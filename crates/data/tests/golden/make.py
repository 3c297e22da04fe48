"""Writes the same few pictures as a folder, as tar shards, as tables and as NumPy archives, each by
the library that people write that format with.

    pip install datasets==5.2.0 webdataset==1.0.2 numpy==2.4.6 pillow==13.0.0
    python make.py
"""

import io
import json
import pathlib
import shutil

import datasets
import numpy as np
import webdataset
from PIL import Image

HERE = pathlib.Path(__file__).parent
CLASSES = ["cat", "dog", "owl"]
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


def picture(number, extension):
    """16 × 12 pixels that are `number` all over, as the bytes of a file."""
    out = io.BytesIO()
    Image.fromarray(np.full((12, 16, 3), number, np.uint8)).save(out, FORMATS[extension])
    return out.getvalue()


def examples(split):
    """Name, extension, class and number of every example, in order."""
    base = {"train": 0, "test": 120}[split]
    each = {"train": [3, 2, 1], "test": [1, 0, 1]}[split]
    for label, count in enumerate(each):
        for i in range(count):
            extension = list(FORMATS)[(label + i) % 3]
            yield f"{i}", extension, label, base + 40 * label + 10 * i


def odd():
    """What is odd about pictures in the wild: `good` are decoded, `bad` are not."""
    good, bad = HERE / "odd" / "good", HERE / "odd" / "bad"
    shutil.rmtree(HERE / "odd", ignore_errors=True)
    good.mkdir(parents=True)
    bad.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    image = Image.fromarray(noise)
    image.convert("CMYK").save(good / "cmyk.jpg")
    image.save(good / "progressive.jpg", progressive=True)
    exif = image.getexif()
    exif[0x0112] = 6  # To be turned by 90 degrees.
    image.save(good / "turned.jpg", exif=exif)
    Image.fromarray(noise[..., 0].astype(np.uint16) * 257).save(good / "deep.png")
    image.crop((0, 0, 1, 1)).save(good / "one-pixel.png")
    image.resize((20_000, 2)).save(good / "long.png")
    image.convert("RGBA").save(good / "transparent.png")
    image.save(bad / "cut.jpg")
    whole = (bad / "cut.jpg").read_bytes()
    (bad / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (bad / "empty.png").write_bytes(b"")
    (bad / "page.jpg").write_text("<!DOCTYPE html><html><title>404 Not Found</title></html>")
    Image.new("1", (20_000, 20_000)).save(bad / "vast.png")


def sets():
    """Examples of no class, of one and of several, as lists and as rows of zeros and ones."""
    folder = HERE / "sets"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ["webdataset", "parquet", "npz"]:
        (folder / name).mkdir(parents=True)
    labels = [[0], [0, 2], [], [1], [1, 2], [0, 2]]
    files = [picture(40 * i, "png") for i in range(len(labels))]

    path = folder / "webdataset" / "train.tar"
    with webdataset.TarWriter(str(path), encoder=False, mtime=0) as out:
        for i, classes in enumerate(labels):
            out.write({"__key__": f"{i}", "png": files[i], "json": json.dumps({"label": classes}).encode()})

    features = datasets.Features(
        {"image": datasets.Image(), "labels": datasets.List(datasets.ClassLabel(names=CLASSES))}
    )
    images = [{"bytes": file, "path": None} for file in files]
    table = datasets.Dataset.from_dict({"image": images, "labels": labels}, features)
    table.to_parquet(str(folder / "parquet" / "train.parquet"))

    marks = np.zeros((len(labels), len(CLASSES)), np.uint8)
    for i, classes in enumerate(labels):
        marks[i, classes] = 1
    pixels = np.stack([np.full((12, 16, 3), 40 * i, np.uint8) for i in range(len(labels))])
    np.savez(folder / "npz" / "train.npz", images=pixels, labels=marks)
    np.savez_compressed(folder / "npz" / "test.npz", images=pixels, labels=marks.astype(bool))


# What label maps make classes of, an example a column. KITTI's distances and dSprites' orientations.
DISTANCES = [-3.5, 8.0, 8.5, 20.0, 20.25, 999.0, 1000.0]
ORIENTATIONS = [0, 2, 3, 5, 39, 38, 7]


def mapped():
    """Examples with numbers that are no classes; `broken` has one that no map takes."""
    folder = HERE / "mapped"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ["webdataset", "parquet", "npz"]:
        (folder / name).mkdir(parents=True)
    broken = [*DISTANCES[:5], -100.0, DISTANCES[6]]
    files = [picture(30 * i, "png") for i in range(len(DISTANCES))]

    path = folder / "webdataset" / "train.tar"
    with webdataset.TarWriter(str(path), encoder=False, mtime=0) as out:
        for i, file in enumerate(files):
            numbers = {"distance": DISTANCES[i], "orientation": ORIENTATIONS[i], "broken": broken[i]}
            out.write({"__key__": f"{i}", "png": file, "json": json.dumps(numbers).encode()})

    columns = {
        "image": datasets.Image(),
        "distance": datasets.Value("float32"),
        "orientation": datasets.ClassLabel(num_classes=40),
        "broken": datasets.Value("float64"),
    }
    values = {"distance": DISTANCES, "orientation": ORIENTATIONS, "broken": broken}
    images = [{"bytes": file, "path": None} for file in files]
    table = datasets.Dataset.from_dict({"image": images, **values}, datasets.Features(columns))
    table.to_parquet(str(folder / "parquet" / "train.parquet"))

    pixels = np.stack([np.full((12, 16, 3), 30 * i, np.uint8) for i in range(len(DISTANCES))])
    arrays = {
        "distance": np.array(DISTANCES, np.float32),
        "orientation": np.array(ORIENTATIONS, np.int64)[:, None],
        "broken": np.array(broken, np.float64),
    }
    np.savez(folder / "npz" / "train.npz", images=pixels, **arrays)


def main():
    odd()
    sets()
    mapped()
    for folder in ["folder", "webdataset", "parquet", "npz"]:
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
    arrays = {}
    for split in ["train", "test"]:
        rows = list(examples(split))
        for name, extension, label, number in rows:
            file = HERE / "folder" / split / CLASSES[label] / f"{name}.{extension}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(number, extension))

        for shard, part in enumerate([rows[:4], rows[4:]]):
            if not part:
                continue
            path = HERE / "webdataset" / f"pets-{split}-{shard:04}.tar"
            with webdataset.TarWriter(str(path), encoder=False, mtime=0) as out:
                for name, extension, label, number in part:
                    key = f"{CLASSES[label]}-{name}"
                    member = {"__key__": key, extension: picture(number, extension)}
                    out.write(member | {"cls": str(label).encode(), "json": b'{"width": 16}'})

        features = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)}
        )
        table = datasets.Dataset.from_dict(
            {
                "image": [{"bytes": picture(n, e), "path": f"{i}.{e}"} for i, e, _, n in rows],
                "label": [label for _, _, label, _ in rows],
            },
            features,
        )
        shards = 2 if split == "train" else 1
        for shard in range(shards):
            name = f"{split}-{shard:05}-of-{shards:05}.parquet"
            table.shard(shards, shard, contiguous=True).to_parquet(str(HERE / "parquet" / name))

        pixels = [np.full((12, 16, 3), n, np.uint8) for _, _, _, n in rows]
        arrays[f"{split}_images"] = np.stack(pixels)
        arrays[f"{split}_labels"] = np.array([label for _, _, label, _ in rows])[:, None]
    np.savez(HERE / "npz" / "stored.npz", **arrays)
    np.savez_compressed(HERE / "npz" / "compressed.npz", **arrays)


if __name__ == "__main__":
    main()
