"""Bring what the pages link to outside of this folder into the site: sweeps, clusters, figures, the benchmarks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_OUTSIDE = "outside"  # the folder of the site in which they lie
_LINK = re.compile(r"\]\((?!\w+:)(?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
_MAX_BYTES = 10_000_000


def on_files(files: Files, config: Any) -> Files:
    """Add the files that pages link to, and those that these link to."""
    pages = [file for file in files if file.src_uri.endswith(".md")]
    while pages:
        page = pages.pop()
        for path in _list_outside_targets(page.content_string, _locate(page.src_uri)):
            uri = f"{_OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
            if path.is_file() and files.get_file_from_path(uri) is None and path.stat().st_size < _MAX_BYTES:
                added = File.generated(config, uri, abs_src_path=str(path))
                files.append(added)
                if uri.endswith(".md"):
                    pages.append(added)
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Let links lead to the files that were added; a folder is named in place of a link."""
    source = _locate(page.file.src_uri)

    def rewrite(match: re.Match[str]) -> str:
        path = (source.parent / match["target"]).resolve()
        if path.is_relative_to(DOCS):
            uri = path.relative_to(DOCS).as_posix()
        elif path == ROOT / "README.md":
            uri = "index.md"
        else:
            uri = f"{_OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
        if files.get_file_from_path(uri) is None and path.is_dir():
            return f" (`{path.relative_to(ROOT).as_posix()}` in the repository)]()"
        return f"]({os.path.relpath(uri, Path(page.file.src_uri).parent)}{match['anchor'] or ''})"

    rewritten = _LINK.sub(rewrite, markdown)
    return re.sub(r"\[([^\]]*)( \(`[^`]*` in the repository\))\]\(\)", r"\1\2", rewritten)


def _locate(uri: str) -> Path:
    """Return where a page lies in the repository."""
    return ROOT / uri.removeprefix(f"{_OUTSIDE}/") if uri.startswith(f"{_OUTSIDE}/") else DOCS / uri


def _list_outside_targets(markdown: str, source: Path) -> list[Path]:
    targets = [(source.parent / match["target"]).resolve() for match in _LINK.finditer(markdown)]
    return [path for path in targets if path.is_relative_to(ROOT) and not path.is_relative_to(DOCS) and path.exists()]
