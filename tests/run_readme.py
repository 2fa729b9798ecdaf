"""Run what a document shows: `python tests/run_readme.py README.md`.

Its ```python blocks run one after the other in one namespace, its ```sh blocks line by line as far
as they are `facetwise` commands, all in a temporary folder with a small shop in it (`shop/` with
`styles.csv` and `images/<id>.jpg`, and `a.jpg`). What needs minutes or never ends (`demo`, `bench`,
`serve`) is only asked for its help.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONLY_HELP = {"demo", "bench", "serve"}
COLOURS = {"Red": "#c22", "Blue": "#24c", "Green": "#282", "Black": "#222", "Yellow": "#dc2"}
KINDS = ("Shirt", "Sports Shoe", "Watch")
GENDERS = ("Men", "Women")


def make_shop(folder: Path) -> None:
    """A shop of 60 drawn things: each colour, kind and gender twice."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for n in range(60):
        colour = list(COLOURS)[n % 5]
        kind = KINDS[n // 5 % 3]
        gender = GENDERS[n // 15 % 2]
        number = 1163 + n
        draw(kind, COLOURS[colour], shift=n // 30 * 6).save(folder / "images" / f"{number}.jpg")
        rows.append((number, gender, kind, colour, f"{colour} {kind} for {gender}".lower()))
    with open(folder / "styles.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "gender", "articleType", "baseColour", "productDisplayName"))
        writer.writerows(rows)


def draw(kind: str, colour: str, shift: int) -> Image.Image:
    image = Image.new("RGB", (96, 96), "white")
    pen = ImageDraw.Draw(image)
    if kind == "Shirt":
        pen.polygon([(20 + shift, 20), (76, 20), (86, 44), (70, 44), (70, 84), (26, 84)], colour)
    elif kind == "Watch":
        pen.rectangle((42, 8, 54 + shift, 88), "#555")
        pen.ellipse((28, 28, 68 + shift, 68), colour)
    else:
        pen.polygon([(10, 70), (14, 40), (40, 44 + shift), (86, 60), (86, 72)], colour)
        pen.rectangle((10, 72, 86, 80), "#ddd")
    return image


def run_python(code: str, names: dict[str, object], where: str, first_line: int) -> None:
    # Blank lines before it make a traceback show the document's own line numbers.
    exec(compile("\n" * first_line + code, where, "exec"), names)


def run_shell(block: str, where: str) -> None:
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["facetwise"]:
            continue
        if words[1] in ONLY_HELP:
            words = [*words[:2], "--help"]
        print(f"  $ {line}", file=sys.stderr, flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "facetwise.cli.main", *words[1:]], capture_output=True, text=True
        )
        if done.returncode:
            print(done.stdout, done.stderr, file=sys.stderr)
            sys.exit(f"error: {where}: `{line}` ended with {done.returncode}")


def main(documents: list[str]) -> None:
    for document in documents:
        path = Path(document).resolve()
        text = path.read_text(encoding="utf-8")
        start = time.monotonic()
        count = 0
        names: dict[str, object] = {"__name__": "__main__"}
        with tempfile.TemporaryDirectory() as folder:
            here = Path.cwd()
            os.chdir(folder)
            try:
                make_shop(Path("shop"))
                draw("Sports Shoe", COLOURS["Red"], shift=3).save("a.jpg")
                for block in BLOCK.finditer(text):
                    count += 1
                    language, code = block.groups()
                    if language == "python":
                        run_python(code, names, document, text[: block.start(2)].count("\n"))
                    else:
                        run_shell(code, document)
            finally:
                os.chdir(here)
        print(f"{document}: {count} blocks ran in {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:] or ["README.md"])
