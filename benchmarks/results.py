"""Write docs/results.md from what `facetwise bench demo` measured.

facetwise bench demo --seeds 3 --json > docs/results/bench-demo.json
python benchmarks/results.py
"""

import json
from pathlib import Path
from statistics import mean, stdev

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
training (split {recipe["data"]["split_seed"]}; steps, rates and weights were chosen on split 0).
All rows have the same frozen encoders, EfficientNet-Lite0 at {recipe["encoders"]["pixels"]} px and
MiniLM, and the trained ones the same batches, steps and schedule. Ties count against the model.

## Image and text

{texts}

*By mean vectors* is the control: every set replaced by its one normalised mean vector. Where it is
as good, **the sets work as a single vector**: on these short names they do. DivE is not better than
its single-vector rival here; a difference of about one standard deviation of its seeds is no
difference to rely on. Making sets pay needs texts of which several fit one picture for different
reasons.

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


def main() -> None:
    (DOCS / "results.md").write_text(page(json.loads(SOURCE.read_text())), encoding="utf-8")


if __name__ == "__main__":
    main()
