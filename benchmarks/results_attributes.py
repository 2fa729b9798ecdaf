"""The part of docs/results.md that `facetwise bench attributes` gives; written by results.py."""

import tempfile
from pathlib import Path

from facetwise.evaluation.bench_attribute_plots import write_plots
from facetwise.evaluation.bench_attribute_tables import world_tables
from results_image_text import markdown

NAMES = {
    "birds": "Birds: classes of many pictures",
    "fashion": "Fashion: things of few pictures",
    "outfits": "Outfits: what goes with what",
}
ASKED = {
    "birds": "Few-shot episodes of classes that were never seen in training: the mean score of a "
    "query with the shots of a class, or the score with their mean embedding (*prototypes*). "
    "Retrieval: every picture asks for the others of its class.",
    "fashion": "Every picture of a thing that was never seen in training asks for the others.",
    "outfits": "Which of 4 or of 10 items of the same type belongs to the others (FITB), and the "
    "true outfits against ones in which an item was replaced by another of its type (AUC). Several "
    "questions of each outfit, resampled together.",
}
AT_RANDOM = (
    "Every picture asks for the others of its thing, among pictures that were drawn at random and "
    "held out: as when new products come into a catalogue. Most things have others in training."
)
NOTES = {
    "paired differences, 95% intervals": "PAN minus its rivals on the very same episodes, queries "
    "and questions: means over the seeds, bootstrap over episodes, queries and outfits. An "
    "interval without 0 says that one of the two is better.",
    "relevance": "Where a pair's entropy is nearly that of the mean relevance, the relevance "
    "hardly depends on the pair.",
    "explanations: percent of named agreements that are true": "Of the (at most 5) agreements that "
    "an explanation names, held to labels that the model has not seen; *the usual*: naming as many "
    "that agree most often, without a look; *chance*: how many agree at all.",
    "all ranked, and the first 100 of its head ranked again": "Papers report the latter, which "
    "hides what a model does with pictures that its head keeps out.",
}


def attributes_section(results: dict, source: Path, docs: Path) -> str:
    """Every world's tables; plots go to docs/images."""
    machine = results["machine"]
    pictures = plots(results, docs / "images", source.stem)
    out = []
    for kind, world in results["worlds"].items():
        data, recipe = world["data"], world["recipe"]
        train, reported = data["train"], data["reported"]
        unit = "outfits" if kind == "outfits" else "groups"
        drawn = kind == "fashion" and recipe["data"]["by"] == "item"
        asked, others = (AT_RANDOM, "") if drawn else (ASKED[kind], " others")
        parted = "ablations" in source.stem  # a file of ablations alone: the rest stands elsewhere
        ending = ", ablations" if parted else ", drawn at random" if drawn else ""
        out.append(f"## {NAMES[kind]}{ending}")
        out.append(
            f"""From `results/{source.name}`, which `facetwise bench attributes` printed
({machine["cores"]} cores, {machine["jobs"]} trainings at a time, {machine["processor"]}, PyTorch
{machine["torch"]}). {data["name"]}, {data["part"]}: {reported["images"]:,} pictures of
{reported[unit]:,} {unit}; trained on {train["images"]:,} of {train[unit]:,}{others}. All systems
have the same frozen features (EfficientNet-Lite0 at {recipe["encoders"]["pixels"]} px). Settings
were chosen on a part of the training {unit}. Ties count against the model. {asked}"""
        )
        own = {name.split(f"-{kind}", 1)[1]: name for name in pictures if f"-{kind}" in name}
        for ending, told in (
            (".png", "systems with their intervals"),
            ("-steering.png", "what weighing does"),
        ):
            if ending in own and not parted:
                out.append(f"![{told}](images/{own[ending]})")
        drawn = False
        for title, (head, body) in world_tables(world):
            if not body or (parted and not title.startswith("ablation")):
                continue
            if title.startswith("ablation") and not drawn and "-ablations.png" in own:
                out.append(f"![ablations](images/{own['-ablations.png']})")
                drawn = True
            note = f" {NOTES[title]}" if title in NOTES else ""
            out.append(f"**{title[0].upper()}{title[1:]}.**{note}")
            out.append(markdown((head, body)))
    return "\n\n".join(out) + "\n"


def plots(results: dict, folder: Path, stem: str) -> list[str]:
    """PNGs, under names of their own where another file has the same worlds."""
    names = []
    with tempfile.TemporaryDirectory() as drawn:
        for file in write_plots(results, Path(drawn)):
            name = file.name
            kind = name.removeprefix("bench-attributes-").split("-")[0].removesuffix(".png")
            if stem not in ("bench-attributes", f"bench-attributes-{kind}"):
                name = name.replace("bench-attributes", stem)
            if "ablations" in stem and not name.endswith("-ablations.png"):
                continue
            (folder / name).write_bytes(file.read_bytes())
            names.append(name)
    return names


__all__ = ["attributes_section"]
