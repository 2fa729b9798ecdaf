"""Questions of the attribute bench: what comes out are measures, each a mean that is resampled.

A measure is kept as sums and weights of its units (episodes, queries, questions), so that two
systems are compared on the same units, whatever they were asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from facetwise.data import Collection
from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, ItemSets, Questions
from facetwise.data.sampling import generator_of
from facetwise.errors import InputError
from facetwise.evaluation.episodes import Episodes, draw_episodes
from facetwise.evaluation.few_shot import few_shot
from facetwise.evaluation.image_image import retrieval
from facetwise.evaluation.in_context import score_in_context
from facetwise.evaluation.outfit_scores import auc_terms, blank_hits
from facetwise.evaluation.own_outfits import questions_of
from facetwise.evaluation.scorers import Scorer

__all__ = ["Episodic", "Measure", "Outfits", "Question", "Ranked", "Tabled"]

_TILE = 512
_TABLE = 8192
"""Pictures of which all pairs are scored once and kept, 256 MB of them."""


class Measure(NamedTuple):
    """A mean over units, or the sum of several such means.

    >>> Measure(torch.tensor([1.0, 3.0]), torch.ones(2)).value
    2.0
    """

    sums: Tensor
    """(U,) or (U, F)."""
    weights: Tensor
    """The same shape."""

    @property
    def value(self) -> float:
        """Of the whole."""
        sums, weights = self.sums.double(), self.weights.double()
        return float((sums.sum(0) / weights.sum(0)).sum())


class Question(Protocol):
    """Something that is asked of pictures by their numbers."""

    @property
    def about(self) -> dict[str, Any]:
        """For JSON; another question says something else."""

    def ask(self, scorer: Scorer) -> Mapping[str, Measure]:
        """Measures by name, percent but for ``AUC``."""


@dataclass(frozen=True, eq=False)
class Tabled(Scorer):
    """A scorer whose pairs were all scored once: N questions ask the same pairs many times.

    Attributes:
        table: (N, N).
    """

    table: Tensor

    @classmethod
    def of(cls, scorer: Scorer) -> Scorer:
        """The scorer itself where the table would be too large, or no score is for good."""
        n = len(scorer)
        if n > _TABLE or scorer.looks_around:
            return scorer
        everyone, table = torch.arange(n), torch.empty(n, n)
        for tile in everyone.split(_TILE):
            # Scores are symmetric: half of them are enough.
            half = scorer.matrix(tile, everyone[tile[0] :])
            table[tile[0] : tile[-1] + 1, tile[0] :] = half
            table[tile[0] :, tile[0] : tile[-1] + 1] = half.T
        return cls(scorer.name, scorer.parts, table)

    def matrix(self, q: Tensor, g: Tensor) -> Tensor:
        """Item numbers (Q,) and (G,) -> scores (Q, G)."""
        return self.table[q][:, g]

    def pairs(self, r: Tensor, c: Tensor) -> Tensor:
        """Item numbers (P,) and (P,) -> scores (P,)."""
        return self.table[r, c]

    def extended(self, members: Tensor) -> Scorer:
        """With prototypes, which the table does not have."""
        return Scorer(self.name, self.parts).extended(members)


@dataclass(frozen=True)
class Episodic:
    """Few-shot episodes: mean of scores, and of several shots prototypes.

    Attributes:
        episodes: the same for all systems.
        name: ``5-way 1-shot``.
    """

    episodes: Episodes
    name: str

    @classmethod
    def of(cls, labels: Tensor, *, way: int, shot: int, query: int, episodes: int) -> Episodic:
        """Drawn with a seed of their own."""
        drawn = draw_episodes(
            labels,
            way=way,
            shot=shot,
            query=query,
            episodes=episodes,
            generator=generator_of(0, 0),
        )
        return cls(drawn, f"{drawn.way}-way {shot}-shot")

    @property
    def about(self) -> dict[str, Any]:
        """Classes, episodes and queries."""
        return {
            "name": self.name,
            "episodes": len(self.episodes),
            "query": self.episodes.query.shape[2],
            "classes": self.episodes.classes,
            "classes_left_out": self.episodes.left_out,
        }

    def ask(self, scorer: Scorer) -> Mapping[str, Measure]:
        """``5-way 1-shot``, and for several shots ``5-way 5-shot, prototypes``."""
        found = few_shot(scorer, self.episodes)
        out = {self.name: found.accuracies}
        if self.episodes.support.shape[2] > 1:
            out[f"{self.name}, prototypes"] = found.prototypes
        return {name: _each(100 * values) for name, values in out.items()}


@dataclass(frozen=True, eq=False)
class Ranked:
    """Every picture asks for the others of its group.

    Attributes:
        labels: (N,) groups, -1 for none.
    """

    labels: Tensor

    @property
    def about(self) -> dict[str, Any]:
        """How many."""
        return {"name": "retrieval", "images": len(self.labels)}

    def ask(self, scorer: Scorer) -> Mapping[str, Measure]:
        """``R@1`` and ``mAP@R``.

        Raises:
            InputError: no picture has another of its group.
        """
        found = retrieval(scorer.matrix, self.labels)
        if found is None:
            raise InputError("no held-out picture has another one of its group to find")
        return {
            "R@1": _each(100 * found.places.hits(1)),
            "mAP@R": _each(100 * found.precisions),
        }


@dataclass(frozen=True, eq=False)
class Outfits:
    """Fill in the blank, and true outfits against ones of which an item was replaced by another.

    Of every outfit several questions are drawn, with other blanks and other wrong answers: photos
    are few. An outfit's questions are resampled together.

    Attributes:
        questions: negatives have the type of what they replace.
        units: (Q,) the outfit of each blank.
        candidates: of a blank.
        with_auc: ask for the compatibility as well, which does not depend on the candidates.
    """

    questions: Questions
    units: Tensor
    candidates: int
    with_auc: bool

    @classmethod
    def of(
        cls,
        collection: Collection,
        rows: Sequence[int],
        types: Sequence[str | None] | None,
        *,
        candidates: int,
        draws: int = 1,
        with_auc: bool = True,
    ) -> Outfits:
        """So many questions of each kind of every outfit."""
        drawn = [
            questions_of(collection, rows, types, seed=seed, candidates=candidates)
            for seed in range(draws)
        ]
        number: dict[frozenset[int], int] = {}

        def numbers(sets: Sequence[Sequence[int]]) -> Tensor:
            own = [number.setdefault(frozenset(one), len(number)) for one in sets]
            return torch.tensor(own, dtype=torch.long)

        units, outfits, labels, owners = [], [], [], []
        for one in drawn:
            answers = one.blanks.candidates.gather(1, one.blanks.answers[:, None]).tolist()
            given = one.blanks.given.tolist()
            units.append(
                numbers([[*own, *right] for own, right in zip(given, answers, strict=True)])
            )
            asked = one.compatibility
            true = numbers(asked.outfits.select(asked.labels).tolist())
            # A false outfit is of the true one in whose place it stands.
            owners.append(torch.cat([true, true]))
            outfits.append(asked.outfits)
            labels.append(asked.labels)
        blanks = [one.blanks for one in drawn]
        whole = Questions(
            Blanks(
                _joined([one.given for one in blanks]),
                torch.cat([one.candidates for one in blanks]),
                torch.cat([one.answers for one in blanks]),
                torch.cat([one.position for one in blanks]),
            ),
            Compatibility(_joined(outfits), torch.cat(labels), torch.cat(owners)),
            max(one.left_out for one in drawn),
        )
        return cls(whole, torch.cat(units), candidates, with_auc)

    @property
    def about(self) -> dict[str, Any]:
        """How many."""
        return {
            "name": f"FITB of {self.candidates}",
            "questions": len(self.questions.blanks),
            "outfits": len(self.units.unique()),
            "chance": round(100 * self.questions.blanks.chance, 2),
            "left_out": self.questions.left_out,
        }

    def ask(self, scorer: Scorer) -> Mapping[str, Measure]:
        """``FITB of 4``, and ``AUC`` from 0 to 1."""
        scores = score_in_context(scorer, self.questions)
        hits = blank_hits(scores, self.questions.blanks, "pessimistic").double()
        unit = self.units.unique(return_inverse=True)[1]
        sums = torch.zeros(int(unit.max()) + 1, dtype=torch.double)
        weights = sums.index_add(0, unit, torch.ones_like(hits))
        out = {f"FITB of {self.candidates}": Measure(sums.index_add(0, unit, hits), weights)}
        if self.with_auc:
            out["AUC"] = Measure(*auc_terms(scores, self.questions.compatibility))
        return out


def _joined(sets: Sequence[ItemSets]) -> ItemSets:
    return ItemSets(torch.cat([one.items for one in sets]), torch.cat([one.sizes for one in sets]))


def _each(values: Tensor) -> Measure:
    return Measure(values.double(), torch.ones(len(values), dtype=torch.double))
