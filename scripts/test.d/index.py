"""The table of results in pandas: `augreg_index` reads like the published index.csv, and what pandas
writes comes in and goes out unchanged.

The rows are the study's recommended checkpoints and their best adaptations to ImageNet-1k, as its
notebook prints them (`vit_jax_augreg.ipynb`, cell 21): model, preset in the published names, weight decay,
dropout, resolution, learning rate, test accuracy, images a second. What it does not print is made up.
"""

import io
import os
import sqlite3
import subprocess
import sys
import tempfile

import pandas

AUGREG = os.path.join(os.path.dirname(__file__), "..", "..", "target", "debug", "augreg")

RECOMMENDED = [
    ("L/16", "strong1", 0.1, 0.0, 384, 0.01, 0.85588, 49.87, 325690707),
    ("B/16", "medium1", 0.1, 0.0, 384, 0.03, 0.85486, 137.92, 102595923),
    ("S/16", "light1", 0.03, 0.0, 384, 0.03, 0.83728, 300.12, 30075219),
    ("R50+L/32", "medium1", 0.1, 0.1, 384, 0.01, 0.85992, 326.73, 350358931),
    ("R26+S/32", "light1", 0.1, 0.0, 384, 0.01, 0.83846, 560.40, 44456467),
    ("Ti/16", "none", 0.03, 0.0, 384, 0.03, 0.78220, 609.58, 9740115),
    ("B/32", "light1", 0.1, 0.0, 384, 0.01, 0.83586, 954.94, 104252499),
    ("S/32", "none", 0.1, 0.0, 384, 0.01, 0.79584, 2153.94, 30903507),
    ("R+Ti/16", "none", 0.03, 0.0, 384, 0.03, 0.75402, 2425.77, 10360403),
    ("B/8", "medium2", 0.1, 0.0, 224, 0.03, 0.85578, float("nan"), 102605139),
]
# What the paper calls the preset, and its RandAugment layers, magnitude and mixup.
PRESETS = {
    "none": ("none", 0, 0, 0.0),
    "light0": ("light1", 2, 0, 0.0),
    "light1": ("light2", 2, 10, 0.2),
    "medium1": ("medium1", 2, 15, 0.2),
    "medium2": ("medium2", 2, 15, 0.5),
    "strong1": ("strong1", 2, 20, 0.5),
}
TYPES = {
    "name": "str", "ds": "str", "epochs": "float64", "lr": "float64", "aug": "str", "wd": "float64",
    "do": "float64", "sd": "float64", "best_val": "float64", "final_val": "float64",
    "final_test": "float64", "adapt_ds": "str", "adapt_lr": "float64", "adapt_steps": "int64",
    "adapt_resolution": "int64", "adapt_final_val": "float64", "adapt_final_test": "float64",
    "params": "int64", "infer_samples_per_sec": "float64", "filename": "str", "adapt_filename": "str",
}  # fmt: skip


def published():
    """The rows as a frame with the published columns and types."""
    rows = []
    for at, (name, aug, wd, do, resolution, lr, test, speed, params) in enumerate(RECOMMENDED):
        token = name.replace("/", "_").replace("+", "_")
        stem = f"{token}-i21k-300ep-lr_0.001-aug_{aug}-wd_{wd}-do_{do}-sd_{do}"
        final = 0.5 - at / 7.0  # A third of the digits of such numbers are no decimal fractions.
        final = abs(final)
        upstream = (name, "i21k", 300.0, 0.001, aug, wd, do, do, final + 1e-3, final, final / 3.0)
        adapted = ("imagenet2012", lr, 20000, resolution, test - 1e-9, test, params, speed, stem)
        rows.append((*upstream, *adapted, f"{stem}--imagenet2012-steps_20k-lr_{lr}-res_{resolution}"))
    return pandas.DataFrame(rows, columns=list(TYPES)).astype(TYPES)


def augreg(root, *args):
    done = subprocess.run([AUGREG, "--root", root, *args], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"augreg {' '.join(args)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


def query(root, sql):
    return pandas.read_csv(io.StringIO(augreg(root, "query", "--format", "csv", sql)))


def insert(database, table, **values):
    columns, marks = ", ".join(values), ", ".join("?" for _ in values)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values.values()))


def finished(database, stage, model, result, **settings):
    """A job that has succeeded, as the scheduler leaves it."""
    number = database.execute("SELECT count(*) FROM job").fetchone()[0]
    job = f"{number:026}"
    common = {"state": "succeeded", "priority": 0, "dataset_fingerprint": "none", "flops": 1.0, "created": 0}
    filled = {"steps": 1, "parameters": 1} | settings
    insert(database, "job", id=job, stage=stage, model=model, labels="{}", spec="{}", **common, **filled)
    measured = {"steps": 1, "seconds": 1.0, "images_per_second": 1.0, "peak_memory": 1} | result
    insert(database, "result", job_id=job, attempt=1, train_loss=1.0, parameters_sha256="", **measured)
    return job


def fill(database, frame):
    """Jobs whose results are the rows of the frame."""
    for row in frame.to_dict("records"):
        preset, layers, magnitude, mixup = PRESETS[row["aug"]]
        upstream = finished(
            database, "pretrain", row["name"],
            {key: row[key] for key in ("best_val", "final_val", "final_test")},
            dataset=row["ds"], epochs=row["epochs"], learning_rate=row["lr"], augmentation=preset,
            randaugment_layers=layers, randaugment_magnitude=magnitude, mixup=mixup,
            weight_decay=row["wd"], dropout=row["do"], stochastic_depth=row["sd"], resolution=224,
            parameters=row["params"],
        )  # fmt: skip
        finished(
            database, "transfer", row["name"],
            {"final_val": row["adapt_final_val"], "final_test": row["adapt_final_test"]},
            dataset=row["adapt_ds"], learning_rate=row["adapt_lr"], steps=row["adapt_steps"],
            resolution=row["adapt_resolution"], parent=upstream,
        )  # fmt: skip
        speed = row["infer_samples_per_sec"]
        if speed == speed:
            resolution = row["adapt_resolution"]
            finished(database, "throughput", row["name"], {"images_per_second": speed}, resolution=resolution)


def main():
    frame = published()
    with tempfile.TemporaryDirectory() as folder:
        own, theirs = os.path.join(folder, "own"), os.path.join(folder, "theirs")
        augreg(own, "import", "--paper")
        database = sqlite3.connect(os.path.join(own, "augreg.db"))
        with database:
            fill(database, frame)
        database.close()
        index = query(own, "SELECT * FROM augreg_index")
        order = index.set_index("name").loc[frame["name"]].reset_index()
        pandas.testing.assert_frame_equal(order, frame, check_exact=True)

        table = os.path.join(folder, "index.csv")
        frame.to_csv(table)  # With pandas's row numbers in front.
        augreg(theirs, "import", table)
        names = {
            "name": "model", "ds": "dataset", "lr": "learning_rate", "aug": "augmentation",
            "wd": "weight_decay", "do": "dropout", "sd": "stochastic_depth", "adapt_ds": "adapt_dataset",
            "adapt_lr": "adapt_learning_rate", "params": "parameters",
            "infer_samples_per_sec": "infer_images_per_second",
        }  # fmt: skip
        expected = frame.rename(columns=names)
        expected["augmentation"] = [PRESETS[aug][0] for aug in frame["aug"]]
        columns = ", ".join(expected.columns)
        back = query(theirs, f"SELECT {columns} FROM reference ORDER BY line")
        pandas.testing.assert_frame_equal(back, expected, check_exact=True)
        unnamed = [column for column in expected.columns if not column.endswith("filename")]
        runs = query(theirs, f"SELECT {', '.join(unnamed)} FROM v_runs WHERE source = 'index'")
        runs = runs.set_index("model").loc[expected["model"]].reset_index()
        pandas.testing.assert_frame_equal(runs, expected[unnamed], check_exact=True)
    print(f"pandas {pandas.__version__}: {len(frame)} rows read and come back as they were written")


main()
