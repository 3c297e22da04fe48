"""How long one `augreg query` takes, from the start of its process to its end."""

import argparse
import subprocess
import time
from statistics import median

import study
from study import MODELS, Study
from tables import machine, say, spread, table


def seconds(command: list[str]) -> float:
    """Wall clock of one run; what it prints is thrown away, but must be printed."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def measure(commands: dict[str, list[str]], runs: int) -> list[list[str]]:
    """All commands in turn, `runs` times after one that warms the caches; rows of the table."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for run in range(runs + 1):
        for name, command in commands.items():
            took = seconds(command)
            if run > 0:
                times[name].append(took * 1000)
    ours = median(next(iter(times.values())))
    return [[name, f"{median(t) / ours:.2f}", spread(t, ".1f")] for name, t in times.items()]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench query",
        description="Start-up time of `augreg query` on a study, beside that of other programs.",
    )
    parser.add_argument("--runs", type=int, default=30, help="how often each program runs (30)")
    parser.add_argument("--root", help="a study of yours; else a small one is made")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("there must be at least one run")

    with Study() as folder:
        if arguments.root:
            folder.root = arguments.root
        else:
            say("training two small jobs, so that there is something to ask for")
            folder.run("--quiet", "launch", folder.write(study.sweep([MODELS["Mi/7"]], [0.0, 0.1], 8)))
        (counted,) = folder.query("select count(*) as jobs from v_jobs")
        about = f"{machine()}; a study of {counted['jobs']} jobs; {arguments.runs} runs each, in turn"
        rows = measure(
            {
                "augreg query --format csv": folder.command("query", "--format", "csv"),
                "augreg --version": [str(study.AUGREG), "--version"],
                "true (no work: the cost of a process)": ["true"],
                "python3 -c pass": ["python3", "-c", "pass"],
                'python3 -c "import sqlite3"': ["python3", "-c", "import sqlite3"],
            },
            arguments.runs,
        )
    print(about, table(["command", "relative", "median and range, ms"], rows), sep="\n\n")


if __name__ == "__main__":
    main()
