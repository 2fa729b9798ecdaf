"""Where a training step of DivE spends its time: in encoders and module, or in the loss?

    python benchmarks/image_text_step.py [--threads 1] [--repeats 7]

Prints JSON. A step is cut at the sets: towers and heads forward, loss forward and backward down to
the sets, the rest of the way back, clipping and AdamW. Medians over the repeats. Inputs are random,
in the shapes of Flickr8k's photos and captions. The memory of the loss alone, on 200 images and
1,000 captions of K = 4, D = 1024, is measured in a fresh process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import torch

from facetwise.encoders import EncoderConfig, Encoders, ImageFeatures
from facetwise.evaluation.bench_machine import peak_memory, watch_memory
from facetwise.heads import ElementSet
from facetwise.losses import diversity, mmd, triplet
from facetwise.models import DivEConfig, SetModel, build_sets
from facetwise.similarity import smooth_chamfer
from facetwise.similarity.sets import unit
from facetwise.training.objectives import SetBatch, objective
from facetwise.training.recipe import Recipe, SetTraining
from machine import machine

PARTS = ("forward", "loss", "backward", "optimiser")
WORDS = 14  # of a caption of Flickr8k, markers included
PENALTIES = ("mmd", "diversity")


def random_images(encoders: Encoders, count: int, g: torch.Generator) -> ImageFeatures:
    """Features in the encoder's shape and type."""
    shape = (count, *encoders.images.grid_shape)
    if encoders.images.grid_dtype == torch.uint8:
        grid = torch.randint(256, shape, generator=g, dtype=torch.uint8)
    else:
        grid = torch.randn(shape, generator=g).half()
    return ImageFeatures(grid, torch.randn(count, sum(encoders.images.parts), generator=g))


def random_texts(
    encoders: Encoders, count: int, g: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens, or their numbers, of captions between 6 and 22 tokens long."""
    lengths = torch.randint(WORDS - 8, WORDS + 9, (count,), generator=g)
    mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    if encoders.texts.width:
        return torch.randn(*mask.shape, encoders.texts.width, generator=g).half(), mask
    return torch.randint(1000, 20_000, mask.shape, generator=g) * mask, mask


def cut(out: ElementSet) -> ElementSet:
    """The same sets with nothing behind them."""
    return ElementSet(
        out.elements.detach().requires_grad_(), out.slots.detach().requires_grad_(), out.attention
    )


def step_times(
    what: str,
    encoders: EncoderConfig,
    config: DivEConfig,
    how: SetTraining,
    repeats: int,
) -> dict:
    """Median seconds of the parts of a step."""
    g = torch.Generator().manual_seed(0)
    both = Encoders.of(encoders, [])
    model: SetModel = build_sets(config, both, g)
    images = random_images(both, how.batch, g)
    model.fit_statistics(images)
    a, b = model.prepare(images)
    tokens, mask = random_texts(both, how.batch * how.texts_per_item, g)
    owner = torch.arange(how.batch).repeat_interleave(how.texts_per_item)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=1e-6)
    minimised = objective(model, how.loss)
    matches = torch.arange(how.batch).unsqueeze(1) == owner
    times: dict[str, list[float]] = {name: [] for name in PARTS}
    model.train()
    for repeat in range(repeats + 1):
        marks = [time.perf_counter()]
        optimiser.zero_grad()
        x, y = model.images(a, b), model.texts(tokens, mask)
        marks.append(time.perf_counter())
        own_x, own_y = cut(x), cut(y)
        rarity = torch.ones(len(owner))
        batch = SetBatch(own_x, own_y, owner, torch.tensor(0.07), 1.0, matches, rarity)
        loss = minimised(model, batch, how)
        for name in PENALTIES:
            penalty = model.penalty(name, own_x, own_y)
            if penalty is not None:
                loss = loss + getattr(how, name) * penalty
        loss.backward()
        marks.append(time.perf_counter())
        pairs = [
            (behind, before.grad)
            for out, own in ((x, own_x), (y, own_y))
            for behind, before in ((out.elements, own.elements), (out.slots, own.slots))
            if before.grad is not None and behind.requires_grad
        ]
        torch.autograd.backward([one for one, _ in pairs], [grad for _, grad in pairs])
        marks.append(time.perf_counter())
        torch.nn.utils.clip_grad_norm_(parameters, how.clip)
        optimiser.step()
        marks.append(time.perf_counter())
        if repeat:  # the first one warms up
            for name, start, end in zip(PARTS, marks, marks[1:], strict=False):
                times[name].append(end - start)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    whole = sum(seconds.values())
    return {
        "what": what,
        "images": how.batch,
        "captions": len(owner),
        "K": config.K,
        "D": config.dim,
        "loss": how.loss,
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "step_seconds": round(whole, 4),
        "images_per_second": round(how.batch / whole, 1),
        "share_of_loss": round(seconds["loss"] / whole, 4),
        "share_of_encoders_and_module": round(
            (seconds["forward"] + seconds["backward"]) / (whole - seconds["optimiser"]), 4
        ),
    }


def loss_memory(penalties: bool) -> dict:
    """Peak memory of the loss on a batch of the paper, forward and backward; a fresh process's."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(200, 4, 1024, generator=g, requires_grad=True)
    y = torch.randn(1000, 4, 1024, generator=g, requires_grad=True)
    owner = torch.arange(200).repeat_interleave(5)
    watch_memory()
    before = peak_memory()
    start = time.perf_counter()
    one, other = unit(x), unit(y)
    loss = triplet(smooth_chamfer(one, other, normalized=True), owner)
    if penalties:
        loss = loss + 0.01 * mmd(one, other) + 0.01 * (diversity(x) + diversity(y))
    loss.backward()
    seconds, after = time.perf_counter() - start, peak_memory()
    taken = None if before is None or after is None else round((after - before) / 2**20)
    return {
        "images": 200,
        "captions": 1000,
        "K": 4,
        "D": 1024,
        "loss": "triplet, MMD and diversity" if penalties else "triplet",
        "MiB": taken,
        "seconds": round(seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--memory", choices=["plain", "whole"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.memory:
        print(json.dumps(loss_memory(args.memory == "whole")))
        return
    bench = Recipe.read("image-text")
    assert isinstance(bench.sets, DivEConfig)
    laptop = bench.set_training
    paper = SetTraining(batch=200, texts_per_item=5, loss="triplet", sum_share=0.0)
    frozen = bench.encoders
    tuned = replace(frozen, tune=("image", "text"))
    as_published = DivEConfig(dim=1024, T=4, head_dim=512, local_mlp=True)
    steps = [
        step_times("frozen, the recipe image-text", frozen, bench.sets, laptop, args.repeats),
        step_times("both towers trained", tuned, bench.sets, laptop, max(1, args.repeats // 3)),
        step_times(
            "frozen, widths of the paper", frozen, as_published, paper, max(1, args.repeats // 3)
        ),
    ]
    memory = []
    for name in ("plain", "whole"):
        command = [sys.executable, __file__, "--threads", str(args.threads), "--memory", name]
        memory.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
    print(json.dumps({"machine": machine(), "steps": steps, "loss_memory": memory}, indent=2))


if __name__ == "__main__":
    main()
