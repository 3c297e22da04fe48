"""How measurements are summed up and printed: Markdown, as it stands in docs/performance.md."""

import os
import sys
from statistics import median


def spread(values: list[float], form: str = ",.0f") -> str:
    """Median, and the range in brackets."""
    low, mid, high = (format(value, form) for value in (min(values), median(values), max(values)))
    return f"{mid} ({low} to {high})"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table whose columns but the first are aligned to the right."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def say(text: str) -> None:
    """Talk, on standard error; results go to standard output."""
    print(text, file=sys.stderr, flush=True)


def machine() -> str:
    """The processor, the cores this program may use, and how busy they were in the last minute."""
    name = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} cores, load average {os.getloadavg()[0]:.1f} at the start"
