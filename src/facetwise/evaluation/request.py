"""What is asked of a benchmark: runs, data, split, and how to count."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from facetwise.data import Collection
from facetwise.data.benchmarks import Source
from facetwise.encoders import image_features
from facetwise.errors import InputError
from facetwise.evaluation.scorers import Scorer, ensemble, image_scorers
from facetwise.metrics import Ties
from facetwise.models import Model

if TYPE_CHECKING:
    from facetwise.encoders import ImageFeatures

__all__ = ["Request", "default_cache"]


def default_cache() -> Path:
    """Where collections made of benchmarks are kept: ``$FACETWISE_CACHE``, or the user's cache."""
    given = os.environ.get("FACETWISE_CACHE")
    if given:
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "facetwise"


@dataclass(frozen=True)
class Request:
    """A benchmark's question.

    Attributes:
        models: the run, or the runs of an ensemble, whose scores are averaged.
        data: the benchmark's folder.
        split: its part; None is the benchmark's default.
        rival: another run, measured on the same queries for a paired interval.
        save_scores: where to keep the score matrix.
        allow_partial: go on when the published counts are not reached.
        ties: who stands first among equal scores.
        cache: where collections made of the data are kept, with the features of their pictures.
        seed: of episodes, questions and bootstrap samples.
        way: classes in a few-shot episode, 0 for all.
        shot: labelled pictures of each class.
        query: unlabelled pictures of each class.
        episodes: how many.
        context: K, edges of each node that an outfit question may use (METHODS 1.6).
        using: ``pairs`` or ``sets`` to compare pictures.
        rerank: a run that puts each query's best answers in order (`evaluation.rerank`).
        depth: how many answers these are.
    """

    models: tuple[Model, ...]
    data: Path | None = None
    split: str | None = None
    rival: Model | None = None
    save_scores: Path | None = None
    allow_partial: bool = False
    ties: Ties = "pessimistic"
    cache: Path = field(default_factory=default_cache)
    seed: int = 0
    way: int = 5
    shot: int = 5
    query: int = 16
    episodes: int = 600
    context: int = 0
    using: str | None = None
    rerank: Model | None = None
    depth: int = 100

    def folder(self, name: str) -> Path:
        """The data folder.

        Raises:
            InputError: none was given, or it is not there.
        """
        if self.data is None:
            raise InputError(f"the benchmark {name} needs its data: --data DIR")
        if not self.data.exists():
            raise InputError(f"--data {self.data} does not exist; give the folder of {name}")
        return self.data

    def collection(self, source: Source) -> Collection:
        """The pictures of a benchmark as a Collection, made once and kept in `cache`.

        Raises:
            InputError: no picture is readable.
        """
        key = re.sub(r"[^A-Za-z0-9.-]+", "-", source.name)
        path = self.cache / f"{key}-{source.fingerprint()[:12]}.collection"
        if path.exists():
            return Collection.open(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        return Collection.create(
            path,
            source.items(),
            name=source.name,
            source=str(source.folder),
            total=len(source),
        )

    def seen(self, collection: Collection) -> list[str]:
        """What training has seen of a test, as a sentence; nothing where it has seen nothing."""
        models = [it for it in (*self.models, self.rival, self.rerank) if it is not None]
        known = frozenset[str]().union(*(model.trained_on for model in models))
        count = sum(picture in known for picture in collection.image_hashes)
        if not count:
            return []
        return [f"{count:,} of these {len(collection):,} pictures were seen in training"]

    def scorers(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> tuple[Scorer, ...]:
        """How the runs compare the pictures in `rows` (all by default), and their controls.

        Item numbers are places in `rows`. Of an ensemble every scorer is the mean over the runs.
        """
        return self._scorers(self.models, collection, rows)

    def rival_scorer(
        self, collection: Collection, rows: Sequence[int] | None = None
    ) -> Scorer | None:
        """How the rival compares them; None without one."""
        if self.rival is None:
            return None
        return self._scorers((self.rival,), collection, rows)[0]

    def _scorers(
        self, models: Sequence[Model], collection: Collection, rows: Sequence[int] | None
    ) -> tuple[Scorer, ...]:
        rows = range(len(collection)) if rows is None else rows
        features: dict[str, ImageFeatures] = {}
        found: list[tuple[Scorer, ...]] = []
        for model in models:
            encoder = model.image_encoder
            if encoder.fingerprint not in features:
                features[encoder.fingerprint] = image_features(collection, encoder, rows)
            known = model.known(collection, rows)
            found.append(image_scorers(model, features[encoder.fingerprint], self.using, known))
        names = {tuple(scorer.name for scorer in one) for one in found}
        if len(names) > 1:
            raise InputError(
                "runs of an ensemble must all compare pictures by pairs, or all by sets; "
                "choose with --using sets"
            )
        return tuple(ensemble(same) for same in zip(*found, strict=True))
