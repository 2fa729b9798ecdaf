"""Write docs/results.md and docs/speed.md from what was measured.

facetwise bench demo --seeds 3 --json > docs/results/bench-demo.json
facetwise bench image-text --data Flickr8k --text minilm,glove --ablations --json \
    > docs/results/bench-image-text-flickr8k.json                # and so on: -emoji, -openmoji
facetwise bench attributes --data CUB_200_2011 --data fashion.collection --data ccp.collection \
    --ablations all --json > docs/results/bench-attributes.json
python benchmarks/coco5k.py > docs/results/speed-coco5k.json      # and so on, see `speed`
python benchmarks/results.py
"""

import json
from pathlib import Path
from statistics import mean, median, stdev

from results_attribute_speed import attribute_speed
from results_attributes import attributes_section
from results_image_text import section, speed_section

DOCS = Path(__file__).parent.parent / "docs"
SOURCE = DOCS / "results" / "bench-demo.json"


def figure(runs: list[dict], *path: str) -> str:
    """Mean and standard deviation over the runs of the number at `path`."""
    values = []
    for run in runs:
        value = run
        for name in path:
            value = value.get(name) if value is not None else None
        if value is not None:
            values.append(float(value))
    if not values:
        return ""
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def page(results: dict) -> str:
    runs, recipe = results["runs"], results["recipe"]
    text, image = runs[0]["image_text"], runs[0]["image_image"]
    ways = [(way, at) for way in ("i2t", "t2i") for at in ("R@1", "R@5", "R@10")]
    texts = table(
        ["", *(f"{way} {at}" for way, at in ways), "RSUM", "RSUM of mean vectors"],
        [
            [
                row,
                *(figure(runs, "image_text", row, *at) for at in ways),
                figure(runs, "image_text", row, "rsum"),
                figure(runs, "image_text", row, "control", "mean_vector_rsum"),
            ]
            for row in text
        ],
    )
    columns = [(kind, at) for kind in ("all", "line_to_colour") for at in ("R@1", "map_at_r")]
    images = table(
        ["", "R@1", "mAP@R", "line to colour R@1", "mAP@R"],
        [[row, *(figure(runs, "image_image", row, *at) for at in columns)] for row in image],
    )
    agreement = table(
        ["the first 10 share", "frozen features", "PAN", "PAN, weighed x 3"],
        [
            [
                group,
                *(
                    figure(runs, "image_image", "PAN", "agreement@10", group, name)
                    for name in ("untrained", "model", "weighed_3")
                ),
            ]
            for group in image["PAN"]["agreement@10"]
        ],
    )
    relevance = [
        figure(runs, "image_image", "PAN", "relevance", name)
        for name in ("pair_entropy", "mean_entropy")
    ]
    machine = results["machine"]
    first = text["DivE"]
    return f"""# Results

Written by `benchmarks/results.py` from `results/bench-demo.json`, which
`facetwise bench demo --seeds {len(runs)} --json` printed ({machine["cores"]} cores,
{machine["processor"]}, PyTorch {machine["torch"]}). Percent; mean ± standard deviation over
{len(runs)} seeds of training, one split.

OpenMoji, {first["images"]} pictures and {first["texts"]} texts of concepts that were never seen in
training (split {recipe["data"]["split_seed"]}; the pair model's steps, rates and weights were
chosen on split 0).
All rows have the same frozen encoders, EfficientNet-Lite0 at {recipe["encoders"]["pixels"]} px and
MiniLM, and the trained ones the same batches, steps and schedule. Ties count against the model.

## Image and text

{texts}

*By mean vectors* is the control: every set replaced by its one normalised mean vector; where it is
as good, the sets work as a single vector. The single vector has as many numbers as a set has in
all.
The set model's settings were chosen on the emoji by nine artists, among whose concepts are many of
these.

## Image to image: the same thing drawn otherwise

Every held-out picture asks, all other held-out pictures are ranked; right is the same concept.
*Line to colour*: line drawings ask, colour drawings are ranked. The two have the same outlines, so
that features which keep places would find them without learning anything; pooled features do not.

{images}

PAN's relevance: entropy of a pair {relevance[0]}, of the mean {relevance[1]} nats. Where
they are nearly equal, the relevance hardly depends on the pair (a KL term keeps it even): what PAN
weighs is then decided by its conditions and by the user's factors.

## Steering

Weighing a condition thrice, on held-out pictures; pairs with an unknown value do not count.

{agreement}
"""


def speed(folder: Path) -> str:
    """docs/speed.md."""
    coco, eccv, few, one = (
        json.loads((folder / f"speed-{name}.json").read_text())
        for name in ("coco5k", "eccv", "few-shot", "similarity")
    )
    memory = coco["peak_memory_beyond_embeddings_GiB"]
    seconds = {name: f"{median(times):.1f}" for name, times in coco["seconds"].items()}
    scoring = table(
        ["", "seconds", "of the product", "memory beyond the embeddings"],
        [
            ["bare float32 matrix product", seconds["product"], "1", ""],
            [
                "scores and ranks, float32",
                seconds["float32"],
                str(coco["ratio_float32"]),
                f"{memory['float32']} GiB",
            ],
            [
                "scores and ranks, 8-bit, what is close again",
                seconds["reduced"],
                str(coco["ratio_reduced"]),
                f"{memory['reduced']} GiB",
            ],
        ],
    )
    official = table(
        ["COCO 1K of full rankings", "CPU seconds", "times faster"],
        [
            ["the package eccv-caption", f"{eccv['eccv_caption_cpu_s']:.1f}", ""],
            [
                "ours, of rankings as arrays",
                f"{eccv['from_rankings_cpu_s']:.2f}",
                f"{eccv['times_faster_from_rankings']:.0f}",
            ],
            [
                "ours, of the score matrix",
                f"{eccv['from_scores_cpu_s']:.2f}",
                f"{eccv['times_faster_from_scores']:.0f}",
            ],
            [
                "ours, of the package's lists, reading included",
                f"{eccv['from_rankings_cpu_s'] + eccv['reading_the_lists_cpu_s']:.1f}",
                f"{eccv['times_faster_reading_included']:.1f}",
            ],
        ],
    )
    episodes = table(
        ["600 episodes", "distinct pairs", "of scoring each once"],
        [
            [entry["what"], f"{entry['distinct_pairs']:,}", str(entry["ratio"])]
            for entry in few["results"]
        ],
    )
    products = table(
        ["", "conditions or sets", "width", "of the product"],
        [
            [
                entry["what"],
                str(entry["M"]),
                str(entry.get("D", entry.get("d"))),
                str(entry["ratio"]),
            ]
            for entry in one["results"]
        ],
    )
    same = "the same" if coco["same_recalls"] else "NOT THE SAME"
    return f"""# Speed

Written by `python benchmarks/results.py`; do not edit. Ratios are of medians taken in one run;
machines differ and wander, so run them yourself. {coco["machine"]["cores"]} cores,
PyTorch {coco["machine"]["torch"]}.

## A COCO-5K sized test

`python benchmarks/coco5k.py`, {coco["machine"]["threads"]} threads: {coco["images"]:,} images
against {coco["captions"]:,} captions, K = {coco["K"]}, D = {coco["D"]}, smooth-Chamfer, both
directions, R@1, R@5 and R@10. The recalls of the reduced precision are {same}.

{scoring}

## Beside the official package

`python benchmarks/eccv.py --threads 1`; the largest difference of any figure is
{eccv["largest_difference"]:.0e}.

{official}

## Few-shot episodes

`python benchmarks/few_shot.py --threads 1`: PAN, d = 512, M = 50, 50 classes of 60 pictures.

{episodes}

## Scoring against the bare matrix product

`python benchmarks/similarity.py --threads {one["machine"]["threads"]}`. Of smooth-Chamfer, {2560:,}
sets are ranked; of PAN, `against` is one query and 20,000 items, `listed` 20,480 pairs drawn at
random out of 10,000 items, which have to be gathered first.

{products}
"""


def main() -> None:
    text = speed(SOURCE.parent) + attribute_speed(SOURCE.parent) + speed_section(SOURCE.parent)
    (DOCS / "speed.md").write_text(text, encoding="utf-8")
    pages = [page(json.loads(SOURCE.read_text()))]
    for file in sorted(SOURCE.parent.glob("bench-image-text*.json")):
        pages.append(section(json.loads(file.read_text()), file, DOCS))
    for file in sorted(SOURCE.parent.glob("bench-attributes*.json")):
        pages.append(attributes_section(json.loads(file.read_text()), file, DOCS))
    (DOCS / "results.md").write_text("\n".join(pages), encoding="utf-8")


if __name__ == "__main__":
    main()
