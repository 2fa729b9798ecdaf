"""The parts of docs/results.md and docs/speed.md that `facetwise bench image-text` and the speed of
its training give; written by results.py."""

import json
import tempfile
from pathlib import Path

from facetwise.evaluation.bench_plots import write_plots
from facetwise.evaluation.bench_tables import (
    Table,
    cost_table,
    difference_table,
    swaps,
    system_table,
)

NAMES = {
    "flickr8k": "Flickr8k: photos and captions",
    "emoji-designs": "Emoji by nine artists: drawings, labels and tags",
    "openmoji": "OpenMoji: drawings, names and tags",
}
ENCODERS = {"minilm": "MiniLM, frozen", "glove": "GloVe and a Bi-GRU, trained"}


def markdown(table: Table) -> str:
    head, body = table
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in body)])


def section(results: dict, source: Path, docs: Path) -> str:
    """A data set's tables; its plots go to docs/images."""
    name, data, machine = results["data"]["name"], results["data"], results["machine"]
    recipe = results["recipes"][results["texts"][0]]
    training = recipe["sets"]["training"]
    systems = [one for one in results["systems"] if one not in swaps(results)]
    pictures = plots(results, docs / "images", source.stem)
    parts = list(results["runs"][0]["report"])
    out = [
        f"## {NAMES.get(name, name)}",
        f"""From `results/{source.name}`, which `facetwise bench image-text` printed
({machine["cores"]} cores, {machine["jobs"]} trainings at a time, {machine["processor"]}, PyTorch
{machine["torch"]}). Percent; mean ± standard deviation over {results["seeds"]} seeds. All systems
have the same frozen pictures (EfficientNet-Lite0 at {recipe["encoders"]["pixels"]} px), the same
{data["train"]["images"]:,} training pictures, {training["steps"]} steps of {training["batch"]}
pictures (cross attention, which weighs every pair anew: fewer), rates and schedule; only the loss
is a system's own. The moment of each training was
chosen on {data["watched"]["images"]:,} further pictures, which nothing was trained on and which
are not reported. Ties count against the model. MiniLM has seen captions of Flickr30K and COCO in
its own training.""",
        f"![each system beside its own mean vectors](images/{pictures[0]})",
    ]
    for text in results["texts"]:
        out.append(f"### {ENCODERS.get(text, text)}")
        for part in parts:
            about = data[part]
            out.append(f"*{part}*: {about['images']:,} pictures, {about['texts']:,} texts.")
            out.append(markdown(system_table(results, text, systems, part)))
        difference = difference_table(results, text)
        if difference[1]:
            out.append(
                "Set systems minus the best single-vector system on these pictures, and minus "
                "their own mean vectors: means over seeds, with paired 95% intervals of a "
                "bootstrap over pictures with their texts."
            )
            out.append(markdown(difference))
        out.append(markdown(cost_table(results, text, systems)))
    if results["ablations"]:
        out.append("### What DivE is made of, one swap at a time")
        out.append(f"![ablations](images/{pictures[1]})")
        for group, names in results["ablations"].items():
            table = system_table(results, results["texts"][0], names, group=group)
            out.append(f"**{group}**\n\n{markdown(table)}")
    return "\n\n".join(out) + "\n"


def plots(results: dict, folder: Path, stem: str) -> list[str]:
    """PNGs under names of their own."""
    names = []
    with tempfile.TemporaryDirectory() as drawn:
        for file in write_plots(results, Path(drawn)):
            name = file.name.replace("bench-image-text", stem)
            (folder / name).write_bytes(file.read_bytes())
            names.append(name)
    return names


def speed_section(folder: Path) -> str:
    """Of docs/speed.md; empty before it was measured."""
    out = []
    file = folder / "speed-image-text-step.json"
    if file.exists():
        found = json.loads(file.read_text())
        parts = ("forward", "loss", "backward", "optimiser")
        head = ["", "pictures, captions", "K, D", *parts, "share of encoders and module"]
        body = [
            [
                step["what"],
                f"{step['images']}, {step['captions']:,}",
                f"{step['K']}, {step['D']}",
                *(f"{step['seconds'][part]:.2f} s" for part in parts),
                f"{100 * step['share_of_encoders_and_module']:.0f}%",
            ]
            for step in found["steps"]
        ]
        memory = [
            f"of {one['loss']} {one['MiB']} MiB ({one['seconds']:.1f} s)"
            for one in found["loss_memory"]
        ]
        out += [
            "## A training step of DivE",
            f"`python benchmarks/image_text_step.py`, {found['machine']['threads']} thread; "
            "medians. The loss is what follows the sets: scores, penalties, and the way back.",
            markdown((head, body)),
            "The loss on 200 images x 1,000 captions, K = 4, D = 1024, forward and backward in a "
            f"fresh process, takes beyond the sets: {'; '.join(memory)}.",
        ]
    file = folder / "speed-cache-rate.json"
    if file.exists():
        found = json.loads(file.read_text())
        cache, step = found["cache"], found["step"]
        read = cache["read_pictures_per_second"]
        out += [
            "## Features from the cache",
            f"`python benchmarks/cache_rate.py`: {cache['pictures']:,} pictures of "
            f"{cache['kilobytes_a_picture']:.0f} KB are read at {read['in_order']:,.0f} pictures a "
            f"second in order and {read['shuffled']:,.0f} shuffled; a step takes "
            f"{step['images_per_second']:,.0f} a second, {found['times_faster_than_a_step']} times "
            "fewer. Training reads them once, before its first step.",
        ]
    return "".join(f"\n{part}\n" for part in out)


__all__ = ["section", "speed_section"]
