"""The HTTP API and the search page of one index."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware

from ..errors import FacetwiseError
from ..search.weights import parse_weights
from .asking import MOST_HITS, Question, from_form, question
from .limits import BodyLimit, SafeHeaders

if TYPE_CHECKING:
    from ..explain import Explanation
    from ..search import Hit, Index, IndexedItem

__all__ = ["create_app"]

T = TypeVar("T")
HERE = Path(__file__).parent
KINDS = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
}
MOST_BYTES = 20_000_000  # a phone's largest photos; the picture itself is bounded when decoded


def create_app(index: Index, *, most_bytes: int = MOST_BYTES) -> FastAPI:
    """The page and the API of `index`.

    | | |
    |---|---|
    | `GET /` | the page |
    | `GET /api/search?q=&k=&weigh=NAME=3&where=&using=` | hits; `like=ID` asks by an item |
    | `POST /api/search` | the same as a form, with a picture in `image` |
    | `GET, POST /api/explain` | the same with `id`: the facets of that hit |
    | `GET /image/ID` | a thumbnail |

    Args:
        index: what is searched.
        most_bytes: the longest request body that is read.
    """
    app = FastAPI(
        title=f"facetwise: {index.about.collection}",
        # FastAPI's own pages of documentation load scripts from elsewhere; /openapi.json stays.
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(SafeHeaders), Middleware(BodyLimit, limit=most_bytes)],
    )
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    app.add_exception_handler(FacetwiseError, _as_json)
    asker = _Asker(index)
    _add_api(app, asker)
    _add_page(app, asker, Jinja2Templates(directory=HERE / "templates"))
    return app


class _Asker:
    """The index, asked by one request at a time and off the event loop.

    A search already uses every core, so two at once gain nothing, and what the model and the index
    keep in memory needs no locks of its own.
    """

    def __init__(self, index: Index) -> None:
        self.index = index
        self._lock = threading.Lock()

    async def search(self, asked: Question) -> list[Hit]:
        return await self._run(
            lambda: self.index.search(
                asked.resolve(self.index),
                asked.k,
                weigh=asked.weigh or None,
                where=asked.where,
                using=asked.using,
            )
        )

    async def explain(self, asked: Question, id: str) -> Explanation:
        return await self._run(
            lambda: self.index.explain(
                asked.resolve(self.index), id, weigh=asked.weigh or None, using=asked.using
            )
        )

    async def items(self, ids: Sequence[str]) -> list[IndexedItem]:
        return await self._run(lambda: self.index.items(ids))

    async def sliders(self) -> dict[str, list[str]]:
        """What can be weighed, each with the models ("sets", "pairs") that it steers."""
        return await self._run(lambda: _sliders(self.index))

    async def example(self) -> str:
        """A filter that makes sense for this collection."""
        return await self._run(lambda: _example(self.index))

    async def _run(self, work: Callable[[], T]) -> T:
        def locked() -> T:
            with self._lock:
                return work()

        return await run_in_threadpool(locked)


def _add_api(app: FastAPI, asker: _Asker) -> None:
    @app.get("/api/search")
    async def search(
        q: str = "",
        like: str = "",
        k: Annotated[int, Query(ge=1, le=MOST_HITS)] = 10,
        weigh: Annotated[list[str], Query()] = [],  # noqa: B006 (FastAPI copies it)
        where: str = "",
        using: str = "",
    ) -> list[dict[str, Any]]:
        asked = question(q, like=like, weigh=parse_weights(weigh), where=where, using=using, k=k)
        return _hits(await asker.search(asked))

    @app.post("/api/search")
    async def search_by_form(request: Request) -> list[dict[str, Any]]:
        async with request.form() as form:
            asked = await from_form(form)
        return _hits(await asker.search(asked))

    @app.get("/api/explain")
    async def explain(
        id: str,
        q: str = "",
        like: str = "",
        weigh: Annotated[list[str], Query()] = [],  # noqa: B006
        using: str = "",
    ) -> dict[str, Any]:
        asked = question(q, like=like, weigh=parse_weights(weigh), using=using)
        return (await asker.explain(asked, id)).to_dict()

    @app.post("/api/explain")
    async def explain_by_form(request: Request, id: str) -> dict[str, Any]:
        async with request.form() as form:
            asked = await from_form(form)
        return (await asker.explain(asked, id)).to_dict()

    @app.get("/image/{id:path}")
    async def image(id: str) -> Response:
        (item,) = await asker.items([id])
        kind = next((kind for start, kind in KINDS.items() if item.thumbnail.startswith(start)), "")
        if not kind:
            return Response(status_code=404)
        return Response(item.thumbnail, media_type=kind, headers={"Cache-Control": "max-age=3600"})


def _add_page(app: FastAPI, asker: _Asker, templates: Jinja2Templates) -> None:
    def fragment(request: Request, template: str, **values: Any) -> HTMLResponse:
        return templates.TemplateResponse(request, template, values)

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        index = asker.index
        return fragment(
            request,
            "page.html",
            name=index.about.collection,
            size=len(index),
            sliders=await asker.sliders(),
            picture_asks="pairs" if "pairs" in index.uses else "sets",
            columns=index.columns,
            example=await asker.example(),
        )

    @app.post("/page/search", include_in_schema=False)
    async def hits(request: Request) -> HTMLResponse:
        try:
            async with request.form() as form:
                asked = await from_form(form)
            found = await asker.search(asked)
        except FacetwiseError as error:
            return fragment(request, "error.html", message=str(error))
        like = [asked.like] if asked.like else []
        items = await asker.items([*(hit.id for hit in found), *like])
        return fragment(
            request,
            "hits.html",
            hits=list(zip(found, items, strict=False)),
            like=items[-1] if like else None,
            text=asked.text,
            where=asked.where,
            weigh=asked.weigh,
        )

    @app.post("/page/explain", include_in_schema=False)
    async def why(request: Request, id: str) -> HTMLResponse:
        try:
            async with request.form() as form:
                explanation = await asker.explain(await from_form(form), id)
        except FacetwiseError as error:
            return fragment(request, "error.html", message=str(error), dialog=True)
        picture = await run_in_threadpool(_png, explanation)
        return fragment(request, "why.html", why=explanation, picture=picture)


def _sliders(index: Index) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for using in index.uses:
        for name in index.steerable(using):
            found.setdefault(name, []).append(using)
    return found


def _example(index: Index) -> str:
    table = index.attributes
    for group, kind in zip(table.groups, table.kinds, strict=True):
        name = group if group.isidentifier() else f"`{group}`"
        if kind == "flag":
            return name
        if kind == "one" and table.values(group):
            value = table.values(group)[0].replace("'", "''")
            return f"{name} = '{value}'"
    return "id != ''"


def _png(explanation: Explanation) -> str:
    """The picture of an explanation as base64."""
    file = io.BytesIO()
    explanation.to_image().save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _hits(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    return [
        {"id": hit.id, "score": hit.score, "rank": hit.rank, "exact": hit.exact} for hit in hits
    ]


async def _as_json(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=400)
