"""`facetwise serve`: the search page and the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from .options import say

__all__ = ["Serve"]


@dataclass(frozen=True)
class Serve:
    """Serve an index as a web page and an HTTP API.

    Only this machine can reach it, unless --host says otherwise.

    Example:
        facetwise serve shop.index --port 8000
    """

    interrupted: ClassVar[str] = "nothing was changed"

    index: Annotated[Path, Positional, arg(metavar="INDEX", help="What `facetwise index` wrote.")]
    host: Annotated[
        str, arg(help="The address to listen on; there is no login, so mind who can reach it.")
    ] = "127.0.0.1"
    port: Annotated[int, arg(help="The port to listen on.")] = 8000

    def run(self) -> int:
        """Serve until Ctrl-C."""
        import uvicorn

        from ..search import Index
        from ..web.app import create_app

        index = Index.open(self.index)
        app = create_app(index)
        index.steerable(index.uses[0])  # reads model and vectors now, not at the first search
        say(f"http://{self.host}:{self.port}  (Ctrl-C stops)")
        uvicorn.run(app, host=self.host, port=self.port, log_level="warning")
        return 0
