"""A pair score, condition by condition: p = sum_m s_m w_m (METHODS 1.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from facetwise.similarity import PairScore, steer

from .facets import Facet

__all__ = ["condition_facets", "likely_value"]


def condition_facets(
    pair: PairScore,
    names: Sequence[str],
    *,
    factors: Tensor | None = None,
    query_values: Sequence[str | None] | None = None,
    item_values: Sequence[str | None] | None = None,
    guessed: Sequence[bool] | None = None,
    taught: Sequence[bool] | None = None,
    single: Sequence[bool] | None = None,
    says: Tensor | None = None,
) -> list[Facet]:
    """One facet for each condition.

    Args:
        pair: the one pair (P = 1), as the model scores it before steering.
        names: of the M conditions.
        factors: (M,) the user's factor on each.
        query_values, item_values: the values that the two have of each condition's attribute group.
        guessed: which of the query's values are guesses (`likely_value`).
        taught: which conditions stand for an attribute group; the others have no name of their own.
        single: which of these stand for one attribute of the group.
        says: (M,) bool, which say that the two agree (`models.claims`); free ones are not asked.

    Returns:
        M facets; their contributions s_m w_m sum to p.

    >>> s, w = torch.tensor([[.377541, .750260]]), torch.tensor([[.916827, .083173]])
    >>> facets = condition_facets(PairScore((s * w).sum(-1), s, w), ["a", "b"])
    >>> round(sum(f.contribution for f in facets), 6)
    0.408541
    """
    exact = PairScore(*(part.double() for part in pair))
    (s,), (w,) = exact.conditions, exact.relevance
    factors = torch.ones_like(w) if factors is None else factors.double()
    steered = w if bool((factors == 1).all()) else steer(exact, factors).relevance[0]
    return [
        Facet(
            name=name,
            kind="condition",
            contribution=float(s[m] * steered[m]),
            similarity=float(s[m]),
            weight=float(steered[m]),
            factor=float(factors[m]),
            change=float(s[m] * (steered[m] - w[m])),
            query_value=query_values[m] if query_values else None,
            item_value=item_values[m] if item_values else None,
            taught=bool(taught and taught[m]),
            single=bool(single and single[m]),
            says=bool(says[m]) if says is not None and taught and taught[m] else None,
            guessed=bool(guessed and guessed[m] and query_values and query_values[m] is not None),
        )
        for m, name in enumerate(names)
    ]


def likely_value(
    similarity: Tensor, values: Sequence[str | None], *, nearest: int = 10
) -> str | None:
    """The value that most of the items nearest in one condition have.

    Args:
        similarity: (N,) s_m between the query and each item.
        values: N values of the attribute group, None where unknown.
        nearest: how many items vote, each by its similarity.

    Returns:
        The value, or None if no value has at least half of the votes.

    >>> likely_value(torch.tensor([.9, .8, .7, .1]), ["red", "blue", "red", "blue"], nearest=3)
    'red'
    """
    known = torch.tensor([v is not None for v in values])
    if not known.any():
        return None
    rows = torch.nonzero(known).flatten()
    best = rows[torch.argsort(similarity[rows], descending=True, stable=True)[:nearest]]
    votes: dict[str, float] = {}
    for row in best.tolist():
        value = values[row]
        assert value is not None
        votes[value] = votes.get(value, 0.0) + float(similarity[row])
    value, most = max(votes.items(), key=lambda entry: (entry[1], entry[0]))
    return value if most >= sum(votes.values()) / 2 else None
