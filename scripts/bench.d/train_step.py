"""Training steps: an augreg job against timm in PyTorch eager, in turn, one core and one thread each."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from statistics import median

import study
from tables import machine, say, spread, table
from study import MODELS, Model, Study

PEER = Path(__file__).with_name("peer.py")
ATTENTIONS = ["fused", "plain"]  # TIMM_FUSED_ATTN=1 and 0


def pinned() -> tuple[str, ...]:
    """A prefix that leaves a program one core, the same for both sides."""
    return ("taskset", "-c", str(min(os.sched_getaffinity(0))))


def augreg(model: Model, rate: float, seed: int) -> float:
    """Images a second of one job, as `augreg query` reports them."""
    with Study() as folder:
        file = folder.write(study.sweep([model], [rate], model.steps, seed))
        folder.run("--quiet", "launch", file, "--workers", 1, prefix=pinned())
        (row,) = folder.query(
            "select job.steps, threads, result.images_per_second from v_jobs as job "
            "join result on result.job_id = job.id join attempt on attempt.job_id = job.id"
        )
    if (int(row["steps"]), row["threads"]) != (model.steps, "1"):
        sys.exit(f"error: not the job that was asked for: {row}")
    return float(row["images_per_second"])


def pytorch(model: Model, rate: float, seed: int) -> dict[str, dict[str, float]]:
    """What the peer measures, for each way to compute attention."""
    task = asdict(model) | {
        "regularization": rate,
        "seed": seed,
        "batch_size": study.BATCH_SIZE,
        "learning_rate": study.LEARNING_RATE,
        "classes": study.CLASSES,
        "resolution": study.RESOLUTION,
        "data": str(study.DATA),
        "attentions": ATTENTIONS,
    }
    python = os.environ["AUGREG_BENCH_PYTHON"]
    command = [*pinned(), python, str(PEER), json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"error: {PEER.name} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def compare(model: Model, rate: float, rounds: int, shares: list[float]) -> list[str]:
    """One cell: both sides in turn, `rounds` times; a row of the table.

    Adds to `shares` how much of its core each run of the peer had.
    """
    ours: list[float] = []
    theirs: dict[str, list[float]] = {attention: [] for attention in ATTENTIONS}
    for seed in range(rounds):
        ours.append(augreg(model, rate, seed))
        for attention, measured in pytorch(model, rate, seed).items():
            theirs[attention].append(measured["images_per_second"])
            shares.append(measured["share"])
        last = ", ".join(f"{name} {speeds[-1]:,.0f}" for name, speeds in theirs.items())
        say(f"{model.name}, regularization {rate}: augreg {ours[-1]:,.0f}, PyTorch {last} images/s")
    best = max(theirs.values(), key=median)
    ratios = [mine / other for mine, other in zip(ours, best, strict=True)]
    columns = [spread(ratios, ".2f"), spread(ours), *(spread(theirs[name]) for name in ATTENTIONS)]
    return [f"{model.name}, {rate:g}", *columns]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench train-step",
        description="Images a second of training, augreg against timm in PyTorch eager: the same "
        "model, data, batch size, one core and one thread each, in turn within every round.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each side runs (5)")
    parser.add_argument("--cells", default=",".join(MODELS), help="models: %(default)s")
    parser.add_argument("--regularization", default="0,0.1", help="drop rates: %(default)s")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.cells.split(",") if name not in MODELS]
    if unknown:
        parser.error(f"unknown models {unknown}; there are {', '.join(MODELS)}")
    if arguments.rounds < 1:
        parser.error("there must be at least one round")
    models = [MODELS[name] for name in arguments.cells.split(",")]
    rates = [float(rate) for rate in arguments.regularization.split(",")]

    head = f"{machine()}; {arguments.rounds} rounds; medians, and ranges in brackets"
    shares: list[float] = []
    rows = [compare(model, rate, arguments.rounds, shares) for model in models for rate in rates]
    columns = ["model, regularization", "augreg / PyTorch's best", "augreg, images/s"]
    columns += [f"PyTorch, {name} attention" for name in ATTENTIONS]
    had = f"PyTorch had {min(shares):.2f} to {max(shares):.2f} of its core; below 1, others were busy."
    print(head, table(columns, rows), had, sep="\n\n")


if __name__ == "__main__":
    main()
