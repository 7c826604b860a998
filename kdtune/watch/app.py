"""The page's application: what each address answers. It reads the results folder, and writes nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kdtune.versions import __version__
from kdtune.watch.answer_cache import AnswerCache, CachedAnswer
from kdtune.watch.cell_learning import read_cell_learning
from kdtune.watch.cell_networks import read_cell_networks
from kdtune.watch.cell_page import find_cell, select_cells
from kdtune.watch.describe_progress import describe_duration, describe_progress
from kdtune.watch.guards import Guard
from kdtune.watch.network_counts import NetworkCounts, count_networks
from kdtune.watch.table_stamp import TableStamp, read_stamp
from kdtune.watch.watched_folders import WatchedFolders

_SCRIPTS = ("watch.js", "charts.js", "detail.js", "elements.js")
_STATIC_FILES = {"/watch.css": "text/css"} | {f"/{name}": "text/javascript" for name in _SCRIPTS}
MAX_PAGE_CELLS = 60


class WatchPage:
    """The addresses of the page, for the sweeps that it shows.

    Attributes
    ----------
    folders : the sweeps.
    answers : the answers from their tables.
    polled_at : when a page last asked how far its sweep is, on the monotonic clock; minus infinity if none has.
    """

    def __init__(self, folders: WatchedFolders, answers: AnswerCache) -> None:
        self.folders = folders
        self.answers = answers
        self.polled_at = float("-inf")
        self.count_networks = lru_cache(maxsize=8)(_count_networks)

    def list_routes(self) -> list[Route]:
        """Return the addresses, all of them for reading only."""
        static_routes = [Route(path, _send_static_file) for path in _STATIC_FILES]
        return [
            Route("/", _send_page),
            Route("/api/status", self.send_status),
            Route("/api/answer", self.send_answer),
            Route("/api/cells", self.send_cells),
            Route("/api/cell", self.send_cell),
            *static_routes,
        ]

    # Starlette runs functions that are not async in threads, so that reading files delays no other request.

    def send_status(self, request: Request) -> Response:
        """Answer how far a sweep has come, and which answer there is. The page asks each second."""
        self.polled_at = time.monotonic()
        sweeps = self.folders.list_sweeps()
        sweep = request.query_params.get("sweep") or (sweeps[0] if sweeps else "")
        if not sweep:
            progress = describe_progress(self.folders.root / "none yet", NetworkCounts())
            return JSONResponse({"sweep": "", "sweeps": [], "folder": str(self.folders.root), **progress})
        folder = self._find_folder(sweep)
        progress = describe_progress(folder, self.count_networks(folder, read_stamp(folder)))
        answer = self.answers.get(folder, is_ended=not progress["is_active"])
        return JSONResponse(
            {
                "version": __version__,
                "sweep": sweep,
                "sweeps": sweeps,
                "folder": str(folder),
                **progress,
                "answer": _describe_answer(answer),
            }
        )

    def send_answer(self, request: Request) -> Response:
        """Answer what is known of a sweep: recommendations and how to read the settings, without the settings."""
        summary = self._find_summary(request)
        return JSONResponse({name: value for name, value in summary.items() if name != "cells"})

    def send_cells(self, request: Request) -> Response:
        """Answer some of the settings, with their curves."""
        summary, query = self._find_summary(request), request.query_params
        return JSONResponse(
            select_cells(
                summary["cells"],
                search=query.get("search", ""),
                order=query.get("order", ""),
                offset=_read_number(request, "offset", 0),
                limit=min(MAX_PAGE_CELLS, _read_number(request, "limit", MAX_PAGE_CELLS)),
            )
        )

    def send_cell(self, request: Request) -> Response:
        """Answer all of one setting: its curve, its networks and their learning curves."""
        cell = find_cell(self._find_summary(request)["cells"], request.query_params.get("cell", ""))
        if cell is None:
            raise HTTPException(404, "there is no such setting, or no longer")
        folder = self._find_folder(request.query_params.get("sweep", ""))
        try:
            networks, n_networks = read_cell_networks(folder, cell["settings"])
        except (OSError, ValueError, pa.ArrowException) as error:
            reason = str(error).splitlines()[0]
            return JSONResponse({**cell, "networks": [], "n_networks": 0, "learning": [], "problem": reason})
        learning = read_cell_learning(folder, networks)
        return JSONResponse({**cell, "networks": networks, "n_networks": n_networks, "learning": learning})

    def _find_folder(self, sweep: str) -> Path:
        folder = self.folders.find_folder(sweep)
        if folder is None:
            raise HTTPException(404, "there is no such sweep")
        return folder

    def _find_summary(self, request: Request) -> dict[str, Any]:
        """Return the summary of a sweep's answer; answer 404 if there is none."""
        folder = self._find_folder(request.query_params.get("sweep", ""))
        answer = self.answers.find(folder)
        if answer is None or answer.summary is None:
            raise HTTPException(404, "nothing is known of this sweep yet")
        return answer.summary


def make_app(page: WatchPage, token: str | None, host_names: Sequence[str] | None) -> Guard:
    """Return the application; the arguments are those of ``Guard``."""
    return Guard(Starlette(routes=page.list_routes()), token, host_names, open_paths=[*_STATIC_FILES])


def _count_networks(folder: Path, _stamp: TableStamp | None) -> NetworkCounts:
    """Count the networks of a table; the stamp makes the cache of this function forget an earlier table."""
    return count_networks(folder)


def _describe_answer(answer: CachedAnswer) -> dict[str, Any]:
    """Return which answer there is, and how old it is."""
    return {
        "version": answer.version,
        "has_summary": answer.summary is not None,
        "is_computing": answer.is_computing,
        "problem": answer.problem,
        "age": describe_duration(time.time() - answer.computed_at) if answer.summary is not None else "",
    }


def _send_page(_request: Request) -> Response:
    return Response(_read_static_file("watch.html"), media_type="text/html")


def _send_static_file(request: Request) -> Response:
    path = request.url.path
    return Response(_read_static_file(path.removeprefix("/")), media_type=_STATIC_FILES[path])


@lru_cache
def _read_static_file(name: str) -> bytes:
    return files("kdtune.watch").joinpath("static", name).read_bytes()


def _read_number(request: Request, name: str, default: int) -> int:
    """Return a number from the query of an address, 0 or more; answer 400 if it is none."""
    text = request.query_params.get(name, str(default))
    if not text.isdecimal() or len(text) > 9:
        raise HTTPException(400, f"{name} must be a number")
    return int(text)
