"""`facetwise explain`: why an item is a hit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from ..errors import InputError
from .options import Image, JsonFlag, Weights, print_json, query_of, say

__all__ = ["Explain"]


@dataclass(frozen=True)
class Explain:
    """Explain a hit facet by facet, with what each contributed.

    Example:
        facetwise explain shop.index "red sports shoe" 1163 --png why.png
        facetwise explain shop.index 1163 --image a.jpg --weigh baseColour=3 --json
    """

    interrupted: ClassVar[str] = "nothing was changed"

    index: Annotated[Path, Positional, arg(metavar="INDEX", help="What `facetwise index` wrote.")]
    text: Annotated[
        str,
        Positional,
        arg(metavar="[TEXT]", help="The text that was asked.", help_behavior_hint=""),
    ]
    id: Annotated[
        str,
        Positional,
        arg(metavar="ID", help="The id of the item to explain.", help_behavior_hint=""),
    ] = ""
    image: Image = None
    weigh: Weights = ()
    using: Annotated[
        Literal["auto", "sets", "pairs"],
        arg(help="Which model is explained; a text always asks the set model."),
    ] = "auto"
    png: Annotated[
        Path | None,
        arg(metavar="FILE", help="Write the explanation as a picture.", help_behavior_hint=""),
    ] = None
    json: JsonFlag = False

    def run(self) -> int:
        """Explain, and print the facets."""
        # With --image there is no TEXT, so the first free word is the id.
        text, item = (self.text, self.id) if self.id or self.image is None else ("", self.text)
        query = query_of(text, self.image)
        if not item:
            raise InputError(
                "no item to explain; put its id (a search shows it) after the text, as in "
                'facetwise explain shop.index "red sports shoe" 1163'
            )

        from ..search import Index
        from ..search.weights import parse_weights

        weigh = parse_weights(self.weigh)
        why = Index.open(self.index).explain(
            query,
            item,
            weigh=weigh or None,
            using=None if self.using == "auto" else self.using,
        )
        if self.png is not None:
            import io

            from ..files import write_bytes

            picture = io.BytesIO()
            why.to_image().save(picture, format="PNG")
            write_bytes(self.png, picture.getvalue())
            say(f"{self.png} is written")
        if self.json:
            print_json(why.to_dict())
        else:
            print(why)
        return 0
