"""Photos with captions: the benchmarks that rank them for each other, from files to figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

from facetwise.data import Problem
from facetwise.data.benchmarks import coco, cxc, eccv, flickr8k, flickr30k, precomp
from facetwise.data.benchmarks.captions import CaptionedImages
from facetwise.data.benchmarks.flickr8k_judgements import (
    Judgements,
    has_judgements,
    judgements,
)
from facetwise.errors import InputError
from facetwise.evaluation.answers import Matrix
from facetwise.evaluation.coco import coco_1k as five_folds
from facetwise.evaluation.coco import coco_5k as all_together
from facetwise.evaluation.cxc import crisscrossed
from facetwise.evaluation.eccv import eccv_caption
from facetwise.evaluation.flickr8k import judged
from facetwise.evaluation.image_text import Encoded, ImageText, Scored, difference, scored
from facetwise.evaluation.request import Request
from facetwise.evaluation.rerank import Reranked, pair_scorer, two_stages
from facetwise.evaluation.score_files import check_savable, save_scores
from facetwise.evaluation.scorers import Scorer, cosine_scorer, ensemble, set_scorer
from facetwise.models import Model

__all__ = [
    "coco_1k",
    "coco_5k",
    "crisscrossed_captions",
    "eccv_captions",
    "flickr8k_1k",
    "flickr8k_judgements",
    "flickr30k_1k",
    "precomputed",
    "precomputed_1k",
]

_Protocol = Callable[..., ImageText]
_Data: TypeAlias = CaptionedImages | precomp.CaptionedRegions

_NOTES: Final = 20
"""Remarks that are printed."""


@dataclass(frozen=True)
class _Asked:
    """A split under the runs that are asked.

    Attributes:
        data: as read.
        scores: (B, C), of the first stage if there are two.
        control: (B, C) of the sets' mean vectors.
        what: both, as protocols take them.
        images, captions: compare images with images, captions with captions.
        means: compare captions, and images, by their mean vectors.
    """

    data: _Data
    scores: Tensor
    control: Tensor
    what: Scored
    images: Scorer
    captions: Scorer
    means: tuple[Scorer, Scorer]

    @property
    def owner(self) -> Tensor:
        """(C,) the image of each caption."""
        return torch.tensor(self.data.owner)


def flickr8k_1k(request: Request) -> Mapping[str, Any]:
    """Flickr8k: all photos of the split against all their captions.

    Where the judgements of experts and crowd lie beside the test photos, they are answered, too:
    recall and judgement do not agree on which model is better (FIELDNOTES, DivE 5).
    """
    data = _read(request, "flickr8k", flickr8k.read)
    asked = _ask(request, data)
    figures = _ranked(request, asked, all_together)
    if data.split != "test" or not has_judgements(data.folder) or request.rerank is not None:
        return figures
    try:
        found = _judged(asked, judgements(data.folder), allow_partial=True)
    except InputError as error:  # nobody asked for them: no reason to lose the recalls
        found = {"problems": [f"the judgements are left out: {error}"]}
    notes = [*figures.get("problems", ()), *found.pop("problems", ())]
    if found:
        figures["judgements"] = found
    return {**figures, "problems": _first(notes)} if notes else figures


def flickr30k_1k(request: Request) -> Mapping[str, Any]:
    """Flickr30K: all photos of the split against all their captions."""
    return _retrieval(request, _read(request, "flickr30k", flickr30k.read), all_together)


def coco_1k(request: Request) -> Mapping[str, Any]:
    """COCO: means over five folds of 1,000 photos."""
    return _retrieval(request, _read(request, "coco-1k", coco.read), five_folds)


def coco_5k(request: Request) -> Mapping[str, Any]:
    """COCO: all 5,000 photos against all 25,000 captions."""
    return _retrieval(request, _read(request, "coco-5k", coco.read), all_together)


def precomputed(request: Request) -> Mapping[str, Any]:
    """Pre-computed regions: all images of the split against all their captions."""
    return _retrieval(request, _read(request, "precomp", precomp.read), all_together)


def precomputed_1k(request: Request) -> Mapping[str, Any]:
    """Pre-computed regions of COCO's 5,000 test images: means over five folds of 1,000."""
    request = replace(request, split="testall")
    return _retrieval(request, _read(request, "precomp-1k", precomp.read), five_folds)


def flickr8k_judgements(request: Request) -> Mapping[str, Any]:
    """Flickr8k: rank correlation of a run's scores with those of experts and of the crowd."""
    _no_rival(request, "flickr8k-judgements")
    _no_second_stage(request, "flickr8k-judgements")
    data = _read(request, "flickr8k-judgements", flickr8k.read)
    people = judgements(request.folder("flickr8k-judgements"))
    found = _judged(_ask(request, data), people, allow_partial=request.allow_partial)
    return _with_problems(data, found)


def eccv_captions(request: Request) -> Mapping[str, Any]:
    """ECCV Caption: mAP@R, R-Precision and R@1 with the many captions that people found right."""
    _no_rival(request, "eccv")
    truth = eccv.ground_truth("eccv", _truths(request))
    data = _read(request, "eccv", coco.read)
    asked = _ask(request, data)
    found, control = (
        eccv_caption(
            answers,
            truth,
            data.images,
            data.caption_ids,
            ties=request.ties,
            allow_partial=request.allow_partial,
        )
        for answers in (asked.what.answers, Matrix(asked.control))
    )
    found["control"] = {"mean_vectors": control["mean"]}
    if request.rerank is not None:
        found["rerank"] = {"by": request.rerank.name, "depth": request.depth}
    return _with_problems(data, found)


def crisscrossed_captions(request: Request) -> Mapping[str, Any]:
    """CxC: recalls in four directions and rank correlations, of COCO's photos and captions."""
    _no_rival(request, "cxc")
    _no_second_stage(request, "cxc")
    folder = request.folder("cxc")
    split = request.split or "test"
    places = [it for it in (folder, folder / "cxc", folder / "data") if _has_csv(it, split)]
    people = {
        kind: cxc.read(places[0], kind, split, allow_partial=request.allow_partial)
        for kind in ("sits", "sts", "sis")
        if places
    }
    # Without the csv files the package still knows which captions and images are right.
    truth = None if places or split != "test" else eccv.ground_truth("cxc", _truths(request))
    data = _read(request, "cxc", coco.read)
    asked = _ask(request, data)
    found, control = (
        crisscrossed(
            scores,
            captions,
            images,
            data.images,
            data.caption_ids,
            asked.owner,
            people,
            truth,
            ties=request.ties,
            seed=request.seed,
            allow_partial=request.allow_partial,
        )
        for scores, captions, images in (
            (asked.scores, asked.captions, asked.images),
            (asked.control, *asked.means),
        )
    )
    found["control"] = {"mean_vectors": control}
    notes = [str(problem) for one in people.values() for problem in one.problems]
    if not places:
        notes.append(
            f"{folder} has no sits_{split}.csv: images are not compared with images, and nothing "
            "is correlated; get the csv files of Crisscrossed Captions"
        )
    return _with_problems(data, {**found, "problems": notes})


def _retrieval(request: Request, data: _Data, protocol: _Protocol) -> dict[str, Any]:
    return _ranked(request, _ask(request, data), protocol)


def _ranked(request: Request, asked: _Asked, protocol: _Protocol) -> dict[str, Any]:
    found = protocol(asked.what, asked.owner, ties=request.ties, seed=request.seed)
    figures = found.to_dict()
    if request.rival is not None:
        rival = scored([_encoded(request, request.rival, asked.data)])
        other = protocol(rival, asked.owner, ties=request.ties, seed=request.seed)
        figures["difference"] = difference(found, other, seed=request.seed)
    if request.rerank is not None:
        alone = replace(asked.what, answers=Matrix(asked.scores))
        first = protocol(alone, asked.owner, ties=request.ties, seed=request.seed)
        figures["rerank"] = two_stages(
            found, first, by=request.rerank.name, depth=request.depth, seed=request.seed
        )
    return _with_problems(asked.data, figures)


def _judged(asked: _Asked, people: Judgements, *, allow_partial: bool) -> dict[str, Any]:
    ids = (asked.data.images, asked.data.caption_ids)
    found = judged(people, asked.scores, *ids, allow_partial=allow_partial)
    control = judged(people, asked.control, *ids, allow_partial=allow_partial)
    control.pop("problems", None)
    return {**found, "control": {"mean_vectors": control}}


def _no_rival(request: Request, name: str) -> None:
    if request.rival is not None:
        raise InputError(f"--against: {name} has no paired interval; measure the two runs apart")


def _no_second_stage(request: Request, name: str) -> None:
    if request.rerank is not None:
        raise InputError(f"--rerank: {name} correlates all scores; there is nothing to choose from")


def _read(request: Request, name: str, reader: Callable[..., _Data]) -> _Data:
    if request.save_scores is not None:
        if request.rerank is not None:
            raise InputError("--save-scores keeps one matrix, and --rerank makes two rankings")
        check_savable(request.save_scores)
    split = request.split or "test"
    data = reader(request.folder(name), split, allow_partial=request.allow_partial)
    collection = request.collection(data)
    missing = set(data.images) - set(collection.ids)
    if missing:
        raise InputError(
            f"{data.folder}: {len(missing)} photos cannot be read, {min(missing)} first; get them "
            "again, or remove them and go on with --allow-partial"
        )
    seen = [Problem("", None, "", said, kind="seen") for said in request.seen(collection)]
    return replace(data, problems=(*data.problems, *seen))


def _ask(request: Request, data: _Data) -> _Asked:
    runs = [_encoded(request, model, data) for model in request.models]
    what = scored(runs)
    assert isinstance(what.answers, Matrix) and isinstance(what.control, Matrix)
    scores, control = what.answers.scores, what.control.scores
    if request.save_scores is not None:
        save_scores(
            request.save_scores,
            scores,
            owner=torch.tensor(data.owner),
            image_ids=data.images,
            caption_ids=data.caption_ids,
        )
    if request.rerank is not None:
        second = _encoded(request, request.rerank, data)
        again = pair_scorer(second.x, second.y, request.rerank.similarity_spec)
        what = replace(what, answers=Reranked(scores, again, request.depth))
    found = [model.similarity_spec for model in request.models]
    both = [(run.x, run.y, similarity) for run, similarity in zip(runs, found, strict=True)]
    return _Asked(
        data,
        scores,
        control,
        what,
        images=ensemble([set_scorer("images", x, similarity) for x, _, similarity in both]),
        captions=ensemble([set_scorer("captions", y, similarity) for _, y, similarity in both]),
        means=(
            ensemble([cosine_scorer("captions", it.mean_vectors(y)) for _, y, it in both]),
            ensemble([cosine_scorer("images", it.mean_vectors(x)) for x, _, it in both]),
        ),
    )


def _encoded(request: Request, model: Model, data: _Data) -> Encoded:
    if model.sets is None:
        raise InputError(f"{model.name or 'the run'} has no set model: it knows nothing of texts")
    collection = request.collection(data)
    x = model.embed_collection(collection, [collection.row(image) for image in data.images]).sets
    assert x is not None  # of a run with a set model
    distinct = {text: place for place, text in enumerate(dict.fromkeys(data.captions))}
    y = model.embed_texts(list(distinct), cached_in=collection).sets
    place = torch.tensor([distinct[text] for text in data.captions])
    return Encoded(x, y[place], model.similarity_spec)


def _truths(request: Request) -> Path | None:
    """Where the ground truth lies: beside the photos, or in the package eccv-caption."""
    folder = request.data
    if folder is not None and (folder / "eccv_image_to_caption.json").exists():
        return folder
    return None


def _has_csv(folder: Path, split: str) -> bool:
    return any((folder / place / f"sits_{split}.csv").exists() for place in (".", "data"))


def _with_problems(data: _Data, figures: Mapping[str, Any]) -> dict[str, Any]:
    notes = [*(str(problem) for problem in data.problems), *figures.get("problems", ())]
    kept = {key: value for key, value in figures.items() if key != "problems"}
    return {**kept, "problems": _first(notes)} if notes else kept


def _first(notes: Sequence[str]) -> list[str]:
    """The first of them, and how many more: a damaged block is hundreds of lines."""
    more = [f"and {len(notes) - _NOTES:,} more"] if len(notes) > _NOTES else []
    return [*notes[:_NOTES], *more]
