"""Cuts photographs of about 500 × 375 pixels out of larger ones, as JPEG files of quality 90; and all of them at 32 × 32, as bytes.

Usage: FOLDER-OF-PACKAGES FOLDER. Of each photograph comes one picture of the whole and, where it is large enough,
one of each quarter; every third stands upright. Which ones: those of Debian's packages opencv-doc and
mate-backgrounds that a camera took, sharp and blurred, bright and dark.
"""

import sys
from pathlib import Path

from PIL import Image, ImageOps

SIZES = [(500, 375), (500, 333), (375, 500)]
QUALITY = 90
OPENCV = """aero1 aero3 aloeL aloeR apple baboon board building ela_original fruits graf1 graf3 home leuvenA
leuvenB orange rubberwhale1 rubberwhale2 squirrel_cls stuff""".split()
MATE = "Blinds Dune Garden LadyBird RainDrops Storm TwoWings Wood YellowFlower".split()


def parts(photograph: Image.Image):
    """The whole, and quarters that are not smaller than what is cut out of them."""
    width, height = photograph.size
    yield photograph
    if width >= 1000 or photograph.format == "PNG":
        for left in (0, width // 2):
            for top in (0, height // 2):
                yield photograph.crop((left, top, left + width // 2, top + height // 2))


def photographs(packages: Path) -> list[Path]:
    names = [("opencv-doc/examples/data", name) for name in OPENCV] + [("mate/nature", name) for name in MATE]
    found = []
    for folder, name in names:
        files = [path for path in packages.rglob(f"{name}.*") if str(path.parent).endswith(folder)]
        if len(files) != 1:
            sys.exit(f"error: the Debian packages have changed: they have {len(files)} photographs {name}")
        found += files
    return found


def main() -> None:
    packages, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True)
    number, tiny = 0, []
    for path in photographs(packages):
        for part in parts(Image.open(path)):
            size = SIZES[number % len(SIZES)]
            fitted = ImageOps.fit(part.convert("RGB"), size, Image.Resampling.LANCZOS)
            fitted.save(target / f"{number:03}.jpg", quality=QUALITY)
            tiny.append(fitted.resize((32, 32)).tobytes())
            number += 1
    (target / "small.bin").write_bytes(b"".join(tiny))


if __name__ == "__main__":
    main()
