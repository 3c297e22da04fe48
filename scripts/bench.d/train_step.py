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


def augreg(model: Model, rate: float, seed: int) -> tuple[float, int]:
    """Images a second of one job and its parameters, as `augreg query` reports them."""
    with Study() as folder:
        file = folder.write(study.sweep([model], [rate], model.steps, seed))
        folder.run("--quiet", "launch", file, "--workers", 1, prefix=pinned())
        (job,) = folder.query(
            "select job.steps, job.parameters, threads, result.images_per_second from v_jobs as job "
            "join result on result.job_id = job.id join attempt on attempt.job_id = job.id"
        )
    if (int(job["steps"]), job["threads"]) != (model.steps, "1"):
        sys.exit(f"error: not the job that was asked for: {job}")
    return float(job["images_per_second"]), int(job["parameters"])


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
        speed, parameters = augreg(model, rate, seed)
        ours.append(speed)
        for attention, measured in pytorch(model, rate, seed).items():
            if measured["parameters"] != parameters:
                sys.exit(f"error: {parameters} parameters, but {measured['parameters']} in PyTorch")
            theirs[attention].append(measured["images_per_second"])
            shares.append(measured["share"])
        last = ", ".join(f"{name} {speeds[-1]:,.0f}" for name, speeds in theirs.items())
        say(f"{model.name}, regularization {rate}: augreg {ours[-1]:,.0f}, PyTorch {last} images/s")
    return row(f"{model.name}, {rate:g}", ours, theirs)


def row(cell: str, ours: list[float], theirs: dict[str, list[float]]) -> list[str]:
    """Median and range of the rounds' ratios, then the speeds.

    Ratios are taken within a round, where both sides met the same neighbours on the machine. The
    attention with the higher median is PyTorch's best.
    """
    best = max(theirs.values(), key=median)
    ratios = [mine / other for mine, other in zip(ours, best, strict=True)]
    columns = [spread(ratios, ".2f"), spread(ours), *(spread(theirs[name]) for name in ATTENTIONS)]
    return [cell, *columns]


def models_of(text: str) -> list[Model]:
    """The models of a comma-separated list of names."""
    unknown = [name for name in text.split(",") if name not in MODELS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown {unknown}; there are {', '.join(MODELS)}")
    return [MODELS[name] for name in text.split(",")]


def rates_of(text: str) -> list[float]:
    """Drop rates of a comma-separated list, each in [0, 1)."""
    try:
        rates = [float(rate) for rate in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not all(0 <= rate < 1 for rate in rates):
        raise argparse.ArgumentTypeError(f"{text}: a drop rate is at least 0 and below 1")
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench train-step",
        description="Images a second of training, augreg against timm in PyTorch eager: the same "
        "model, data, batch size, one core and one thread each, in turn within every round.",
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs (3)")
    parser.add_argument(
        "--cells", type=models_of, default=",".join(MODELS), help="models (%(default)s)"
    )
    parser.add_argument(
        "--regularization", type=rates_of, default="0,0.1", help="drop rates (%(default)s)"
    )
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("there must be at least one round")

    head = f"{machine()}; {arguments.rounds} rounds; medians, ranges of the rounds in brackets"
    shares: list[float] = []
    rows = [
        compare(model, rate, arguments.rounds, shares)
        for model in arguments.cells
        for rate in arguments.regularization
    ]
    columns = ["model, regularization", "augreg / PyTorch's best", "augreg, images/s"]
    columns += [f"PyTorch, {name} attention" for name in ATTENTIONS]
    had = f"PyTorch had {min(shares):.2f} to {max(shares):.2f} of its core; below 1, others were busy."
    print(head, table(columns, rows), had, sep="\n\n")


if __name__ == "__main__":
    main()
