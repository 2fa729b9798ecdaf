"""A tiny Polyvore Outfits tree in the exact formats of METHODS 4.4."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

KINDS = ("tops", "bottoms", "shoes", "bags")
SETS = [str(100_000_000 + 7919 * number) for number in range(12)]
UNCHANGED = 3  # false outfits that are true ones, as in PAN's files


def item(outfit: int, index: int) -> str:
    """The first item of outfits 0 and 1 is the same."""
    return "5000" if (outfit, index) in ((0, 1), (1, 1)) else str(6000 + 10 * outfit + index)


def write_polyvore(
    root: Path,
    split: str = "test",
    *,
    version: str = "nondisjoint",
    resolved: bool = True,
    pictures: bool = True,
    metadata: bool = True,
    resampled: bool = True,
    original: bool = True,
) -> Path:
    """Twelve outfits of four items, with a question of each kind about each of them."""
    folder = root / version
    folder.mkdir(parents=True, exist_ok=True)
    if resolved:
        outfits = [
            {
                "items": [{"item_id": item(n, i), "index": i} for i in range(1, 5)],
                "set_id": name,
            }
            for n, name in enumerate(SETS)
        ]
        (folder / f"{split}.json").write_text(json.dumps(outfits))
    if original:
        _blanks(folder / f"fill_in_blank_{split}.json", 4, right=2)
        _compatibility(folder / f"compatibility_{split}.txt", unchanged=0)
    if resampled:
        short = "val" if split == "valid" else split
        _blanks(folder / f"fill_in_blank_{split}_harder_new.json", 10, right=0)
        _compatibility(folder / f"fashion_compatibility_harder_{short}.txt", unchanged=UNCHANGED)
    items = [item(n, i) for n in range(12) for i in range(1, 5)]
    if pictures:
        (root / "images").mkdir(exist_ok=True)
        for number, name in enumerate(dict.fromkeys(items)):
            colour = (number * 5 % 256, number * 41 % 256, number * 97 % 256)
            Image.new("RGB", (32, 32), colour).save(root / "images" / f"{name}.jpg")
    if metadata:
        about = {
            item(n, i): {
                "url_name": f"item {n} {i}",
                "title": "High-waisted wool skirt" if i == 2 else "",
                "description": "Cute, off white." if n % 2 else "",
                "categories": ["Women's Fashion", "Clothing"],
                "category_id": str(i),
                "semantic_category": KINDS[i - 1],
            }
            for n in range(12)
            for i in range(1, 5)
        }
        (root / "polyvore_item_metadata.json").write_text(json.dumps(about))
        (root / "categories.csv").write_text("1,Blouse,tops\n2,Skirt,bottoms\n3,Heel,shoes\n")
        (root / "dataset").mkdir(exist_ok=True)
        (root / "dataset" / "attribute_list.txt").write_text("cute\nhighwaisted\nwool\nskinny")
    return root


def _blanks(file: Path, candidates: int, *, right: int) -> None:
    entries = []
    for n, name in enumerate(SETS):
        blank = 1 + n % 4
        others = [f"{SETS[(n + step) % 12]}_{blank}" for step in range(2, candidates + 1)]
        answers = [*others[:right], f"{name}_{blank}", *others[right:]]
        given = [f"{name}_{i}" for i in range(1, 5) if i != blank]
        entries.append({"question": given, "answers": answers, "blank_position": blank})
    file.write_text(json.dumps(entries))


def _compatibility(file: Path, *, unchanged: int) -> None:
    true = [[f"{name}_{i}" for i in range(1, 5)] for name in SETS]
    lines = [f"1 {' '.join(tokens)}" for tokens in true]
    for n, tokens in enumerate(true):
        other = (
            tokens[::-1] if n < unchanged else [*tokens[:2], f"{SETS[(n + 5) % 12]}_3", tokens[3]]
        )
        lines.append(f"0 {' '.join(other)}")
    file.write_text("\n".join(lines) + "\n")
