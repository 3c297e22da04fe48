"""What the scheduler takes of a processor while others train: many workers that report all the time."""

import argparse
import json
import os
import pty
import signal
import subprocess
import threading
import time
from pathlib import Path
from statistics import median

from study import PROGRAMS, Study
from tables import machine, say, spread, table

SWEEP = 'name = "bench"\n\n[noop]\ncount = {jobs}\n'

# How long trainings are under way before the measurement, in seconds: the older they are, the less
# often the scheduler looks; from fifty seconds on it is the same.
WARM_UP = 50

# Between two looks at how many workers are up.
PAUSE = 0.2


def seconds_used(process: int) -> float:
    """Processor time of a process so far, all of its threads and no child."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def drain(terminal: int) -> None:
    """Reads what is shown, as a terminal does."""
    while True:
        try:
            if not os.read(terminal, 65536):
                return
        except OSError:
            return


def measure(workers: int, seconds: float, on_terminal: bool) -> float:
    """The share of one core, in percent, that `augreg launch` takes once all workers report."""
    with Study() as study:
        file = study.write(SWEEP.format(jobs=workers))
        study.root.mkdir()
        (study.root / "fake-worker.json").write_text(json.dumps({"otherwise": "train"}))
        command = study.command("launch", file, "--workers", workers)
        environment = {**os.environ, "AUGREG_WORKER": str(PROGRAMS / "fake-worker"), "TERM": "xterm-256color"}
        terminal, end = pty.openpty()
        # As many lines as a tall window has: a bar for each worker.
        os.system(f"stty rows {workers + 6} columns 120 < {os.ttyname(end)}")
        threading.Thread(target=drain, args=(terminal,), daemon=True).start()
        talk = end if on_terminal else subprocess.DEVNULL
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=talk, env=environment)
        os.close(end)
        try:
            witness = study.root / "ran.log"
            while not witness.exists() or witness.read_text().count("\n") < workers:
                if running.poll() is not None:
                    raise SystemExit("error: the run ended before its workers were up")
                time.sleep(PAUSE)
            time.sleep(WARM_UP)
            before, begin = seconds_used(running.pid), time.perf_counter()
            time.sleep(seconds)
            share = 100 * (seconds_used(running.pid) - before) / (time.perf_counter() - begin)
            (stored,) = study.query("select count(distinct job_id) as jobs, max(step) as steps from metric")
            if stored["jobs"] != str(workers) or int(stored["steps"]) < 10 * (WARM_UP + seconds - 10):
                raise SystemExit(f"error: what was reported is not on record: {stored}")
            return share
        finally:
            running.send_signal(signal.SIGINT)
            running.wait()
            os.close(terminal)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/bench overhead",
        description="Processor time of the scheduler while simulated workers report every 100 ms.",
    )
    parser.add_argument("--workers", type=int, default=64, help="how many report (64)")
    parser.add_argument("--seconds", type=float, default=20, help="how long each measurement takes (20)")
    parser.add_argument("--rounds", type=int, default=3, help="each case is measured once a round (3)")
    arguments = parser.parse_args()
    if min(arguments.workers, arguments.rounds) < 1 or arguments.seconds < 5:
        parser.error("at least one worker and one round, of at least 5 seconds")

    cases = {"no terminal": False, "live display on a terminal": True}
    shares: dict[str, list[float]] = {name: [] for name in cases}
    about = f"{machine()}; {arguments.workers} workers; {arguments.rounds} rounds of {arguments.seconds:.0f} s, in turn"
    for number in range(arguments.rounds):
        for name, on_terminal in cases.items():
            shares[name].append(measure(arguments.workers, arguments.seconds, on_terminal))
            say(f"round {number + 1}: {name}: {shares[name][-1]:.2f} % of one core")
    rows = [[name, spread(values, ".2f")] for name, values in shares.items()]
    print(about, table(["standard error is", "% of one core"], rows), sep="\n\n")
    say(f"highest median: {max(median(values) for values in shares.values()):.2f} %")


if __name__ == "__main__":
    main()
