"""What goes out of a study is read by the programs it is for: pandas and pyarrow, TensorBoard, timm.

A small study is trained on Fashion-MNIST: Ti/16 at 224 pixels, timm's own, and a model of other sizes. Of every
query CSV, JSON, JSON lines and Parquet are the same frame, typed as the views are documented, and groups are
those of pandas. Event files are opened by TensorBoard's own reader. An export for timm is built in both ways that its
model card shows; logits are compared with those of augreg's network (the program `gradients`).
"""

import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

# See scripts/test.d/parity.py.
sys.setdlopenflags(os.RTLD_LAZY)

import pandas
import pyarrow.parquet
import timm
import torch
from safetensors.torch import load_file, save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("AUGREG_BIN", REPOSITORY / "target/debug"))
DATA = REPOSITORY / "data"

# What both sides' logits may differ by in 32-bit floats.
LOGITS = 2e-4

HEAD = """
name = "exports"
[dataset.fashion]
format = "idx"
path = "${AUGREG_DATA}/fashion-mnist"
splits = { train = "train[:64]", val = "train[55000:55032]", test = "test[:32]" }
[model."Na/7"]
width = 24
depth = 2
mlp = 48
heads = 2
patch = 7
"""
SMALL = """
[[pretrain]]
dataset = "fashion"
model = "Na/7"
resolution = 28
augmentation = ["none", "medium1"]
regularization = [0.0, 0.1]
seed = [0, 1]
epochs = 4
batch_size = 16
crop = "none"
evaluations = 2
"""
TIMM = """
[[pretrain]]
dataset = "fashion"
model = "Ti/16"
resolution = 224
augmentation = "none"
epochs = 0.5
batch_size = 8
evaluations = 1
"""


def fail(what: str) -> NoReturn:
    sys.exit(f"error: {what}")


def run(*command: object, root: Path) -> bytes:
    environment = {"AUGREG_ROOT": str(root), "AUGREG_DATA": str(DATA)} | os.environ
    done = subprocess.run([str(part) for part in command], capture_output=True, env=environment, check=False)
    if done.returncode != 0:
        fail(f"{command} ended with {done.returncode}:\n{done.stderr.decode()}")
    return done.stdout


class Study:
    def __init__(self, folder: Path):
        self.folder, self.root = folder, folder / "study"

    def augreg(self, *arguments: object) -> bytes:
        return run(PROGRAMS / "augreg", *arguments, root=self.root)

    def frames(self, *question: str) -> dict[str, pandas.DataFrame]:
        """The answer to a question in every format that pandas reads."""
        self.augreg("query", *question, "--out", self.folder / "rows.parquet")
        text = {form: self.augreg("query", *question, "--format", form) for form in ("csv", "json", "jsonl")}
        lines = [json.loads(line) for line in text["jsonl"].splitlines()]
        return {
            "parquet": pandas.read_parquet(self.folder / "rows.parquet"),
            "csv": pandas.read_csv(io.BytesIO(text["csv"])),
            "json": pandas.DataFrame(json.loads(text["json"])),
            "jsonl": pandas.DataFrame(lines),
        }


def check_queries(study: Study) -> None:
    """All formats say the same, with types; groups are those of pandas."""
    columns = "ordinal,model,augmentation,seed,dropout,epochs,final_val,final_test,failure,state"
    frames = study.frames("stage=pretrain", "--columns", columns)
    reference = pandas.read_sql_query(
        f"SELECT {columns} FROM v_jobs WHERE stage = 'pretrain' ORDER BY ordinal",
        sqlite3.connect(study.root / "augreg.db"),
    )
    for form, frame in frames.items():
        pandas.testing.assert_frame_equal(frame, reference, check_dtype=False, check_exact=True, obj=form)
    types = [str(field.type) for field in pyarrow.parquet.read_schema(study.folder / "rows.parquet")]
    if types != ["int64", "string", "string", "int64", "double", "double", "double", "double", "string", "string"]:
        fail(f"Parquet has types {types}")

    sql = "SELECT seed, model, final_val, NULL AS failure, seed / 2.0 AS half FROM v_jobs ORDER BY ordinal"
    study.augreg("query", sql, "--out", study.folder / "sql.parquet")
    types = [str(field.type) for field in pyarrow.parquet.read_schema(study.folder / "sql.parquet")]
    if types != ["int64", "string", "double", "string", "double"]:
        fail(f"Parquet of SQL has types {types}")

    functions = {"mean": "mean", "median": "median", "min": "min", "max": "max", "sum": "sum", "std": "std"}
    shown = [f"{ours}(final_val)" for ours in functions] + ["count"]
    groups = study.frames("stage=pretrain", "--group", "model,augmentation", "--show", *shown)["parquet"]
    theirs = reference.groupby(["model", "augmentation"], sort=False)["final_val"]
    theirs = theirs.agg(list(functions.values())).reset_index()
    theirs.columns = ["model", "augmentation", *shown[:-1]]
    pandas.testing.assert_frame_equal(groups[theirs.columns], theirs, rtol=1e-12)
    pivot = study.frames("stage=pretrain", "--pivot", "model,augmentation", "final_val", "--by", "max")["csv"]
    theirs = reference.pivot_table(
        index="model", columns="augmentation", values="final_val", aggfunc="max", sort=False
    )
    pandas.testing.assert_frame_equal(
        pivot.set_index("model")[list(theirs.columns)], theirs, check_names=False, check_exact=True
    )


def check_tensorboard(study: Study) -> int:
    """Every curve is there, with its steps and values; settings are for the HParams tab."""
    logs = study.folder / "logs"
    study.augreg("export", "model=Na/7", "--to", "tensorboard", "--out", logs)
    database = sqlite3.connect(study.root / "augreg.db")
    runs = sorted(logs.iterdir())
    jobs = database.execute("SELECT id, short_id, dropout FROM v_jobs WHERE model = 'Na/7'").fetchall()
    if len(runs) != len(jobs):
        fail(f"{len(runs)} runs of {len(jobs)} jobs")
    for job, short, dropout in jobs:
        (folder,) = [run for run in runs if run.name.endswith(short)]
        events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
        for name, tag in [("train_loss", "train/loss"), ("val_accuracy", "val/accuracy")]:
            expected = database.execute(
                "SELECT step, value FROM v_curves WHERE job_id = ? AND name = ? ORDER BY step", (job, name)
            ).fetchall()
            found = events.Scalars(tag)
            if [event.step for event in found] != [step for step, _ in expected]:
                fail(f"{folder.name}: {tag} has other steps")
            if any(abs(event.value - value) > 1e-6 * abs(value) for event, (_, value) in zip(found, expected)):
                fail(f"{folder.name}: {tag} has other values")
            began, ended = database.execute(
                "SELECT started / 1000.0, ended / 1000.0 FROM attempt WHERE job_id = ?", (job,)
            ).fetchone()
            times = [event.wall_time for event in found]
            if times != sorted(times) or not began <= times[0] <= times[-1] <= ended + 1:
                fail(f"{folder.name}: {tag} has times {times[0]} to {times[-1]}, not {began} to {ended}")
        start = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        settings = plugin_data_pb2.HParamsPluginData.FromString(start).session_start_info.hparams
        if (settings["model"].string_value, settings["dropout"].number_value) != ("Na/7", dropout):
            fail(f"{folder.name}: settings are {settings}")
        text = events.Tensors("job/spec")[0].tensor_proto.string_val[0].decode()
        if job not in text:
            fail(f"{folder.name}: the text is {text}")
    return len(runs)


def loaded(code: str, folder: Path) -> torch.nn.Module:
    """What the Python of a model card makes, run where the card says."""
    here = os.getcwd()
    os.chdir(folder)
    try:
        names: dict = {}
        exec(code, names)
        return names["model"]
    finally:
        os.chdir(here)


def check_timm(study: Study, job: str, side: int) -> float:
    """Both ways of a card make a network with augreg's logits."""
    out = study.folder / f"timm-{job[:10]}"
    study.augreg("export", job, "--to", "timm", "--out", out)
    card = (out / "README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0]
    hub, spelled = code.split("# The same, spelled out:")
    images = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
    asked, answer = study.folder / "images.safetensors", study.folder / "answer.safetensors"
    save_file({"images": images}, asked)
    run(PROGRAMS / "examples/gradients", out / "model.safetensors", asked, answer, "tanh", root=study.root)
    ours = load_file(answer)["logits"]
    worst = 0.0
    for part in (hub, "import timm\n" + spelled):
        model = loaded(part, study.folder)
        with torch.no_grad():
            difference = (model(images) - ours).abs().max().item()
        worst = max(worst, difference)
        if not difference < LOGITS:
            fail(f"logits of timm's {model.pretrained_cfg['architecture']} differ by {difference:.2g}")
        if model.num_classes != 10 or tuple(model.pretrained_cfg["input_size"][1:]) != (side, side) and part is hub:
            fail(f"timm takes it for {model.pretrained_cfg}")
    config = timm.data.resolve_data_config({}, model=loaded(hub, study.folder))
    if list(config["mean"]) != [0.5] or config["input_size"] != (1, side, side):
        fail(f"timm prepares images by {config}")
    return worst


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="augreg-exports-") as folder:
        study = Study(Path(folder))
        (study.folder / "sweep.toml").write_text(HEAD + SMALL + TIMM)
        study.augreg("--quiet", "launch", study.folder / "sweep.toml")
        check_queries(study)
        runs = check_tensorboard(study)
        database = sqlite3.connect(study.root / "augreg.db")
        chosen = "SELECT id FROM v_jobs WHERE model = ? AND state = 'succeeded' LIMIT 1"
        differences = [
            check_timm(study, database.execute(chosen, (model,)).fetchone()[0], side)
            for model, side in [("Na/7", 28), ("Ti/16", 224)]
        ]
    print(
        f"pandas {pandas.__version__}, pyarrow {pyarrow.__version__}: rows and groups as they read them; "
        f"TensorBoard: {runs} runs; timm {timm.__version__}: logits differ by at most {max(differences):.1e}"
    )


main()
