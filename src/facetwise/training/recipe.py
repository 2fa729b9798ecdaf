"""Recipe: a TOML file that fixes data, encoders, models and training."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from facetwise.config import Count, Positive, Share, Weight, Within, read_config, settings
from facetwise.encoders import EncoderConfig, Encoders
from facetwise.errors import InputError
from facetwise.models import PAIR_SYSTEMS, SET_SYSTEMS, PairConfig, SetConfig
from facetwise.models.pair_systems import pair_system_name
from facetwise.models.systems import system_name
from facetwise.models.virtex import VirTexConfig
from facetwise.training.captioning import CaptionTraining

__all__ = ["DataConfig", "PairTraining", "Recipe", "SetTraining", "recipes"]


@dataclass(frozen=True)
class DataConfig:
    """What is trained on."""

    test: Share = 0.2
    """Share of the groups or items that is held out to evaluate on; 0 trains on everything."""
    by: Literal["auto", "group", "item", "outfit"] = "auto"
    """What is held out whole (`data.splits`)."""
    split_seed: int = 0
    """Of the held-out part; apart from the seed of training, so that seeds share their test."""
    languages: tuple[str, ...] = ("en",)
    """Which texts are learned from; an empty list takes all."""


@dataclass(frozen=True)
class SetTraining:
    """How a set model is trained on image-text batches."""

    steps: Count = 600
    """Batches in all."""
    batch: Count = 128
    """Pictures a step."""
    texts_per_item: Count = 1
    """Texts of each picture in a batch."""
    loss: Literal["auto", "info_nce", "many", "triplet", "rank", "own"] = "auto"
    """What is minimised (`training.objectives`); ``auto``: what the system is mostly trained by,
    but where most pictures share texts with others, and it may be, ``many``: InfoNCE with all of
    the batch's texts that hold for a picture as its positives, and others as negatives."""
    extra_texts: Annotated[int, Within(0)] = 0
    """With ``many``: further texts in each batch, as negatives."""
    rarity: Share = 0.5
    """With ``many``: a text of n pictures weighs n to this power less."""
    start: Literal["ridge", "random"] = "ridge"
    """Of the global projections: in closed form (`heads.ridge`), or at random as in the paper."""
    lr: Positive = 3e-4
    """Peak of the learning rate."""
    module_lr: Share = 0.3
    """Factor of the set prediction modules' rate: 1e-4 in all, as in METHODS 2.7."""
    tower_lr: Weight = 0.1
    """Factor of the trained towers' rate (`encoders.tune`)."""
    image_tower_lr: Weight = 1.0
    """Further factor of a trained image tower's, where it must learn slower than the text's."""
    image_freeze: Share = 0.0
    """Share of the steps before a trained image tower begins to learn (METHODS 3.2, 3.6)."""
    warmup: Share = 0.1
    """Share of the steps of the linear warm-up to the peak."""
    schedule: Literal["cosine", "step"] = "cosine"
    """From the peak: a cosine to zero, or steps down in regular intervals."""
    decay: Share = 0.1
    """Factor of each step down."""
    decay_every: Annotated[float, Within(0, 1, above=True)] = 0.6
    """Share of the steps from one to the next (METHODS 3.2: 15 epochs of 25)."""
    weight_decay: Weight = 0.01
    """AdamW's."""
    temperature: Positive = 0.07
    """Start of InfoNCE's learned temperature. InfoNCE needs no warm-up, hardest negatives do."""
    margin: Weight = 0.2
    """Of the triplets and of DeViSE's rank loss (METHODS 2.6)."""
    sum_share: Share = 0.25
    """Share of the steps with the sum of all negatives before the hardest alone (FIELDNOTES)."""
    sum_power: Share = 1.0
    """The sum is divided by the number of negatives to this power; 0 in the papers."""
    ramp: Share = 0.0
    """Share of the steps after those in which the triplet loss grows from zero (METHODS 3.2)."""
    same_image: Literal["left_out", "negative"] = "left_out"
    """Whether texts of one image in a batch are each other's negatives in triplets (T-25)."""
    reduction: Literal["mean", "sum"] = "mean"
    """Of triplets, over the texts (T-25)."""
    cell_drop: Share = 0.0
    """Of the image's local features, in training (METHODS 3.2: .2)."""
    cell_rule: Literal["region", "grid"] = "region"
    """Each goes with this probability; or the rule for grids, which goes easier on most (3.2)."""
    word_drop: Share = 0.0
    """Of the words, in training (METHODS 2.7: .2)."""
    word_rule: Literal["words", "caption"] = "words"
    """Hit words are masked, replaced or deleted (2.7); or made unknown and deleted, as in PCME
    (3.5). Frozen features of words can only be deleted."""
    mmd: Weight = 0.01
    """Weight of the MMD term (METHODS 2.6)."""
    diversity: Weight = 0.01
    """Weight of the diversity term (METHODS 2.6)."""
    vib: Weight = 0.0
    """Weight of the information bottleneck of Gaussians (METHODS 3.5: 1e-5, 3.6: 1e-4)."""
    uniformity: Weight = 0.0
    """Weight of the uniformity of PCME's samples (METHODS 3.5: 0 on COCO, 10 on CUB)."""
    clip: Positive = 1.0
    """Bound on the gradient's norm."""


@dataclass(frozen=True)
class PairTraining:
    """How a pair model is trained on class-balanced batches (FIELDNOTES, PAN 3)."""

    steps: Count = 600
    """Batches in all."""
    loss: Literal["auto", "triplet", "info_nce", "proxy", "proxy_edges", "edges"] = "auto"
    """What is minimised (`training.pair_objectives`); ``auto``: what the system is trained by."""
    positives: Literal["auto", "outfit", "group", "attribute"] = "auto"
    """What makes two pictures similar: an outfit with both, one group, or a value of an attribute
    group in turn; ``auto``: outfits where at least half of the items are in one with others, else
    groups where there are enough of them, else attributes."""
    negatives: Literal["auto", "any", "type"] = "auto"
    """Pairs without that, all of them or of one type only: of outfits those of which one item could
    take the place of one of the other's outfit. ``auto``: the latter for outfits with types."""
    classes: Annotated[int, Within(2)] = 24
    """Outfits, groups, or values of an attribute group, in a batch."""
    per_class: Annotated[int, Within(2)] = 4
    """Pictures of each."""
    lr: Positive = 1e-3
    """Of the head."""
    condition_lr: Positive = 1e-2
    """Of the conditional similarity."""
    edge_pairs: Annotated[int, Within(0)] = 4096
    """With ``edges``: pairs a step, half of them positives; 0 takes all in each (METHODS 1.5)."""
    redraw: bool = False
    """With ``edges``: new negatives in each epoch; the paper's are drawn once (T-10)."""
    proxy_lr: Positive = 1e-2
    """Of the proxies."""
    proxy_temperature: Positive = 1 / 9
    """T of ProxyNCA++ (METHODS 3.10, T-45)."""
    eps: Positive = 1e-8
    """Adam's; ProxyNCA++ has 1 (METHODS 3.10), which makes it a scaled SGD."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Of the rates, from their values: to zero, or as they are (METHODS 1.5)."""
    units: Literal["score", "logit"] = "score"
    """Of what triplets and InfoNCE compare: p in [0, 1], or its logit, which does not saturate."""
    margin: Weight = 0.2
    """Of the triplets, in these units."""
    temperature: Positive = 1.0
    """Of InfoNCE, in these units."""
    hardest: Annotated[float, Within(0, 1, above=True)] = 0.1
    """Share of the negatives that count."""
    attribute_weight: Weight = 4.0
    """lambda of the attribute loss (METHODS 1.4); the paper's 1e-5 to 10 depend on the data."""
    relevance_kl: Weight = 0.03
    """Weight of the KL of the relevance to uniform, which keeps it from collapsing onto a few
    conditions by making it even (FIELDNOTES, PAN 5)."""
    relevance_truth: Weight = 0.02
    """Weight of what a pair of different things truly differs in, as the relevance's target: keeps
    it from collapsing onto one vector, too (`losses.relevance_truth`). Ours."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a run will be, next to the collection and the seed."""

    name: str
    data: DataConfig = field(default_factory=DataConfig)
    encoders: EncoderConfig = field(default_factory=EncoderConfig)
    sets: SetConfig | None = None
    set_training: SetTraining = field(default_factory=SetTraining)
    pairs: PairConfig | None = None
    pair_training: PairTraining = field(default_factory=PairTraining)
    pretrain: VirTexConfig | None = None
    """What the set model's image tower learns before."""
    pretraining: CaptionTraining = field(default_factory=CaptionTraining)

    @classmethod
    def read(cls, recipe: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
        """A recipe by its name (those of the package) or from a TOML file.

        Args:
            recipe: a name as in `recipes()`, or a path that ends in ``.toml``.
            overrides: dotted names to values, as ``{"sets.training.steps": 100}``.

        Raises:
            InputError: there is no such recipe, or it does not fit; the message names file and key.
        """
        if str(recipe).endswith(".toml"):
            place, source = Path(recipe), str(recipe)
            try:
                text = place.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = (isinstance(error, OSError) and error.strerror) or error
                raise InputError(f"{source} cannot be read ({why}); give a TOML file") from error
        elif str(recipe) in recipes():
            source = f"{recipe}.toml"
            text = (files("facetwise") / "recipes" / source).read_text(encoding="utf-8")
        else:
            raise InputError(
                f"no recipe {str(recipe)!r}; there are {', '.join(recipes())}, or give a .toml file"
            )
        try:
            options = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{source}: {error}") from error
        for dotted, value in (overrides or {}).items():
            _override(options, dotted, value)
        options.setdefault("name", Path(source).stem)
        return cls.from_dict(options, source)

    @classmethod
    def from_dict(cls, options: Mapping[str, Any], source: str) -> Recipe:
        """A recipe from TOML tables; `source` is what errors call it."""
        tables = dict(options)
        name = tables.pop("name")
        data = read_config(DataConfig, tables.pop("data", {}), source, "data")
        encoders = read_config(EncoderConfig, tables.pop("encoders", {}), source, "encoders")
        try:
            _ = Encoders(encoders).images  # what it may be is the encoder's to say
        except InputError as error:
            raise InputError(f"{source} [encoders] pixels: {error}") from error
        sets, set_training = _system(
            tables.pop("sets", None),
            {name: config for name, (_, config) in SET_SYSTEMS.items()},
            SetTraining,
            source,
            "sets",
        )
        pairs, pair_training = _system(
            tables.pop("pairs", None),
            {name: config for name, (_, config) in PAIR_SYSTEMS.items()},
            PairTraining,
            source,
            "pairs",
        )
        pretrain, pretraining = _system(
            tables.pop("pretrain", None),
            {"virtex": VirTexConfig},
            CaptionTraining,
            source,
            "pretrain",
        )
        if tables:
            raise InputError(
                f"{source}: no table [{next(iter(tables))}]; there are data, encoders, pretrain, "
                "sets, pairs"
            )
        if encoders.adapter and "image" in encoders.tune:
            raise InputError(
                f"{source} [encoders] adapter: is for an image network that is not trained; leave "
                'it out, or "image" in tune'
            )
        if pretrain is not None and sets is None:
            raise InputError(
                f"{source} [pretrain]: is for the set model's image tower; add a table [sets]"
            )
        if pretrain is not None and "image" not in encoders.tune and not encoders.adapter:
            raise InputError(
                f"{source} [pretrain]: nothing of the image side would learn; write tune = "
                '["image"] in [encoders], or, for a small layer over the frozen one, adapter = 256'
            )
        return cls(
            str(name),
            data,
            encoders,
            sets,
            set_training,
            pairs,
            pair_training,
            pretrain,
            pretraining,
        )

    def to_dict(self) -> dict[str, Any]:
        """TOML tables from which `from_dict` makes the same recipe."""
        out: dict[str, Any] = {
            "name": self.name,
            "data": settings(self.data),
            "encoders": settings(self.encoders),
        }
        for table, config, training in (
            ("pretrain", self.pretrain, self.pretraining),
            ("sets", self.sets, self.set_training),
            ("pairs", self.pairs, self.pair_training),
        ):
            if config is not None:
                model = _model_name(config)
                out[table] = {"model": model, **settings(config), "training": settings(training)}
        return out


def recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the package.

    >>> "small" in recipes()
    True
    """
    entries = (files("facetwise") / "recipes").iterdir()
    return tuple(sorted(e.name[:-5] for e in entries if e.name.endswith(".toml")))


def _model_name(config: SetConfig | PairConfig | VirTexConfig) -> str:
    if isinstance(config, SetConfig):
        return system_name(config)
    return pair_system_name(config) if isinstance(config, PairConfig) else "virtex"


def _system(
    options: Any, models: Mapping[str, type[Any]], training: type[Any], source: str, table: str
) -> tuple[Any, Any]:
    if options is None:
        return None, training()
    if not isinstance(options, Mapping):
        raise InputError(f"{source}: {table} must be a table, not {options!r}")
    rest = dict(options)
    model = rest.pop("model", None)
    if model not in models:
        raise InputError(
            f"{source} [{table}] model: expected one of {', '.join(models)}, not {model!r}"
        )
    how = read_config(training, rest.pop("training", {}), source, f"{table}.training")
    for key in rest:
        if difflib.get_close_matches(key, ["training"]):
            raise InputError(f"{source} [{table}]: no option {key!r} (did you mean 'training'?)")
    return read_config(models[model], rest, source, table), how


def _override(options: dict[str, Any], dotted: str, value: Any) -> None:
    *tables, key = dotted.split(".")
    at = options
    for table in tables:
        inner = at.setdefault(table, {})
        if not isinstance(inner, dict):
            raise InputError(f"--set {dotted}: {table!r} is a value, not a table")
        at = inner
    at[key] = value
