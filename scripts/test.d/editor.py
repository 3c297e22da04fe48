"""The schema of sweep files in the program that editors ask: taplo, which is in Even Better TOML.

Every sweep file that ships passes `taplo lint`, and mistakes are named.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("AUGREG_BIN", REPOSITORY / "target/debug"))
TAPLO = REPOSITORY / ".tools/exports/bin/taplo"

MISTAKES = [
    ("epochs = [3, 10]", "epocs = [3, 10]", "'epocs' was unexpected"),
    ("epochs = [3, 10]", "", '"epochs" is a required property'),
    ("batch_size = 96", "batch_size = 0", "0 is less than the minimum"),
    ("resolution = 28", 'resolution = "28"', '"28" is not of type'),
]


def fail(message: str) -> NoReturn:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(1)


def lint(schema: Path, file: Path) -> tuple[bool, str]:
    ran = subprocess.run(
        [TAPLO, "lint", "--colors", "never", "--schema", schema.as_uri(), file], capture_output=True, text=True
    )
    return ran.returncode == 0, ran.stdout + ran.stderr


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        schema = folder / "sweep.schema.json"
        schema.write_bytes(subprocess.run([PROGRAMS / "augreg", "schema"], capture_output=True, check=True).stdout)

        shipped = sorted((REPOSITORY / "sweeps").glob("*.toml"))
        for file in shipped:
            passes, said = lint(schema, file)
            if not passes:
                fail(f"taplo does not take {file.name}: {said}")
        quickstart = (REPOSITORY / "sweeps/quickstart.toml").read_text()
        for right, wrong, expected in MISTAKES:
            if right not in quickstart:
                fail(f"sweeps/quickstart.toml has no `{right}`")
            file = folder / "wrong.toml"
            file.write_text(quickstart.replace(right, wrong, 1))
            passes, said = lint(schema, file)
            if passes or expected not in said:
                fail(f"`{wrong}` should be told as `{expected}`, and this is told: {said[:2000]}")
        print(f"taplo takes {len(shipped)} sweep files and names {len(MISTAKES)} mistakes")


if __name__ == "__main__":
    main()
