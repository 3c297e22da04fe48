"""A study in a temporary folder, driven through the built programs on Fashion-MNIST."""

import csv
import io
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ.get("AUGREG_BIN", REPOSITORY / "target/debug"))
AUGREG = PROGRAMS / "augreg"
DATA = REPOSITORY / "data/fashion-mnist"


@dataclass(frozen=True)
class Model:
    """The shape of a Vision Transformer, and how many steps of it make a measurement."""

    name: str
    width: int
    depth: int
    mlp: int
    heads: int
    patch: int
    steps: int


# The larger of sweeps/quickstart.toml, one twice as wide, and one that keeps a core's matrix units busy.
MODELS = {
    model.name: model
    for model in [
        Model("Mi/7", width=48, depth=3, mlp=192, heads=3, patch=7, steps=240),
        Model("Mu/7", width=96, depth=4, mlp=384, heads=6, patch=7, steps=100),
        Model("Ti6/4", width=192, depth=6, mlp=768, heads=3, patch=4, steps=12),
    ]
}
BATCH_SIZE = 128
LEARNING_RATE = 3e-3
CLASSES = 10
RESOLUTION = 28


def sweep(models: list[Model], regularization: list[float], steps: int, seed: int = 0) -> str:
    """A sweep file of one epoch of `steps` steps, evaluated once, on a few hundred images."""
    tables = "".join(
        f'[model."{model.name}"]\n'
        f"width = {model.width}\ndepth = {model.depth}\nmlp = {model.mlp}\n"
        f"heads = {model.heads}\npatch = {model.patch}\n\n"
        for model in models
    )
    names = ", ".join(f'"{model.name}"' for model in models)
    return f"""\
name = "bench"

[dataset.fashion]
format = "idx"
path = "{DATA}"
splits = {{ train = "train[:{steps * BATCH_SIZE}]", val = "train[59000:]", test = "test[:1000]" }}

{tables}[pretrain]
dataset = "fashion"
model = [{names}]
regularization = {regularization}
epochs = 1
resolution = {RESOLUTION}
batch_size = {BATCH_SIZE}
learning_rate = {LEARNING_RATE}
crop = "none"
evaluations = 1
seed = {seed}
"""


class Study:
    """A study folder that vanishes at the end of a `with`."""

    def __enter__(self) -> "Study":
        self._folder = tempfile.TemporaryDirectory(prefix="augreg-bench-")
        self.root = Path(self._folder.name) / "study"
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def write(self, text: str) -> Path:
        """Writes a sweep file beside the study."""
        path = Path(self._folder.name) / "sweep.toml"
        path.write_text(text)
        return path

    def command(self, *arguments: object) -> list[str]:
        """The command line of `augreg` on this study."""
        return [str(AUGREG), "--root", str(self.root), *map(str, arguments)]

    def run(self, *arguments: object, prefix: tuple[str, ...] = ()) -> str:
        """Runs `augreg` and returns what it printed; ends the program if it failed."""
        command = [*prefix, *self.command(*arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"error: {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def query(self, sql: str) -> list[dict[str, str]]:
        """The rows of a query, a dictionary each."""
        return list(csv.DictReader(io.StringIO(self.run("query", sql, "--format", "csv"))))
