"""Images a second from files in memory to float tensors, against the loaders people use, in turn.

Every program is started once and waits for its turn; a round is one measurement of each. The wall clock counts; what
the processors were busy with meanwhile is printed as well, since other programs may want the same cores.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from tables import machine, say, spread, table

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("AUGREG_BIN", ROOT / "target/debug")) / "examples/photographs_per_second"
PHOTOGRAPHS = ROOT / ".tools/bench-photographs"
TIMM = ROOT / ".tools/timm"
TICK = os.sysconf("SC_CLK_TCK")
WARM_UP = 0.3  # Seconds that do not count.
PEERS = ["torchvision", "torchvision-v2", "timm", "tf.data", "dali"]
ALONE = {"torchvision", "torchvision-v2", "timm", "torchvision-small"}  # One thread a process.


class Program:
    """One or several processes that measure when they are told to, together."""

    def __init__(self, commands: list[list[str]], env: dict[str, str]) -> None:
        quiet = subprocess.DEVNULL if "AUGREG_BENCH_VERBOSE" not in os.environ else None
        pipe = subprocess.PIPE
        self.processes = [
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=quiet, env=env, text=True)
            for command in commands
        ]

    def busy(self) -> float:
        """Seconds of processors so far."""
        ticks = 0
        for process in self.processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICK

    def measure(self, seconds: float) -> tuple[float, float]:
        """Images a second by the clock, and a second of a processor."""
        before = self.busy()
        for process in self.processes:
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        images, took = 0, 0.0
        for process in self.processes:
            answer = process.stdout.readline().split()
            if len(answer) != 2:
                sys.exit(f"error: {' '.join(process.args)} failed\n  help: set AUGREG_BENCH_VERBOSE=1 to see why")
            images += int(answer[0])
            took = max(took, float(answer[1]))
        return images / took, images / max(self.busy() - before, 1e-9)

    def end(self) -> None:
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()


def ours(what: str, source: Path, case: list[str], threads: int) -> Program:
    return Program([[str(PROGRAM), str(source), what, *case, str(threads)]], dict(os.environ))


def peer(name: str, source: Path, case: list[str], threads: int) -> Program:
    python, env = os.environ["AUGREG_BENCH_PYTHON"], dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    if name in ALONE:
        python, env = "python3", dict(os.environ, PYTHONPATH=str(TIMM))
    copies, each = (threads, 1) if name in ALONE else (1, threads)
    script = str(Path(__file__).parent / "data_peers.py")
    return Program([[python, script, name, str(source), *case, str(each)]] * copies, env)


def compare(programs: dict[str, Program], rounds: int, seconds: float) -> list[list[str]]:
    """A row each: ratio, images a second, images a second of a processor. The first is augreg."""
    clock = {name: [] for name in programs}
    busy = {name: [] for name in programs}
    for program in programs.values():
        program.measure(WARM_UP)  # Or the first to be measured would share the cores with the others' imports.
    for round_ in range(rounds):
        say(f"  round {round_ + 1} of {rounds}")
        for name, program in programs.items():
            by_clock, by_processor = program.measure(seconds)
            clock[name].append(by_clock)
            busy[name].append(by_processor)
    rows = []
    for name, program in programs.items():
        program.end()
        ratios = [mine / theirs for mine, theirs in zip(clock["augreg"], clock[name], strict=True)]
        ratio = "" if name == "augreg" else spread(ratios, ".2f")
        again = "" if name == "augreg" else f"{median(busy['augreg']) / median(busy[name]):.2f}"
        rows.append([name, ratio, spread(clock[name]), again, f"{median(busy[name]):,.0f}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench data", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each program (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement (2)")
    parser.add_argument("--threads", default="1,2", help="how many workers, in turn (1,2)")
    parser.add_argument("--peers", default=",".join(PEERS), help="which (all)")
    arguments = parser.parse_args()
    files = [path for path in PHOTOGRAPHS.iterdir() if path.suffix == ".jpg"]
    size = sum(path.stat().st_size for path in files) / len(files)
    print(f"{machine()}; {len(files)} photographs of {size / 1000:.0f} kB\n")
    small, folder = PHOTOGRAPHS / "small.bin", PHOTOGRAPHS
    for threads in map(int, arguments.threads.split(",")):
        for layers, magnitude in ((0, 0), (2, 15)):
            what = f"RandAugment({layers}, {magnitude})" if layers else "no RandAugment"
            case = ["224", str(layers), str(magnitude)]
            say(f"{threads} workers, {what}")
            programs = {"augreg": ours("augment", folder, case, threads)}
            programs |= {name: peer(name, folder, case, threads) for name in arguments.peers.split(",")}
            if not layers:
                programs["libjpeg-turbo, whole photographs, nothing else"] = ours("decode", folder, case, threads)
            rows = compare(programs, arguments.rounds, arguments.seconds)
            case[0] = "32"
            programs = {"augreg": ours("small", small, case, threads)}
            programs["torchvision, 32×32"] = peer("torchvision-small", small, case, threads)
            tiny = compare(programs, arguments.rounds, arguments.seconds)
            tiny[0][0] = "augreg, 32×32"
            head = [f"{what}, workers: {threads}", "augreg /", "images/s", "augreg /", "images/s of a processor"]
            print(table(head, rows + tiny) + "\n", flush=True)


if __name__ == "__main__":
    main()
