"""A scored query to the explanation of one item's score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from facetwise.data.images import decode
from facetwise.explain import Explanation, Facet
from facetwise.explain.pairs import condition_facets, likely_value
from facetwise.explain.sets import slot_facets, slot_shares, words_read
from facetwise.models.claims import attribute_of

from .items import value_of
from .query import Asked, IndexedItem
from .scan import pair_conditions
from .scoring import Scored, Scorer

if TYPE_CHECKING:
    from PIL import Image

    from facetwise.data import AttributeTable

__all__ = ["rank_of", "why"]

_LIKELY = 0.6  # from here on a value is named as the one that the query means
_NEAREST = 10  # so many items vote on the value that a strange picture has


def why(
    scorer: Scorer,
    scored: Scored,
    asked: Asked,
    own: int | None,
    ids: Sequence[str],
    row: int,
    item: IndexedItem,
) -> Explanation:
    """Explain the score of the item in `row`.

    Args:
        scorer: what scored it.
        scored: all scores.
        asked: the query.
        own: the query's own row if its picture is in the index: its attributes are known.
        ids: of all items.
        row: the item's.
        item: the item.
    """
    if scored.using == "pairs":
        facets = _pair_facets(scorer, scored, own, row)
    else:
        facets = _set_facets(scorer, scored, asked, row)
    query_image = asked.image
    if asked.kind == "item" and own is not None:
        query_image = _picture(scorer.vectors.thumbnails([own])[0], asked.name)
    left_out = own if asked.kind == "item" else None
    return Explanation(
        query=asked.name,
        id=item.id,
        using=scored.using,
        score=float(scored.scores[row]),
        unsteered=float(scored.unsteered[row]),
        rank=rank_of(scored.scores, ids, row, left_out),
        unsteered_rank=rank_of(scored.unsteered, ids, row, left_out),
        facets=tuple(sorted(facets, key=lambda facet: -facet.contribution)),
        weigh=scored.weigh,
        item_texts=item.texts,
        query_image=query_image,
        item_image=_picture(item.thumbnail, item.id),
    )


def rank_of(scores: Tensor, ids: Sequence[str], row: int, left_out: int | None = None) -> int:
    """The place of `row`, from 1: ties by id, as `search` ranks them."""
    before = int((scores > scores[row]).sum())
    tied = torch.nonzero(scores == scores[row]).flatten().tolist()
    before += len([other for other in tied if other != left_out and ids[other] < ids[row]])
    if left_out is not None and left_out != row and bool(scores[left_out] > scores[row]):
        before -= 1
    return before + 1


def _picture(data: bytes, name: str) -> Image.Image:
    return decode(data, source=f"the small picture of item {name!r}")


def _elements(
    scorer: Scorer, vector: Tensor, attention: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """A set (K, D) and the attention of its slots without the rows that are padding."""
    real = scorer.similarity.real(vector[None])
    if real is None:
        return vector, attention
    if attention is not None and len(attention) == len(vector):
        attention = attention[real[0]]  # else padding has none already
    return vector[real[0]], attention


@torch.no_grad()
def _set_facets(scorer: Scorer, scored: Scored, asked: Asked, row: int) -> list[Facet]:
    item, looked_at = _elements(scorer, scorer.vectors.set(row), scorer.vectors.attention(row))
    query, attention = _elements(scorer, scored.vector, scored.attention)
    alike, shares = slot_shares(query, item, scorer.similarity)
    text = asked.kind == "text"
    facets = slot_facets(
        alike,
        shares,
        item_attention=looked_at,
        query_attention=None if text else attention,
        words=words_read(attention, scored.tokens) if text and attention is not None else (),
    )
    for term in scored.terms:
        agreed = float(term.agreement[row])
        facets.append(
            Facet(
                name=term.group,
                kind="steering",
                contribution=term.gain * agreed,
                similarity=agreed,
                weight=term.gain,
                factor=term.factor,
                change=term.gain * agreed,
                query_value=term.value if term.likelihood > _LIKELY else None,
                item_value=value_of(scorer.attributes, row, term.group),
                guessed=not term.said,
            )
        )
    return facets


@torch.no_grad()
def _pair_facets(scorer: Scorer, scored: Scored, own: int | None, row: int) -> list[Facet]:
    gallery, table = scorer.vectors.pairs, scorer.attributes
    assert gallery is not None
    conditions = scorer.model.conditions
    pair = scorer.model.pair_scores(scored.vector[None], gallery[row : row + 1])
    groups = [c.group if c.group in table.groups else None for c in conditions]
    columns = [_column(c.name, group, table) for c, group in zip(conditions, groups, strict=True)]

    def values(of: int) -> list[str | None]:
        return [
            None if group is None else _value(table, of, group, column)
            for group, column in zip(groups, columns, strict=True)
        ]

    query_values: list[str | None] = [None] * len(groups) if own is None else values(own)
    # A picture of the index without a value has none that is known; only of others one may guess.
    # Of a single attribute one may not: which items are near says little of what none has.
    guessed = [
        own is None and g is not None and c is None for g, c in zip(groups, columns, strict=True)
    ]
    if any(guessed):
        alike = pair_conditions(scored.vector, gallery, scorer.model.pair_scores)
        for m, group in enumerate(groups):
            if guessed[m] and group is not None:
                query_values[m] = _likely(table, group, alike[:, m])
    return condition_facets(
        pair,
        [c.name for c in conditions],
        factors=scored.factors,
        query_values=query_values,
        item_values=values(row),
        guessed=guessed,
        taught=[group is not None for group in groups],
        single=[column is not None for column in columns],
        says=scorer.model.agreeing(pair)[0],
    )


def _column(name: str, group: str | None, table: AttributeTable) -> int | None:
    """The attribute that a condition stands for, if it is one of a group's."""
    name = attribute_of(name)
    return table.names.index(name) if name != group and name in table.names else None


def _value(table: AttributeTable, row: int, group: str, column: int | None) -> str | None:
    if column is None:
        return value_of(table, row, group)
    return {1: "yes", 0: "no"}.get(int(table.states[row, column]))


def _likely(table: AttributeTable, group: str, alike: Tensor) -> str | None:
    """What the nearest items have; their values are looked up as far as they are needed."""
    order = torch.argsort(alike, descending=True, stable=True)
    values: list[str | None] = []
    rows = order.tolist()
    for row in rows:
        values.append(value_of(table, row, group))
        if len(values) - values.count(None) == _NEAREST:
            break
    return likely_value(alike[order[: len(values)]], values, nearest=_NEAREST)
