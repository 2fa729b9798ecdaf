"""What an explanation is made of: facets whose contributions sum to the score they explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

__all__ = ["Explanation", "Facet", "Kind", "Word"]

Kind = Literal["slot", "condition", "steering"]

_LINES = 20
"""Facets that are written out; what is left is one line."""


@dataclass(frozen=True)
class Word:
    """A word of the query, and the part (0 to 1) of a slot's attention that it holds."""

    text: str
    attention: float


@dataclass(frozen=True, eq=False)
class Facet:
    """One respect in which the query and the hit agree, and what that is worth in the score.

    Attributes:
        name: "slot 2", a condition ("baseColour", "free 1"), or the steered attribute group.
        kind: which of these three.
        contribution: what it adds to the score; all of them sum to the score.
        similarity: how alike the two are in this respect alone: a slot's highest cosine with the
            hit's slots, a condition's s_m in [0, 1], or the agreement on the steered group.
        weight: by how much that counts: the relevance w_m of a condition (after steering), a slot's
            part of the score, or gamma (w - 1) of a steered group.
        factor: the user's factor on it; 1 where nothing was asked.
        change: the contribution less what it would be without steering.
        words: the words of a text query that the slot reads, most attended first.
        region: (H, W) where on the hit the facet looks, sums to 1.
        query_region: the same on the query, if that is an image.
        matches: for a slot, what each slot of the hit adds to the contribution.
        query_value, item_value: the values of the condition's attribute group, where known.
        taught: a condition that stands for an attribute group, even if neither value is known.
        guessed: `query_value` is no label: it is what the most similar items in this respect have.
        single: a condition for one attribute ("wing=blue"): the values are whether it is had.
        says: what the taught condition itself says, without any label: that the two agree in it,
            or that they differ; None of a free condition, which has no name for it.
    """

    name: str
    kind: Kind
    contribution: float
    similarity: float
    weight: float
    factor: float = 1.0
    change: float = 0.0
    words: tuple[Word, ...] = ()
    region: Tensor | None = None
    query_region: Tensor | None = None
    matches: tuple[float, ...] = ()
    query_value: str | None = None
    item_value: str | None = None
    guessed: bool = False
    taught: bool = False
    single: bool = False
    says: bool | None = None

    @property
    def agrees(self) -> bool | None:
        """Whether both have a value of the attribute group in common; None where unknown.

        Of a single attribute, whether both have it; None, too, where neither has.
        """
        if self.query_value is None or self.item_value is None:
            return None
        if self.single and self.query_value == self.item_value == "no":
            return None
        return not set(self.query_value.split(", ")).isdisjoint(self.item_value.split(", "))

    @property
    def told(self) -> tuple[str, str]:
        """The query's value and the verdict, in words.

        >>> Facet("hue", "condition", 1, 1, 1, query_value="red", item_value="red").told
        ('red', 'agree')
        >>> Facet("hue", "steering", 1, 1, 1, item_value="red", guessed=True).told
        ('query names none', 'as likely as others')
        """
        if self.kind == "steering" and self.query_value is None:
            return "query names none", "as likely as others"
        likely = "likely " if self.guessed and self.query_value is not None else ""
        return f"{likely}{self.query_value or '?'}", self._verdict()

    def _verdict(self) -> str:
        agrees = self.agrees
        if self.query_value is None or self.item_value is None:
            if self.single and self.says is not None:
                return "likely both have it" if self.says else "likely not both"
            return {True: "look alike", False: "look unlike", None: "one is not known"}[self.says]
        if self.single:
            return {True: "both have it", False: "one has it", None: "neither has it"}[agrees]
        if agrees is None or self.says is None or agrees == self.says:
            return "agree" if agrees else "differ"
        if self.guessed:  # the neighbours' labels say one thing, the pair itself another
            return "not sure: they look " + ("alike" if self.says else "unlike")
        return "agree, but look unlike" if agrees else "differ, but look alike"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; what does not apply to this kind of facet is left out.

        >>> Facet("hue", "condition", 0.25, similarity=0.5, weight=0.5).to_dict()
        {'name': 'hue', 'kind': 'condition', 'contribution': 0.25, 'similarity': 0.5, 'weight': 0.5}
        """
        out: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "contribution": self.contribution,
            "similarity": self.similarity,
            "weight": self.weight,
        }
        if self.factor != 1.0:
            out["factor"] = self.factor
        if self.change != 0.0:
            out["change"] = self.change
        if self.words:
            out["words"] = [{"word": w.text, "attention": w.attention} for w in self.words]
        if self.matches:
            out["matches"] = [
                {"slot": f"slot {b}", "contribution": c} for b, c in enumerate(self.matches, 1)
            ]
        if self.query_value is not None or self.item_value is not None:
            out["query_value"], out["item_value"] = self.query_value, self.item_value
            out["agrees"] = self.agrees
            if self.guessed:
                out["query_value_guessed"] = True
        if self.says is not None:
            out["says_agree"] = self.says
        for key, region in (("region", self.region), ("query_region", self.query_region)):
            if region is not None:
                out[key] = [[round(v, 5) for v in row] for row in region.tolist()]
        return out


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a hit has its score.

    Attributes:
        query: the text asked, or the name of the picture.
        id: the item.
        using: "sets" (facets are slots) or "pairs" (facets are conditions).
        score: as `Index.search` gives it for the same arguments; the contributions sum to it.
        unsteered: the score without `weigh`; equal to `score` if nothing was steered.
        rank, unsteered_rank: the place among all items of the index, with and without `weigh`.
        facets: largest contribution first.
        query_image, item_image, item_texts: what to show beside it.
    """

    query: str
    id: str
    using: Literal["sets", "pairs"]
    score: float
    unsteered: float
    rank: int
    unsteered_rank: int
    facets: tuple[Facet, ...]
    weigh: Mapping[str, float] = field(default_factory=dict)
    item_texts: tuple[str, ...] = ()
    query_image: Image.Image | None = None
    item_image: Image.Image | None = None

    def share(self, facet: Facet) -> float:
        """The part of the score that `facet` makes; the shares sum to 1 (0 if the score is 0)."""
        return facet.contribution / self.score if self.score else 0.0

    def says(self, agree: bool, most: int = 5) -> tuple[str, ...]:
        """Names of the conditions that say that the two agree, or that they differ.

        This is the model's own claim, from the pictures alone; `facetwise evaluate` measures how
        often such claims are true. Single attributes claim what both have, never what one lacks.

        Args:
            agree: which of the two.
            most: so many, agreements first that it is surest of, differences that count most.
        """
        facets = [facet for facet in self.facets if facet.says is agree]
        if not agree:
            facets = [facet for facet in facets if not facet.single]
        facets.sort(key=lambda facet: -facet.similarity if agree else -facet.weight)
        return tuple(facet.name for facet in facets[:most])

    @property
    def summary(self) -> str:
        """The claims in a sentence; empty where no condition has a name.

        >>> hue = Facet("hue", "condition", 0.4, similarity=0.8, weight=0.5, says=True)
        >>> form = Facet("form", "condition", 0.1, similarity=0.2, weight=0.5, says=False)
        >>> Explanation("a.jpg", "7", "pairs", 0.5, 0.5, 1, 1, (hue, form)).summary
        'by the pictures they agree in hue; they differ in form'
        """
        claims = (("agree", self.says(True)), ("differ", self.says(False)))
        told = [f"they {verb} in {', '.join(names)}" for verb, names in claims if names]
        return "by the pictures " + "; ".join(told) if told else ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: everything but the pictures."""
        out: dict[str, Any] = {
            "query": self.query,
            "id": self.id,
            "using": self.using,
            "score": self.score,
            "rank": self.rank,
        }
        if self.weigh:
            out["weigh"] = dict(self.weigh)
            out["unsteered"] = {"score": self.unsteered, "rank": self.unsteered_rank}
        if self.item_texts:
            out["texts"] = list(self.item_texts)
        if self.summary:
            out["agree_in"], out["differ_in"] = list(self.says(True)), list(self.says(False))
        out["facets"] = [{**f.to_dict(), "share": self.share(f)} for f in self.facets]
        return out

    def __str__(self) -> str:
        head = f"{self.query!r} and {self.id}: score {self.score:.4f}, rank {self.rank}"
        if self.weigh:
            asked = ", ".join(f"{name} x {factor:g}" for name, factor in self.weigh.items())
            head += f" (without {asked}: {self.unsteered:.4f}, rank {self.unsteered_rank})"
        shown, rest = self.facets[:_LINES], self.facets[_LINES:]
        width = max((len(f.name) for f in shown), default=0)
        lines = [head, *([self.summary] if self.summary else [])]
        lines += [f"  {self._line(f, width)}" for f in shown]
        if rest:
            others, part = f"{len(rest)} others", sum(f.contribution for f in rest)
            share = part / self.score if self.score else 0.0
            lines.append(f"  {others:{width}}  {part:+.4f}  {share:4.0%}")
        return "\n".join(lines)

    def _line(self, facet: Facet, width: int) -> str:
        line = f"{facet.name:{width}}  {facet.contribution:+.4f}  {self.share(facet):4.0%}"
        if facet.kind == "condition":
            line += f"  similarity {facet.similarity:.2f} x relevance {facet.weight:.2f}"
        elif facet.kind == "steering":
            line += f"  agreement {facet.similarity:.2f} x {facet.weight:+.3f}"
        if facet.words:
            line += "  reads " + ", ".join(word.text for word in facet.words)
        if facet.query_value is not None or facet.item_value is not None:
            query, verdict = facet.told
            line += f"  {query} | {facet.item_value or '?'}: {verdict}"
        return line

    def to_image(self) -> Image.Image:
        """A picture of it: query and hit, and for each facet its share and what it looks at."""
        from .picture import draw

        return draw(self)
