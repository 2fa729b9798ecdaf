"""From a query to the score of every item: embedding, exact scan, steering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from facetwise.errors import InputError

from .scan import scan_pairs, scan_sets, tidy
from .steering import Term, agreement, check_weigh, factors_of, likelihood, named, value_texts

if TYPE_CHECKING:
    from facetwise.data import AttributeTable
    from facetwise.similarity import NamedSimilarity

    from .needs import SearchModel
    from .query import Asked
    from .store import Vectors

__all__ = ["Scored", "Scorer", "Using"]

Using = Literal["sets", "pairs"]

_REFERENCES = 32  # values of a group that tell what an unrelated value's similarity is


@dataclass(frozen=True, eq=False)
class Scored:
    """A query scored against all items of an index.

    Attributes:
        using: which model answered.
        weigh: the factors that were asked.
        unsteered, scores: (N,) float64, to 1e-6, without and with `weigh`.
        vector: the query: (K, D) of a set, padding included; (d,) of a pair model.
        attention: where the query's slots look, (K, H, W); of a text over its tokens, (K, L).
        tokens: of a text.
        factors: (M,) on the conditions of a pair model, None if all are 1.
        terms: what steering did under a set model.
    """

    using: Using
    weigh: Mapping[str, float]
    unsteered: Tensor
    scores: Tensor
    vector: Tensor
    attention: Tensor | None = None
    tokens: tuple[str, ...] = ()
    factors: Tensor | None = None
    terms: tuple[Term, ...] = ()


class Scorer:
    """Scores queries with a model over an index's vectors and attributes."""

    def __init__(self, model: SearchModel, vectors: Vectors, attributes: AttributeTable) -> None:
        self.model = model
        self.vectors = vectors
        self.attributes = attributes
        self._value_sets: dict[str, Tensor] = {}

    @cached_property
    def similarity(self) -> NamedSimilarity:
        """How sets are compared."""
        return self.model.similarity_spec

    @cached_property
    def _masks(self) -> list[Tensor | None]:
        """For each tile of items which rows are elements, looked for once."""
        return [self.similarity.real(tile) for tile in self.vectors.sets]

    def names(self, using: Using) -> tuple[str, ...]:
        """What `weigh` may name under each model."""
        if using == "sets":
            return self.attributes.groups
        conditions = self.model.conditions
        names = [c.name for c in conditions] + [c.group for c in conditions if c.group is not None]
        return tuple(dict.fromkeys(names))

    def choose(self, asked: Asked, using: Using | None) -> Using:
        """Which model answers.

        Raises:
            InputError: the model that is needed or asked for is not there.
        """
        has = {"sets": bool(self.vectors.sets), "pairs": self.vectors.pairs is not None}
        if using is not None and using not in has:
            raise InputError(f"using is {using!r}; give 'sets' or 'pairs', or leave it out")
        if asked.kind == "text":
            if using == "pairs":
                raise InputError("a text has no pair model; ask it with 'sets', or ask by picture")
            if not has["sets"]:
                raise InputError(
                    "this index has no set model, which a text needs; ask by picture, or fit a "
                    "run on a collection with texts"
                )
            return "sets"
        chosen: Using = using or ("pairs" if has["pairs"] else "sets")
        if not has[chosen]:
            raise InputError(f"this index has no model for {chosen!r}; leave `using` out")
        return chosen

    @torch.no_grad()
    def score(
        self, asked: Asked, row: int | None, weigh: Mapping[str, float] | None, using: Using | None
    ) -> Scored:
        """Score a query; `row` is the item's if the query is one of the index.

        Raises:
            InputError: see `choose`; or `weigh` names what cannot be weighed.
        """
        chosen = self.choose(asked, using)
        checked = check_weigh(weigh, self.names(chosen))
        if chosen == "pairs":
            return self._pairs(asked, row, checked)
        return self._sets(asked, row, checked)

    def _pairs(self, asked: Asked, row: int | None, weigh: Mapping[str, float]) -> Scored:
        gallery, similarity = self.vectors.pairs, self.model.pair_similarity
        assert gallery is not None and similarity is not None  # `choose` has seen to it
        factors = factors_of(weigh, [(c.name, c.group) for c in self.model.conditions])
        if row is not None:
            vector = gallery[row]
        else:
            pairs = self.model.embed_images([asked.image]).pairs
            assert pairs is not None
            vector = pairs[0].float()
        unsteered = tidy(scan_pairs(vector, gallery, similarity))
        scores = unsteered
        if factors is not None:
            scores = tidy(scan_pairs(vector, gallery, similarity, factors))
        return Scored("pairs", weigh, unsteered, scores, vector, factors=factors)

    def _sets(self, asked: Asked, row: int | None, weigh: Mapping[str, float]) -> Scored:
        attention: Tensor | None
        tokens: Sequence[str] = ()
        if row is not None:
            vector, attention = self.vectors.set(row), self.vectors.attention(row)
        elif asked.kind == "text":
            text = self.model.embed_texts([asked.name])
            vector, attention, tokens = text.sets[0], text.attention[0], text.tokens[0]
        else:
            image = self.model.embed_images([asked.image])
            assert image.sets is not None
            vector = image.sets[0]
            attention = None if image.attention is None else image.attention[0]
        vector = vector.float()
        raw = scan_sets(vector, self.vectors.sets, self.similarity, self._masks)
        gamma = float(raw.double().std(correction=0))
        terms = tuple(
            self._term(group, factor, gamma, vector, asked.name if asked.kind == "text" else "")
            for group, factor in weigh.items()
            if factor != 1
        )
        steered = raw.double()
        for term in terms:
            steered = steered + term.gain * term.agreement
        return Scored(
            "sets", weigh, tidy(raw), tidy(steered), vector, attention, tuple(tokens), terms=terms
        )

    def _term(self, group: str, factor: float, gamma: float, vector: Tensor, said: str) -> Term:
        table = self.attributes
        flag = table.kinds[table.groups.index(group)] == "flag"
        meant = [] if flag else named(said, value_texts(group, table.values(group), flag=False))
        if meant:
            p = torch.zeros(len(table.values(group)))
            p[meant] = 1 / len(meant)
        else:
            alike = self._alike(vector, self._values(group))
            p = likelihood(alike, self._alike(vector, self._reference))
        states = table.states[:, table.slices[group]]
        values = ("yes", "no") if flag else table.values(group)
        shown = meant or [int(p.argmax())]
        return Term(
            group,
            factor,
            gamma * (factor - 1),
            agreement(p, states, flag=flag),
            ", ".join(values[v] for v in shown),
            float(p[shown].sum()),
            said=bool(meant),
        )

    def _alike(self, vector: Tensor, texts: Tensor) -> Tensor:
        """How like the query (K, D) each text (V, L, D) is, on the scale of cosines: (V,)."""
        return self.similarity.on_cosines(vector[None], texts)[0].float()

    def _values(self, group: str) -> Tensor:
        """(V, K, D) the texts of a group's values, embedded once."""
        if group not in self._value_sets:
            flag = self.attributes.kinds[self.attributes.groups.index(group)] == "flag"
            texts = value_texts(group, self.attributes.values(group), flag=flag)
            self._value_sets[group] = self.model.encode_texts(texts).float()
        return self._value_sets[group]

    @cached_property
    def _reference(self) -> Tensor:
        """(R, K, D) texts of values of all groups; of a large group some, evenly spread."""
        table, texts = self.attributes, list[str]()
        for group, kind in zip(table.groups, table.kinds, strict=True):
            own = value_texts(group, table.values(group), flag=kind == "flag")
            texts += own[:: -(-len(own) // _REFERENCES) or 1]
        return self.model.encode_texts(texts).float()
