"""How many jobs that do nothing are run a second, each with a record that survives a power cut."""

import argparse
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from study import Study
from tables import machine, say, spread, table

SWEEP = 'name = "bench"\n\n[noop]\ncount = {jobs}\n'

# Optuna runs fewer: it is as fast with its first hundreds as with any, and slow enough.
TRIALS = 400

PEERS = Path(__file__).with_name("noop_peers.py")


def augreg(study: Study, jobs: int, workers: int) -> float:
    """Jobs a second, by the wall clock of the whole process: it registers the sweep, starts workers, runs
    every job, and ends."""
    command = study.command("--quiet", "launch", study.write(SWEEP.format(jobs=jobs)), "--workers", workers)
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.perf_counter() - begin
    (counted,) = study.query(
        "select count(*) as done, (select count(*) from attempt) as attempts"
        " from job join result on result.job_id = job.id where job.state = 'succeeded'"
    )
    if counted != {"done": str(jobs), "attempts": str(jobs)}:
        raise SystemExit(f"error: of {jobs} jobs this is on record: {counted}")
    return jobs / took


def peer(name: str, tasks: int, workers: int) -> float:
    """Tasks a second, by the peer's own clock from the first submission to the last end."""
    command = [os.environ["AUGREG_BENCH_PYTHON"], str(PEERS), name, str(tasks), str(workers)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return tasks / float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench noop",
        description="Jobs a second that do nothing: augreg, Optuna on SQLite, HyperQueue running /bin/true.",
    )
    parser.add_argument("--jobs", type=int, default=10_000, help="of augreg and HyperQueue (10,000)")
    parser.add_argument("--trials", type=int, default=TRIALS, help=f"of Optuna ({TRIALS})")
    parser.add_argument("--workers", type=int, default=2, help="of augreg, and cores of HyperQueue (2)")
    parser.add_argument("--rounds", type=int, default=3, help="each program runs once a round (3)")
    arguments = parser.parse_args()
    if min(arguments.jobs, arguments.trials, arguments.workers, arguments.rounds) < 1:
        parser.error("every number must be at least 1")

    # Studies are removed at the end only: ext4 searches long for a free inode among those that were freed
    # within the last minutes, and every job takes five.
    with ExitStack() as studies:
        compare(arguments, lambda: studies.enter_context(Study()))


def compare(arguments: argparse.Namespace, new_study: Callable[[], Study]) -> None:
    jobs, workers = arguments.jobs, arguments.workers
    programs = {
        "augreg launch": lambda: augreg(new_study(), jobs, workers),
        "Optuna, RDBStorage on SQLite": lambda: peer("optuna", arguments.trials, workers),
        "HyperQueue, /bin/true": lambda: peer("hyperqueue", jobs, workers),
    }
    about = f"{machine()}; {jobs:,} jobs, {workers} workers; {arguments.rounds} rounds, in turn"
    rates: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(arguments.rounds):
        for name, program in programs.items():
            rates[name].append(program())
            say(f"round {number + 1}: {name}: {rates[name][-1]:,.0f} a second")

    ours = rates["augreg launch"]
    rows = []
    for name, theirs in rates.items():
        ratios = [a / b for a, b in zip(ours, theirs)]
        rows.append([name, spread(theirs), "" if theirs is ours else spread(ratios, ".1f")])
    print(about, table(["program", "jobs a second", "augreg's are so many times as many"], rows), sep="\n\n")
    say(f"median: {median(ours):,.0f} a second")


if __name__ == "__main__":
    main()
