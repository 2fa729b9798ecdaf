"""What a request asks: a text, a picture or an item, weights of attribute groups, a filter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.datastructures import FormData, UploadFile

from ..errors import InputError
from ..search.weights import parse_weights

__all__ = ["MOST_HITS", "Question", "from_form", "question"]

MOST_HITS = 200
SLIDER = "weigh."

Using = Literal["sets", "pairs"]


@dataclass(frozen=True)
class Question:
    """The arguments of `Index.search` and `Index.explain`; one of the first three is the query."""

    text: str = ""
    image: bytes | None = None
    like: str = ""
    weigh: dict[str, float] = field(default_factory=dict)
    where: str | None = None
    using: Using | None = None
    k: int = 12

    def resolve(self, index: Any) -> Any:
        """What to ask `index`: the picture, else the item that it is to be like, else the text.

        Raises:
            InputError: there is no such item.
        """
        return self.image or (index.item(self.like) if self.like else self.text)


def question(
    text: str = "",
    image: bytes | None = None,
    *,
    like: str = "",
    weigh: dict[str, float] | None = None,
    where: str = "",
    using: str = "",
    k: int = 12,
) -> Question:
    """Check what came and make a question of it.

    Raises:
        InputError: nothing is asked, or an option is out of range.
    """
    given = [bool(image), bool(like), bool(text.strip())]
    if not any(given):
        raise InputError("nothing to search for; give a text or a picture")
    if sum(given) > 1:
        raise InputError("more than one of text, picture and item was given; ask with one of them")
    if not 1 <= k <= MOST_HITS:
        raise InputError(f"k = {k}: expected a number of hits from 1 to {MOST_HITS}")
    if using not in ("", "sets", "pairs"):
        raise InputError(f"using = {using!r}: expected sets or pairs, or nothing")
    return Question(
        text=text.strip(),
        image=image or None,
        like=like,
        weigh=weigh or {},
        where=where.strip() or None,
        using="sets" if using == "sets" else "pairs" if using == "pairs" else None,
        k=k,
    )


async def from_form(form: FormData) -> Question:
    """The question of a posted form: q, image, like, where, using, k, weigh and sliders.

    `weigh` fields read NAME=FACTOR and may repeat; a slider is called `weigh.NAME` and counts only
    where it was moved off 1.

    Raises:
        InputError: as `question`.
    """
    weigh = parse_weights(text for text in form.getlist("weigh") if isinstance(text, str))
    for name, value in form.multi_items():
        if name.startswith(SLIDER) and isinstance(value, str):
            moved = parse_weights([f"{name.removeprefix(SLIDER)}={value}"])
            weigh |= {group: factor for group, factor in moved.items() if factor != 1}
    upload = form.get("image")
    image = await upload.read() if isinstance(upload, UploadFile) else None
    k = _text(form, "k") or "12"
    if not k.isdecimal():
        raise InputError(f"k = {k!r}: expected a number of hits")
    return question(
        _text(form, "q"),
        image,
        like=_text(form, "like"),
        weigh=weigh,
        where=_text(form, "where"),
        using=_text(form, "using"),
        k=int(k),
    )


def _text(form: FormData, name: str) -> str:
    value: Any = form.get(name, "")
    return value if isinstance(value, str) else ""
