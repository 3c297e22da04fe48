"""What sweeps of many jobs cost: to register, to plan, to ask after, and to go on with."""

import argparse
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from study import DATA, Study
from tables import machine, say, table

SIZES = [10_000, 100_000, 1_000_000]

# Of the study that is resumed.
JOBS, DONE = 100_000, 60_000

PRETRAIN = """\
name = "bench"

[dataset.fashion]
format = "idx"
path = "{data}"
splits = {{ train = "train[:55000]", val = "train[55000:]", test = "test" }}

[pretrain]
dataset = "fashion"
model = ["Ti/16", "S/16"]
augmentation = ["none", "light1", "medium1", "strong2"]
regularization = [0.0, 0.1]
weight_decay = [0.03, 0.1]
epochs = [3, 30]
learning_rate = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]
seed = [{seeds}]
"""

# Points of the grid above but for its seeds.
POINTS_A_SEED = 2 * 4 * 2 * 2 * 2 * 5

NOOP = 'name = "bench"\n\n[noop]\ncount = {jobs}\n'


def pretrain(jobs: int) -> str:
    """A sweep of about so many jobs that would train."""
    seeds = ", ".join(map(str, range(-(-jobs // POINTS_A_SEED))))
    return PRETRAIN.format(data=DATA, seeds=seeds)


def run(command: list[str]) -> tuple[float, float]:
    """Runs a program to its end: wall-clock seconds, peak memory in MiB."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        peak = 0
        while program.poll() is None:
            peak = max(peak, high_water(program.pid))
            time.sleep(0.002)
    if program.returncode != 0:
        raise SystemExit(f"error: {' '.join(command)} ended with {program.returncode}")
    return time.perf_counter() - began, peak / 1024


def high_water(pid: int) -> int:
    """VmHWM of a process in KiB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) if lines else 0


def measure(kind: str, jobs: int) -> list[str]:
    """Registers a sweep, asks after it and plans it again; a row of the table."""
    say(f"registering {jobs:,} jobs of {kind}")
    with Study() as study:
        file = study.write(pretrain(jobs) if kind == "pretrain" else NOOP.format(jobs=jobs))
        seconds, memory = run(study.command("launch", "--register-only", file))
        run(study.command("status"))  # Warms the caches.
        status, _ = run(study.command("status"))
        plan, plan_memory = run(study.command("plan", file))
        size = (study.root / "augreg.db").stat().st_size
    return [
        f"{kind}, {jobs:,}",
        f"{seconds:.2f}",
        f"{seconds / jobs * 1e6:.1f}",
        f"{memory:.0f}",
        f"{status * 1000:.0f}",
        f"{plan:.2f}",
        f"{plan_memory:.0f}",
        f"{size / 2**20:,.0f}",
    ]


def finish_some(database: Path) -> None:
    """Writes what a scheduler would have, had it finished some of the jobs."""
    connection = sqlite3.connect(database)
    some = f"SELECT id FROM job ORDER BY ordinal LIMIT {DONE}"
    connection.executescript(
        f"""
        BEGIN;
        INSERT INTO attempt (job_id, number, state, executor, slot, device, from_step, started, ended)
        SELECT id, 1, 'succeeded', 'local', '0', 'cpu', 0, 0, 1 FROM ({some});
        INSERT INTO result (job_id, attempt, train_loss, steps, seconds, images_per_second,
                            peak_memory, parameters_sha256)
        SELECT id, 1, 0.0, 1, 0.001, 0.0, 1, '' FROM ({some});
        UPDATE job SET state = 'succeeded' WHERE id IN ({some});
        COMMIT;
        """
    )
    connection.close()


# Answered from an index, so that asking takes nothing of what is measured.
BEGUN = "SELECT EXISTS (SELECT 1 FROM attempt WHERE state = 'running' AND started >= ?)"


def resume(study: Study, end: signal.Signals) -> float:
    """Seconds from the start of `augreg resume` until an attempt of its own is in the database."""
    command = study.command("--quiet", "resume", "--workers", 2)
    log = study.root / "augreg.db-wal"
    now, began = time.time_ns() // 1_000_000, time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        # Whoever has the database open when a scheduler comes or leaves makes the next one check it.
        while not log.exists() and program.poll() is None:
            time.sleep(0.005)
        connection = sqlite3.connect(f"file:{study.root / 'augreg.db'}?mode=ro", uri=True)
        while connection.execute(BEGUN, (now,)).fetchone() == (0,) and program.poll() is None:
            time.sleep(0.005)
        took = time.perf_counter() - began
        connection.close()
        program.send_signal(end)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench scale",
        description="Time and memory for sweeps of ten thousand jobs to a million.",
    )
    parser.add_argument("--most", type=int, default=SIZES[-1], help="the largest sweep (1,000,000)")
    parser.add_argument("--runs", type=int, default=3, help="how often a study is resumed (3)")
    arguments = parser.parse_args()

    print(machine(), flush=True)
    sizes = [size for size in SIZES if size <= arguments.most]
    rows = [measure(kind, jobs) for kind in ("noop", "pretrain") for jobs in sizes]
    head = ["jobs", "register, s", "µs a job", "peak, MiB", "`status`, ms", "`plan`, s"]
    print("", table([*head, "its peak, MiB", "database, MiB"], rows), sep="\n", flush=True)

    say(f"resuming a study of {JOBS:,} jobs, {DONE:,} of them done")
    with Study() as study:
        file = study.write(NOOP.format(jobs=JOBS))
        run(study.command("launch", "--register-only", file))
        finish_some(study.root / "augreg.db")
        in_order = [resume(study, signal.SIGTERM) for _ in range(arguments.runs)]
        resume(study, signal.SIGKILL)
        after_a_crash = [resume(study, signal.SIGKILL) for _ in range(arguments.runs)]
    print(f"\nresume of {JOBS:,} jobs with {DONE:,} done, seconds to the first dispatch:")
    for last, times in (("left in order", in_order), ("was killed", after_a_crash)):
        shown = ", ".join(f"{seconds:.2f}" for seconds in times)
        print(f"the last scheduler {last}: {shown}")


if __name__ == "__main__":
    main()
