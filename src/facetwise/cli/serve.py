"""`facetwise serve`: the search page and the HTTP API."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from ..errors import InputError
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
        """Serve until Ctrl-C, which is the way to stop it."""
        import uvicorn

        from ..search import Index
        from ..web.app import create_app

        index = Index.open(self.index)
        app = create_app(index)
        with _listen(self.host, self.port) as listening:
            index.steerable(index.uses[0])  # reads model and vectors now, not at the first search
            say(f"http://{_shown(self.host)}:{listening.getsockname()[1]}  (Ctrl-C stops)")
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
            try:
                server.run(sockets=[listening])
            except KeyboardInterrupt:
                say("stopped")
        return 0


def _listen(host: str, port: int) -> socket.socket:
    """A socket to serve on; that the port is taken is found out before anything is loaded."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"cannot listen on {host} port {port} ({error}); choose another with --port or --host"
        ) from error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
