"""Training steps: augreg jobs against timm in PyTorch, in turn, in fp32 and bf16, with dropout and without."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import study
from study import DATA, Model, Study
from tables import machine, say, spread, table

PEER = Path(__file__).with_name("peer.py")
WARM_UP_STEPS = 2  # Of both sides; not counted.


@dataclass(frozen=True)
class Cell:
    """A network, its images and its batch, and how many steps of it are measured."""

    model: Model
    resolution: int
    batch_size: int


# The steps of a model are those that count.
CELLS = {
    cell.model.name: cell
    for cell in [
        Cell(Model("micro", width=192, depth=6, mlp=768, heads=3, patch=4, steps=10), 32, 128),
        Cell(Model("Ti/16", width=192, depth=12, mlp=768, heads=3, patch=16, steps=5), 224, 32),
        Cell(Model("S/32", width=384, depth=12, mlp=1536, heads=6, patch=32, steps=5), 224, 32),
    ]
}
# How PyTorch may compute: eager or compiled, attention fused or spelled out.
WAYS = ["eager, fused", "eager, plain", "compiled, fused", "compiled, plain"]

SWEEP = """\
name = "bench"

[dataset.fashion]
format = "idx"
path = "{data}"
splits = {{ train = "train[:{examples}]", val = "train[59990:]", test = "test[:10]" }}

[model.bench]
width = {width}
depth = {depth}
mlp = {mlp}
heads = {heads}
patch = {patch}

[pretrain]
dataset = "fashion"
model = "bench"
regularization = {rate}
precision = "{precision}"
epochs = 1
resolution = {resolution}
batch_size = {batch_size}
evaluations = 1
seed = {seed}
"""

# Speed is journalled at every step of so short a job.
SPEEDS = """\
select parameters, metric.step, value, v_jobs.peak_memory from v_jobs
join metric on metric.job_id = v_jobs.id and metric.name = 'images_per_second'
order by metric.step
"""


def augreg(cell: Cell, rate: float, precision: str, seed: int) -> tuple[float, int, float]:
    """Images a second of one job, its parameters and its peak memory in MiB, as `augreg query` has them."""
    steps = cell.model.steps + WARM_UP_STEPS
    settings = asdict(cell.model) | asdict(cell)
    text = SWEEP.format(
        **(settings | asdict(cell.model)),
        data=DATA,
        examples=steps * cell.batch_size,
        rate=rate,
        precision=precision,
        seed=seed,
    )
    with Study() as folder:
        folder.run("--quiet", "launch", folder.write(text), "--workers", 1)
        rows = folder.query(SPEEDS)
    if len(rows) != steps:
        sys.exit(f"error: {len(rows)} steps instead of {steps}")
    seconds = sum(cell.batch_size / float(row["value"]) for row in rows[WARM_UP_STEPS:])
    memory = float(rows[0]["peak_memory"]) / 2**20
    return cell.model.steps * cell.batch_size / seconds, int(rows[0]["parameters"]), memory


def pytorch(cell: Cell, rate: float, precision: str, way: str, seed: int) -> dict[str, float]:
    """What the peer measures."""
    task = asdict(cell.model) | {
        "regularization": rate,
        "precision": precision,
        "way": way,
        "seed": seed,
        "warm_up": WARM_UP_STEPS,
        "batch_size": cell.batch_size,
        "learning_rate": study.LEARNING_RATE,
        "classes": study.CLASSES,
        "resolution": cell.resolution,
    }
    environment = os.environ | {"PYTHONPATH": os.environ["AUGREG_BENCH_TIMM"]}
    command = ["python3", str(PEER), json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        sys.exit(f"error: {PEER.name} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def compare(cell: Cell, rate: float, precision: str, rounds: int, ways: list[str]) -> list[str]:
    """One row: both sides in turn, `rounds` times."""
    ours: list[float] = []
    memory: list[float] = []
    theirs: dict[str, list[float]] = {way: [] for way in ways}
    their_memory: dict[str, list[float]] = {way: [] for way in ways}
    for seed in range(rounds):
        speed, parameters, peak = augreg(cell, rate, precision, seed)
        ours.append(speed)
        memory.append(peak)
        for way in ways:
            measured = pytorch(cell, rate, precision, way, seed)
            if measured["parameters"] != parameters:
                sys.exit(f"error: {parameters} parameters, but {measured['parameters']} in PyTorch")
            theirs[way].append(measured["images_per_second"])
            their_memory[way].append(measured["peak_memory"] / 2**20)
        last = "; ".join(f"{way} {speeds[-1]:,.1f}" for way, speeds in theirs.items())
        say(f"{cell.model.name}, {precision}, {rate}: augreg {speed:,.1f}; PyTorch {last} images/s")
    best = max(theirs, key=lambda way: median(theirs[way]))
    # Within a round, where both sides met the same neighbours on the machine.
    ratios = [mine / other for mine, other in zip(ours, theirs[best], strict=True)]
    name = f"{cell.model.name}, {precision}, {rate:g}"
    columns = [spread(ratios, ".2f"), spread(ours, ",.1f"), f"{spread(theirs[best], ',.1f')}, {best}"]
    others = [f"{median(theirs[way]):,.1f}" for way in ways]
    memories = [f"{median(memory):,.0f}", f"{median(their_memory[best]):,.0f}"]
    return [name, *columns, *others, *memories]


def listed(known: list[str]):
    """A reader of comma-separated names out of `known`."""

    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(";" if ";" in text else ",")]
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"unknown {unknown}; there are {'; '.join(known)}")
        return names

    return read


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench train-step",
        description="Images a second of training, augreg against timm in PyTorch: the same model, "
        "images, batch size and threads, in turn within every round.",
    )
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="how often each side runs (3)")
    add("--cells", type=listed(list(CELLS)), default=list(CELLS), help=f"of {', '.join(CELLS)}")
    add("--precision", type=listed(["fp32", "bf16"]), default=["fp32", "bf16"], help="of fp32, bf16")
    add("--regularization", type=listed(["0", "0.1"]), default=["0", "0.1"], help="of 0, 0.1")
    add("--ways", type=listed(WAYS), default=WAYS, help=f"PyTorch's, between semicolons: {'; '.join(WAYS)}")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("there must be at least one round")

    head = f"{machine()}; {arguments.rounds} rounds; medians, ranges of the rounds in brackets"
    rows = [
        compare(CELLS[cell], float(rate), precision, arguments.rounds, arguments.ways)
        for cell in arguments.cells
        for precision in arguments.precision
        for rate in arguments.regularization
    ]
    columns = ["model, precision, regularization", "augreg / PyTorch's best", "augreg, images/s"]
    columns += ["PyTorch's best", *arguments.ways, "augreg, MiB", "PyTorch's best, MiB"]
    print(head, table(columns, rows), sep="\n\n")


if __name__ == "__main__":
    main()
