"""How sure is each figure, and is one of our systems better? On the very same episodes and queries.

Means over the seeds are compared; units (episodes, queries, questions) are resampled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from facetwise.data.sampling import generator_of
from facetwise.evaluation.bench_attribute_rows import Row
from facetwise.evaluation.bench_attribute_run import CONTROL
from facetwise.evaluation.bench_keep import terms_of
from facetwise.evaluation.bench_questions import Measure
from facetwise.metrics.bootstrap import Interval, bootstrap_difference, bootstrap_mean

__all__ = ["HEAD", "compared"]

HEAD = "its head, cosine"
"""What a rival is called that is the system's own control."""

_SALT = -31


def compared(
    folders: Mapping[str, Sequence[Path]], rows: Mapping[str, Row], shown: Sequence[str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Intervals of all figures, and of the differences of our systems and others.

    Args:
        folders: of each system's seeds.
        rows: the systems.
        shown: those of the main table; the others are swaps of ablations, compared with nothing.

    Returns:
        For each system and measure ``{"value", "ci95"}``; and for each of ours and each rival
        ``{"system", "rival", MEASURE: {"value", "ci95"}, ...}``. Rivals are those that are not
        ours, and the system's own head under the plain cosine.
    """
    terms = {name: _mean_over_seeds(own) for name, own in folders.items()}
    intervals = {
        name: {
            measure: _json(bootstrap_mean(*one, generator=generator_of(0, _SALT)))
            for measure, one in own.items()
        }
        for name, own in terms.items()
    }
    differences = []
    for name in shown:
        if not rows[name].pan:
            continue
        rivals = {rival: terms[rival] for rival in shown if not rows[rival].pan}
        control = {
            measure.removeprefix(CONTROL): one
            for measure, one in terms[name].items()
            if measure.startswith(CONTROL)
        }
        if control:
            rivals[HEAD] = control
        for rival, other in rivals.items():
            differences.append(
                {"system": name, "rival": rival}
                | {
                    measure: _difference(one, other[measure])
                    for measure, one in terms[name].items()
                    if measure in other
                }
            )
    return intervals, differences


def _mean_over_seeds(folders: Sequence[Path]) -> dict[str, Measure]:
    kept = [terms_of(folder) for folder in folders]
    names = list(dict.fromkeys(key.rpartition(".")[0] for key in kept[0]))
    return {
        name: Measure(
            *(
                torch.stack([one[f"{name}.{part}"].double() for one in kept]).mean(0)
                for part in Measure._fields
            )
        )
        for name in names
    }


def _difference(own: Measure, rival: Measure) -> dict[str, Any]:
    found = bootstrap_difference(
        own.sums, rival.sums, own.weights, generator=generator_of(0, _SALT)
    )
    return _json(found)


def _json(found: Interval) -> dict[str, Any]:
    return {
        "value": round(found.value, 4),
        "ci95": [round(found.low, 4), round(found.high, 4)],
    }
