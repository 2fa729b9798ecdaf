"""Flickr8k's judgements: does a model's score of image and caption order them as people do?

Recall and judgement disagree (FIELDNOTES, DivE 5), so both are worth a look. The field's customs,
and what is followed here:

- Experts: three scores from 1 to 4 a pair. Captions of the image itself are left out (158 of 5,822
  pairs), since captioning metrics compare with just these. Figures with them stand beside it.
- The judgement of a pair is the mean of the three. Papers on captioning (CLIPScore and after it)
  count each of the three as a pair of its own and give tau-c of these: ``tau_c_each``.
- Crowd: the share of yes; the field gives tau-b.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from facetwise.data.benchmarks.flickr8k_judgements import Crowd, Expert, Judgements
from facetwise.errors import InputError
from facetwise.metrics.correlation import kendall_tau, rank_correlations

__all__ = ["agreement_with_people", "judged"]


def judged(
    judgements: Judgements,
    scores: Tensor,
    image_ids: Sequence[str],
    caption_ids: Sequence[str],
    *,
    allow_partial: bool = False,
) -> dict[str, Any]:
    """Rank correlation with experts and crowd, x 100.

    Args:
        judgements: as read; a kind that is not there is left out.
        scores: (B, C) of the split's images and captions.
        image_ids, caption_ids: of rows and columns.
        allow_partial: leave out judgements of what is not in the split, and say so.

    Returns:
        ``{"expert": {"pairs", "tau_c", "tau_b", "spearman", "tau_c_each", "with_own_captions":
        {...}}, "crowd": {...}, "problems": [...]}``, JSON-able.

    Raises:
        InputError: there is nothing to correlate, or a judged image or caption is not there.
    """
    out: dict[str, Any] = {}
    notes = [str(problem) for problem in judgements.problems]
    for kind, rows in (("expert", judgements.expert), ("crowd", judgements.crowd)):
        if not rows:
            continue
        known, places = _places(rows, image_ids, caption_ids)
        if len(known) < len(rows):
            said = (
                f"{len(rows) - len(known):,} of {len(rows):,} {kind} judgements are of images or "
                "captions that are not in this split"
            )
            if not allow_partial:
                raise InputError(f"{said}; go on with the others: --allow-partial")
            notes.append(said)
        model = scores[places[:, 0], places[:, 1]]
        other = torch.tensor([not row.own for row in known], dtype=torch.bool)
        people = torch.tensor(
            [row.scores if isinstance(row, Expert) else (row.share,) for row in known],
            dtype=torch.float64,
        ).view(len(known), -1)
        out[kind] = {
            **agreement_with_people(people[other], model[other]),
            "with_own_captions": agreement_with_people(people, model),
        }
    if notes:
        out["problems"] = notes
    return out


def agreement_with_people(people: Tensor, model: Tensor) -> dict[str, Any]:
    """Kendall's tau-c and tau-b and Spearman's rho, x 100; None where one side is constant.

    Args:
        people: (P, J) what each of J judges says of a pair; their mean counts. With several judges
            ``tau_c_each`` is that of P x J single judgements.
        model: (P,) its scores.

    Raises:
        InputError: fewer than two pairs.

    >>> agreement_with_people(torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([0.1, 0.2, 0.3]))
    {'pairs': 3, 'tau_c': 100.0, 'tau_b': 100.0, 'spearman': 100.0}
    """
    if len(people) < 2:
        raise InputError(f"{len(people)} judged pairs are too few to correlate")
    judges = people.shape[1]
    found = rank_correlations(model, people.mean(1))
    out = {
        "pairs": len(people),
        "tau_c": _percent(found.tau_c),
        "tau_b": _percent(found.tau_b),
        "spearman": _percent(found.spearman),
    }
    if judges > 1:
        each = kendall_tau(model.repeat_interleave(judges), people.flatten(), variant="c")
        out["tau_c_each"] = _percent(each)
    return out


def _places(
    rows: Sequence[Expert] | Sequence[Crowd], image_ids: Sequence[str], caption_ids: Sequence[str]
) -> tuple[list[Expert | Crowd], Tensor]:
    """The judgements of what is there, and (K, 2) where its score is."""
    row_of = {name: place for place, name in enumerate(image_ids)}
    column_of = {name: place for place, name in enumerate(caption_ids)}
    known = [row for row in rows if row.image in row_of and row.caption in column_of]
    places = [(row_of[row.image], column_of[row.caption]) for row in known]
    return known, torch.tensor(places, dtype=torch.long).view(-1, 2)


def _percent(value: float) -> float | None:
    return None if value != value else round(100 * value, 2)
