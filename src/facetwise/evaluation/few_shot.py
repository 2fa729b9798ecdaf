"""N-way K-shot: is a query most similar to the few labelled pictures of its own class?

Mean of scores is PAN's protocol (METHODS 1.5); prototypes, the mean embedding of a class's shots,
stand beside it, and so do controls on the very same episodes, whose differences have intervals
three to five times tighter (FIELDNOTES, PAN 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from facetwise.data.benchmarks import few_shot_json
from facetwise.data.sampling import generator_of
from facetwise.evaluation.episodes import Episodes, draw_episodes, mean_scores, prototype_scores
from facetwise.evaluation.grouped import benchmark_groups, own_groups
from facetwise.evaluation.in_context import episodes_in_context
from facetwise.evaluation.request import Request
from facetwise.evaluation.scorers import Scorer
from facetwise.metrics import MeanInterval, Ties, hits_at_k, mean_interval

__all__ = ["FewShot", "few_shot", "few_shot_figures", "paired", "run", "run_lists"]


@dataclass(frozen=True, eq=False)
class FewShot:
    """Accuracies of E episodes, fractions.

    Attributes:
        accuracies: (E,) by the mean of scores over the shots.
        prototypes: (E,) by the score with their mean embedding.
    """

    accuracies: Tensor
    prototypes: Tensor

    @property
    def accuracy(self) -> MeanInterval:
        """Percent, with the 95% interval over episodes (METHODS T-5)."""
        return _percent(self.accuracies)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **_json(self.accuracy, "accuracy"),
            "prototypes": _json(_percent(self.prototypes), "accuracy"),
        }


def few_shot(scorer: Scorer, episodes: Episodes, *, ties: Ties = "pessimistic") -> FewShot:
    """Tell each query's class in each episode.

    A scorer that looks around is told which shots are of one class (METHODS 1.5).

    Args:
        scorer: of the items that the episodes were drawn from.
        episodes: as from `draw_episodes`.
        ties: as in `ranks`: by default a query whose class ties with another is wrong, so that a
            constant score gets 0 and not the first class's share.
    """
    scorer, episodes = episodes_in_context(scorer, episodes)

    def accuracies(scores: Tensor) -> Tensor:
        labels = episodes.labels.expand(scores.shape[:2]).flatten()
        right = hits_at_k(scores.flatten(0, 1), labels, 1, ties=ties)
        return right.view(scores.shape[:2]).mean(1)

    return FewShot(
        accuracies(mean_scores(scorer, episodes)), accuracies(prototype_scores(scorer, episodes))
    )


def paired(a: FewShot, b: FewShot) -> dict[str, Any]:
    """`a` minus `b` over the same episodes, in percent, with its own interval; for JSON."""
    found = _percent(a.accuracies - b.accuracies)
    return {"difference": round(found.mean, 2), "difference_ci95": round(found.ci95, 2)}


def few_shot_figures(
    request: Request, scorers: Sequence[Scorer], rival: Scorer | None, labels: Tensor
) -> dict[str, Any]:
    """The figures of a run, of its controls and of a rival, all over the same episodes.

    Args:
        request: ways, shots, queries, episodes, ties, seed.
        scorers: the run's own and its controls.
        rival: another run's.
        labels: (N,) classes of the items.

    Raises:
        InputError: too few classes have enough items.
    """
    episodes = draw_episodes(
        labels,
        way=request.way,
        shot=request.shot,
        query=request.query,
        episodes=request.episodes,
        generator=generator_of(request.seed, 0),
    )
    own, *controls = (few_shot(scorer, episodes, ties=request.ties) for scorer in scorers)
    figures: dict[str, Any] = {
        **_json(own.accuracy, "accuracy"),
        "episodes": len(episodes),
        "way": episodes.way,
        "shot": request.shot,
        "query": request.query,
        "classes": episodes.classes,
        "classes_left_out": episodes.left_out,
        "images": len(labels),
        "prototypes": own.to_dict()["prototypes"],
        "control": {
            scorer.name: {**control.to_dict(), **paired(own, control)}
            for scorer, control in zip(scorers[1:], controls, strict=True)
        },
    }
    if rival is not None:
        other = few_shot(rival, episodes, ties=request.ties)
        figures["against"] = {**other.to_dict(), **paired(own, other)}
    return figures


def run(request: Request) -> dict[str, Any]:
    """Few-shot episodes of a collection's own groups, by default of pictures not seen in training.

    Raises:
        InputError: no groups, or too few with enough pictures.
    """
    own = own_groups(request, "few-shot")
    scorers = request.scorers(own.collection, own.rows)
    rival = request.rival_scorer(own.collection, own.rows)
    return {**few_shot_figures(request, scorers, rival, own.labels), **own.remarks()}


def run_lists(request: Request) -> dict[str, Any]:
    """Few-shot episodes of a split that JSON lists name (METHODS 4.2), by default of ``novel``.

    Raises:
        InputError: the lists or their pictures are not what they should be.
    """
    name = "few-shot-json"
    source = few_shot_json.read(
        request.folder(name), request.split or "novel", allow_partial=request.allow_partial
    )
    listed = benchmark_groups(request, source, name)
    scorers = request.scorers(listed.collection)
    rival = request.rival_scorer(listed.collection)
    return {**few_shot_figures(request, scorers, rival, listed.labels), **listed.remarks()}


def _percent(values: Tensor) -> MeanInterval:
    return mean_interval(100 * values.double())


def _json(found: MeanInterval, name: str) -> dict[str, float]:
    return {name: round(found.mean, 2), "ci95": round(found.ci95, 2)}
