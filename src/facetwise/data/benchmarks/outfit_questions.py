"""Questions about outfits: which item fills the blank, and which items belong together.

The generator makes questions of outfits with negatives of the same type. It stands in for the
script behind PAN's resampled questions, which was never released (METHODS 1.6 and 9).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, Literal, TypeAlias

import torch

from facetwise.data.benchmarks.outfit_sets import Blanks, Compatibility, ItemSets, Questions
from facetwise.errors import InputError

__all__ = ["Blanks", "Compatibility", "ItemSets", "Mode", "Questions", "generate_questions"]

Mode: TypeAlias = Literal["single", "released-like"]
_TRIES: Final = 20
"""Draws after which a negative is given up: nearly every one would be a true outfit."""


def generate_questions(
    outfits: Iterable[Sequence[int]],
    types: Sequence[Hashable | None] | None = None,
    *,
    generator: torch.Generator,
    candidates: int = 4,
    mode: Mode = "single",
) -> Questions:
    """Make one question of each kind of every outfit, with negatives of the same type.

    A blank's distractors have the type of the right item. A negative is its outfit with r items
    replaced, each by one of its own type. No distractor is in the outfit or makes another true
    outfit of it, no candidate appears twice, and no negative is equal to any outfit (as sets; 26%
    of the released negatives are, METHODS T-1). Items are drawn as often as they occur in outfits,
    so that being popular tells little. Where the right candidate stands is drawn too (T-3).

    Args:
        outfits: item numbers. Items that appear twice count once; sets that appear twice too; sets
            with fewer than two items are left out.
        types: (N,) what each item is; None for an item that nothing may replace. Without types any
            item replaces any other.
        generator: of all draws.
        candidates: C of a blank, the right one included.
        mode: how many items of a negative are false: ``single`` one, ``released-like`` a number
            drawn evenly from 1 to n - 1, as nearly in PAN's files.

    Raises:
        InputError: no outfit has two items.

    >>> g = torch.Generator().manual_seed(0)
    >>> made = generate_questions([[0, 1], [2, 3], [4, 5]], "abababab", generator=g, candidates=3)
    >>> len(made.blanks), made.compatibility.labels.tolist()
    (3, [True, True, True, False, False, False])
    >>> made.blanks.candidates[0].remainder(2).unique().tolist()  # all of type a, or all of type b
    [0]
    """
    if candidates < 2 or mode not in ("single", "released-like"):
        raise ValueError(f"expected 2 or more candidates and a mode, not {candidates}, {mode!r}")
    true = list(dict.fromkeys(tuple(dict.fromkeys(map(int, outfit))) for outfit in outfits))
    known: dict[frozenset[int], tuple[int, ...]] = {}
    for outfit in true:
        if len(outfit) > 1:
            known.setdefault(frozenset(outfit), outfit)
    if not known:
        raise InputError("no outfit has two items or more; there is nothing to ask")
    # Questions are drawn one by one: each depends on what is in its outfit and in all others.
    chance = random.Random(int(torch.randint(2**62, (1,), generator=generator)))
    draw = _Draw(known, types, chance)
    given: list[list[int]] = []
    choices: list[list[int]] = []
    answers: list[int] = []
    positions: list[int] = []
    positives: list[list[int]] = []
    negatives: list[list[int]] = []
    asked = 0
    for outfit in known.values():
        blank = draw.blank(outfit, candidates - 1)
        negative = draw.negative(outfit, mode)
        asked += blank is not None or negative is not None
        if blank is not None:
            place, distractors = blank
            answer = chance.randrange(candidates)
            given.append([item for item in outfit if item != outfit[place]])
            choices.append([*distractors[:answer], outfit[place], *distractors[answer:]])
            answers.append(answer)
            positions.append(place + 1)
        if negative is not None:
            positives.append(list(outfit))
            negatives.append(negative)
    unit = torch.arange(len(positives))
    return Questions(
        Blanks(
            ItemSets.of(given),
            torch.tensor(choices, dtype=torch.long).reshape(-1, candidates),
            torch.tensor(answers, dtype=torch.long),
            torch.tensor(positions, dtype=torch.long),
        ),
        Compatibility(
            ItemSets.of([*positives, *negatives]),
            torch.arange(2 * len(positives)) < len(positives),
            torch.cat([unit, unit]),
        ),
        left_out=len(known) - asked,
    )


class _Draw:
    """Draws items of a type, as often as they occur in outfits."""

    def __init__(
        self,
        known: dict[frozenset[int], tuple[int, ...]],
        types: Sequence[Hashable | None] | None,
        chance: random.Random,
    ) -> None:
        self.known, self.types, self.chance = known, types, chance
        self.pool: defaultdict[Hashable, list[int]] = defaultdict(list)
        for outfit in known:
            for item in sorted(outfit):
                self.pool[self.type_of(item)].append(item)
        self.variety = {kind: len(set(items)) for kind, items in self.pool.items()}

    def type_of(self, item: int) -> Hashable | None:
        return "" if self.types is None else self.types[item]

    def others(
        self, item: int, taken: set[int], count: int, rest: set[int] | None = None
    ) -> list[int] | None:
        """`count` different items of the type of `item`, none of them in `taken`.

        None of them makes a true outfit of `rest` either, where that is given.
        """
        kind = self.type_of(item)
        if kind is None or self.variety[kind] < count:
            return None
        pool = self.pool[kind]
        found: dict[int, None] = {}
        for _ in range(_TRIES * count):
            drawn = self.chance.choice(pool)
            if drawn not in taken and not self.completes(rest, drawn):
                found[drawn] = None
            if len(found) == count:
                return list(found)
        left = [
            other
            for other in sorted(set(pool) - taken - set(found))
            if not self.completes(rest, other)
        ]
        missing = count - len(found)
        return [*found, *self.chance.sample(left, missing)] if missing <= len(left) else None

    def completes(self, rest: set[int] | None, item: int) -> bool:
        """Whether the item makes a true outfit of `rest`."""
        return rest is not None and frozenset((*rest, item)) in self.known

    def blank(self, outfit: tuple[int, ...], count: int) -> tuple[int, list[int]] | None:
        """The place of the blank and its distractors; another place where a type has too few."""
        for place in self.chance.sample(range(len(outfit)), len(outfit)):
            item = outfit[place]
            distractors = self.others(item, {*outfit}, count, {*outfit} - {item})
            if distractors is not None:
                return place, distractors
        return None

    def negative(self, outfit: tuple[int, ...], mode: Mode) -> list[int] | None:
        """The outfit with some items replaced, equal to no true outfit."""
        for _ in range(_TRIES):
            false = self.chance.randint(1, 1 if mode == "single" else len(outfit) - 1)
            result = list(outfit)
            for place in self.chance.sample(range(len(outfit)), len(outfit)):
                other = self.others(outfit[place], {*outfit, *result}, 1) if false else None
                if other is not None:
                    result[place] = other[0]
                    false -= 1
            if not false and frozenset(result) not in self.known:
                return result
        return None
