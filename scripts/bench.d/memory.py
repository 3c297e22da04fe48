"""Peak resident memory of the scheduler and of its workers while a small sweep runs."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import study
from study import MODELS, Study
from tables import machine, say, table

PERIOD = 0.02  # seconds between samples


def status(process: int) -> dict[str, str]:
    """/proc/PID/status by key; empty once the process is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def family(ancestor: int) -> list[int]:
    """The process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            parent = int(status(int(entry.name)).get("PPid", 0))
            children.setdefault(parent, []).append(int(entry.name))
    found = [ancestor]
    for process in found:
        found.extend(children.get(process, []))
    return found


def watch(running: subprocess.Popen) -> dict[int, tuple[str, int]]:
    """Name and highest VmHWM in kB of each process of the family, until it ends.

    The highest of all samples, not the last: a worker lets its peak begin anew with each job.
    """
    peaks: dict[int, tuple[str, int]] = {}
    while running.poll() is None:
        for process in family(running.pid):
            now = status(process)
            peak = int(now.get("VmHWM", "0 kB").split()[0])
            peaks[process] = (now.get("Name", "?"), max(peak, peaks.get(process, ("", 0))[1]))
        time.sleep(PERIOD)
    return {process: entry for process, entry in peaks.items() if entry[1] > 0}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench memory",
        description="Peak memory (VmHWM, sampled 50 times a second) of each process of a sweep.",
    )
    parser.add_argument("sweep", nargs="?", help="a sweep file; else four jobs of two micro models")
    parser.add_argument("--workers", type=int, help="as of `augreg launch`; else its default")
    arguments = parser.parse_args()

    with Study() as folder:
        models = [MODELS["Mi/7"], MODELS["Mu/7"]]
        file = arguments.sweep or folder.write(study.sweep(models, [0.0, 0.1], 240))
        workers = ["--workers", arguments.workers] if arguments.workers else []
        command = folder.command("--quiet", "launch", file, *workers)
        about = machine()
        say(f"running {' '.join(command)}")
        with tempfile.TemporaryFile("w+") as talk:
            running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=talk)
            peaks = watch(running)
            if running.returncode != 0:
                talk.seek(0)
                sys.exit(f"error: the sweep ended with {running.returncode}:\n{talk.read()}")
        jobs = folder.query("select model, dropout, max(peak_memory) as peak from v_jobs group by 1, 2")

    rows = [[name, str(process), f"{peak / 1024:,.0f}"] for process, (name, peak) in sorted(peaks.items())]
    reported = [[f"{job['model']}, {job['dropout']}", f"{int(job['peak']) / 2**20:,.0f}"] for job in jobs]
    print(about, table(["process", "id", "peak, MiB"], rows), sep="\n\n")
    print("", "As the workers report it, by job:", "", sep="\n")
    print(table(["model, regularization", "peak, MiB"], reported))


if __name__ == "__main__":
    main()
