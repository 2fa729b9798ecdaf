"""The part of docs/speed.md on the attributes of pairs."""

import json
from pathlib import Path

WAYS = ("floats", "loop", "cells")


def attribute_speed(folder: Path) -> str:
    """Empty before it was measured."""
    file = folder / "speed-attribute-pairs.json"
    if not file.exists():
        return ""
    found = json.loads(file.read_text())
    rows = [
        "| f_a | ms | of writing it | gathered floats | loop over pairs | loop over cells |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for one in found["results"]:
        faster = one["times_faster_than"]
        times = [f"{faster[name]} x" if name in faster else "" for name in WAYS]
        cells = [one["what"], f"{one['ms']['bits']:.1f}", str(one["of_the_write"]), *times]
        rows.append("| " + " | ".join(cells) + " |")
    same = all(one["same_as_the_loop"] for one in found["results"])
    parts = (
        "## Attributes of pairs",
        f"`python benchmarks/attribute_pairs.py`, {found['machine']['threads']} thread: targets "
        f"and mask of {found['pairs']:,} pairs and {found['attributes']} attributes as float32, "
        "from bits packed eight to a byte; then how many times as long the others take (the loops "
        f"by {found['loop_timed_on']} of the pairs). The results are "
        f"{'the same' if same else 'NOT THE SAME'}.",
        "\n".join(rows),
        f'"Both have the same value" of {found["same_value_groups"]} attribute groups, of the '
        f"same pairs: {found['same_value_ms']:.1f} ms.",
    )
    return "".join(f"\n{part}\n" for part in parts)
