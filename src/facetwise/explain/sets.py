"""A set score, handed out to pairs of slots so that the parts sum exactly to the score.

METHODS gives no such decomposition; this one is ours. Most scores are a mean of (soft) maxima over
pairs of slots; each maximum is handed out to the pairs that it is made of, in proportion to its own
gradient. For smooth-Chamfer (METHODS 2.5) that gradient is the softmax of alpha c, for Chamfer and
MIL it is one at the best pair. Of cross attention every asking word has its part of the pooled
score, and hands it to the regions that it looks at by its attention. A Gaussian is one facet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from facetwise.similarity import ContextSimilarity, NamedSimilarity, slot_cosines
from facetwise.similarity.cross_attention import looks, pool

from .facets import Facet, Word

__all__ = ["SHARES", "SlotShares", "slot_facets", "slot_shares", "words_read"]

_SMALL = frozenset(
    ["a", "an", "and", "at", "by", "for", "in", "is", "of", "on", "or", "the", "to", "with"]
)


class SlotShares(NamedTuple):
    """A score and what it is made of, in float64."""

    alike: Tensor  # (K, L) cosine of each pair of slots; (1, 1) of the means of Gaussians
    shares: Tensor  # (K, L) sums to the score


def _smooth_chamfer(c: Tensor, similarity: NamedSimilarity) -> Tensor:
    (k, n), alpha = c.shape, float(similarity.options["alpha"])
    rows = torch.logsumexp(alpha * c, dim=1, keepdim=True) / (2 * alpha * k)
    columns = torch.logsumexp(alpha * c, dim=0, keepdim=True) / (2 * alpha * n)
    return rows * torch.softmax(alpha * c, dim=1) + columns * torch.softmax(alpha * c, dim=0)


def _directed(c: Tensor, similarity: NamedSimilarity) -> Tensor:
    # The query stands in the text's place: each of its slots, a row, looks for the item's.
    k, alpha = len(c), float(similarity.options["alpha"])
    rows = torch.logsumexp(alpha * c, dim=1, keepdim=True) / (alpha * k)
    return rows * torch.softmax(alpha * c, dim=1)


def _chamfer(c: Tensor, similarity: NamedSimilarity) -> Tensor:
    k, n = c.shape
    best_in_row, best_in_column = c.amax(1, keepdim=True), c.amax(0, keepdim=True)
    rows, columns = (c == best_in_row).to(c.dtype), (c == best_in_column).to(c.dtype)
    rows, columns = rows / rows.sum(1, keepdim=True), columns / columns.sum(0, keepdim=True)
    return best_in_row * rows / (2 * k) + best_in_column * columns / (2 * n)


def _max_pair(c: Tensor, similarity: NamedSimilarity) -> Tensor:
    best = (c == c.max()).to(c.dtype)
    return c.max() * best / best.sum()


def _mean_of_pairs(c: Tensor, similarity: NamedSimilarity) -> Tensor:
    return c / c.numel()


SHARES: Mapping[str, Callable[[Tensor, NamedSimilarity], Tensor]] = {
    "smooth_chamfer": _smooth_chamfer,
    "directed_smooth_chamfer": _directed,
    "chamfer": _chamfer,
    "max_pair": _max_pair,
    "average": _mean_of_pairs,
    "match_probability": _mean_of_pairs,
}
"""How each similarity that is made of pairs of slots is handed out, from what every pair has alone;
an own similarity gets its line here. The others know more than pairs: see `slot_shares`."""


@torch.no_grad()
def slot_shares(query: Tensor, item: Tensor, similarity: NamedSimilarity) -> SlotShares:
    """Hand the score of two sets out to the pairs of their slots.

    Args:
        query: (K, D) real rows, of length 1 where the similarity has such; in the place of the
            text, where images and texts are told apart.
        item: (L, D) the same.
        similarity: of these sets.

    Returns:
        (K, L) each; of Gaussians (1, 1).

    The golden value of METHODS 2.5:

    >>> query = torch.tensor([[1.0, 0.0], [0.5, 0.8660254]])
    >>> item = torch.tensor([[0.8660254, 0.5], [-0.5, 0.8660254]])
    >>> round(slot_shares(query, item, NamedSimilarity("smooth_chamfer")).shares.sum().item(), 5)
    0.78539
    >>> round(slot_shares(query, item, NamedSimilarity("chamfer")).shares.sum().item(), 5)
    0.77452
    """
    query, item = query.double(), item.double()
    if similarity.gaussian:
        score = similarity(query[None], item[None])
        return SlotShares(slot_cosines(query[None, :1], item[None, :1])[0, 0], score.double())
    alike = slot_cosines(query[None], item[None])[:, 0, :, 0]
    if similarity.name == "cross_attention":
        return SlotShares(alike, _cross_attention(query, item, similarity))
    if isinstance(similarity, ContextSimilarity):
        f, g, c = (it[0, 0] for it in similarity.module.weigh(item[None], query[None]))
        return SlotShares(alike, g[:, None] * f * c.T)
    # Each slot as a set of its own: what the similarity makes of one pair of slots.
    single = similarity.function(query[:, None], item[:, None], normalized=True)
    return SlotShares(alike, SHARES[similarity.name](single, similarity))


def _cross_attention(query: Tensor, item: Tensor, similarity: NamedSimilarity) -> Tensor:
    """The asking slots' parts of the score, each handed out by its attention."""
    options = similarity.options
    lambda_1, lambda_2, leak = (float(options[key]) for key in ("lambda_1", "lambda_2", "leak"))
    words = options["direction"] == "t-i"  # the query's slots ask
    asking, asked = (query, item) if words else (item, query)
    relevance, attention = looks(asked[None], asking[None], lambda_1, leak, normalized=True)
    r, w = relevance[0, :, 0], attention[:, 0, :, 0].T  # (asking,), (asking, asked)
    if options["pooling"] == "avg":
        parts = r / len(r)
    else:
        parts = torch.softmax(lambda_2 * r, dim=0) * pool(relevance, "lse", lambda_2, None)[0]
    shares = parts[:, None] * w
    return shares if words else shares.T


def slot_facets(
    c: Tensor,
    shares: Tensor,
    *,
    item_attention: Tensor | None = None,
    query_attention: Tensor | None = None,
    words: Sequence[Sequence[Word]] = (),
) -> list[Facet]:
    """One facet for each slot of the query; of a query with one alone, for each of the item's.

    Args:
        c: (K, L) similarity of each pair of slots.
        shares: (K, L) from `slot_shares`.
        item_attention: (L, H, W) where each slot of the item looks.
        query_attention: (K, H, W) the same for a query that is an image.
        words: for each slot of a text query the words that it reads.

    Returns:
        K facets in the order of the slots. A facet's region is the mean of the item's slots,
        each by its part in this facet. Where K = 1, L facets, each with its slot's own region.
    """
    score = float(shares.sum())
    if c.shape[0] == 1 < c.shape[1]:
        return [
            Facet(
                name=f"slot {b + 1}",
                kind="slot",
                contribution=float(shares[0, b]),
                similarity=float(c[0, b]),
                weight=float(shares[0, b]) / score if score else 0.0,
                words=tuple(words[0]) if words else (),
                region=None if item_attention is None else item_attention[b].double(),
                query_region=None if query_attention is None else query_attention[0].double(),
            )
            for b in range(c.shape[1])
        ]
    # Shares may be negative (unlike slots); what a facet looks at is what speaks for it.
    speaks = shares.clamp_min(0) + 1e-12
    parts = speaks / speaks.sum(dim=1, keepdim=True)
    facets = []
    for a in range(c.shape[0]):
        contribution = float(shares[a].sum())
        region = None
        if item_attention is not None:
            region = torch.einsum("l,lhw->hw", parts[a], item_attention.double())
        facets.append(
            Facet(
                name=f"slot {a + 1}",
                kind="slot",
                contribution=contribution,
                similarity=float(c[a].max()),
                weight=contribution / score if score else 0.0,
                words=tuple(words[a]) if words else (),
                region=region,
                query_region=None if query_attention is None else query_attention[a].double(),
                matches=tuple(shares[a].tolist()),
            )
        )
    return facets


def words_read(attention: Tensor, tokens: Sequence[str], *, most: int = 3) -> list[list[Word]]:
    """The words that each slot reads.

    Args:
        attention: (K, L) a slot's attention over the tokens.
        tokens: L of them; WordPiece continuations ("##s") are joined to their word, special tokens
            ("[CLS]"), punctuation and small words ("the") are left out.
        most: at most so many words for each slot.

    Returns:
        For each slot up to `most` words by attention, with what they hold of the slot's attention
        to words; words that hold less than an even part are left out.

    >>> a = torch.tensor([[.1, .1, .3, .3, .2]])
    >>> [w.text for w in words_read(a, ["[CLS]", "a", "snow", "##man", "[SEP]"])[0]]
    ['snowman']
    """
    words: list[str] = []
    members: list[list[int]] = []
    for place, token in enumerate(tokens):
        if token.startswith("##") and words:
            words[-1] += token[2:]
            members[-1].append(place)
        elif _is_word(token):
            words.append(token)
            members.append([place])
    if not words:
        return [[] for _ in range(attention.shape[0])]
    held = torch.stack([attention[:, places].double().sum(1) for places in members], dim=1)
    held = held / held.sum(dim=1, keepdim=True).clamp_min(1e-12)
    out = []
    for row in held.tolist():
        best = sorted(range(len(words)), key=lambda i: (-row[i], i))[:most]
        even = 1 / len(words) - 1e-9
        out.append([Word(words[i], row[i]) for i in best if row[i] >= even])
    return out


def _is_word(token: str) -> bool:
    special = (token[:1], token[-1:]) in (("[", "]"), ("<", ">"))
    return not special and token.lower() not in _SMALL and any(ch.isalnum() for ch in token)
