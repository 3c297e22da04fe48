"""How long one `augreg query` takes, from the start of its process to its end."""

import argparse
import os
import sqlite3
import subprocess
import time
from pathlib import Path
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


def insert(database: sqlite3.Connection, table: str, row: dict) -> None:
    columns, marks = ", ".join(row), ", ".join("?" for _ in row)
    database.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(row.values()))


def fill(database: sqlite3.Connection, rows: int) -> None:
    """Finished jobs with results, as the scheduler leaves them."""
    for n in range(rows):
        axes = {
            "dataset": ["i1k", "i21k"][n % 2], "model": ["Ti/16", "S/32", "S/16", "B/32", "B/16"][n % 5],
            "augmentation": ["none", "light1", "medium1", "strong1"][n % 4], "dropout": 0.1 * (n % 2),
            "stochastic_depth": 0.1 * (n % 2), "weight_decay": 0.03, "learning_rate": 1e-3, "epochs": 30.0,
            "seed": n, "resolution": 224, "batch_size": 4096,
        }  # fmt: skip
        job = {
            "id": f"{n:026}", "stage": "pretrain", "labels": "{}", "spec": "{}", "state": "succeeded",
            "priority": 0, "dataset_fingerprint": "none", "flops": 1e18, "created": 0, "steps": 9000,
            "parameters": 5_717_416,
        }  # fmt: skip
        insert(database, "job", job | axes)
        final = 0.5 + n / 7.0 % 0.4
        result = {
            "job_id": job["id"], "attempt": 1, "best_val": final, "final_val": final, "final_test": final / 1.01,
            "train_loss": 1.0, "parameters_sha256": "", "steps": 9000, "seconds": n / 3.0,
            "images_per_second": 1000.0 / 3.0, "peak_memory": 1 << 30,
        }  # fmt: skip
        insert(database, "result", result)


def large(folder: Study, rows: int) -> dict[str, list[str]]:
    """A study of so many finished jobs, and what is asked of it: of pandas the same rows."""
    folder.run("--quiet", "import", "--paper")
    say(f"filling a study with {rows:,} finished jobs")
    database = sqlite3.connect(Path(folder.root) / "augreg.db")
    with database:
        fill(database, rows)
    database.close()
    csv = Path(folder.root) / "rows.csv"
    with csv.open("wb") as file:
        subprocess.run(folder.command("query", "--format", "csv"), stdout=file, check=True)
    tools = Path(__file__).resolve().parents[2] / ".tools"
    os.environ["PYTHONPATH"] = os.pathsep.join(str(tools / part) for part in ("pandas", "timm"))
    read = f"import pandas; frame = pandas.read_csv({str(csv)!r})"
    by = "['model', 'augmentation']"
    group = ["--group", "model,augmentation", "--show", "mean(final_val)", "max(final_test)", "count"]
    return {
        "augreg query --format csv, all rows": folder.command("query", "--format", "csv"),
        "augreg query --out rows.parquet, all rows": folder.command("query", "--out", f"{folder.root}/rows.parquet"),
        "augreg query --group model,augmentation": folder.command("query", *group),
        "pandas: import": ["python3", "-c", "import pandas"],
        "pandas: read_csv": ["python3", "-c", read],
        "pandas: read_csv, print as CSV": ["python3", "-c", f"{read}; import sys; frame.to_csv(sys.stdout)"],
        "pandas: read_csv, group": ["python3", "-c", f"{read}; print(frame.groupby({by}).final_val.mean())"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench query",
        description="Start-up time of `augreg query` on a study, beside that of other programs.",
    )
    parser.add_argument("--runs", type=int, default=30, help="how often each program runs (30)")
    parser.add_argument("--root", help="a study of yours; else a small one is made")
    parser.add_argument(
        "--rows", type=int, help="a study of so many finished jobs, beside pandas, which reads them from CSV"
    )
    arguments = parser.parse_args()
    if arguments.runs < 1 or (arguments.rows is not None and arguments.rows < 1):
        parser.error("there must be at least one run, and one row")

    with Study() as folder:
        if arguments.rows:
            rows = measure(large(folder, arguments.rows), arguments.runs)
            about = f"{machine()}; {arguments.rows:,} rows; {arguments.runs} runs each, in turn"
            print(about, table(["command", "relative", "median and range, ms"], rows), sep="\n\n")
            return
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
