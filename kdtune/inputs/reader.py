"""Look at each input of a sweep once, and keep what was seen until the command ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from kdtune.inputs.errors import InputError
from kdtune.inputs.storage import find_in_memory

Result = TypeVar("Result")
STORED_INPUT = re.compile(r"[0-9a-f]{20}\.(npy|parquet)")  # The name of an input that is stored under its content.
# From the settings of a module, the shape of one example, the number of classes and a few examples of the data (None
# for random ones) to what is known of the module.
Probe = Callable[[Any, tuple[int, ...], int, Any], Any]


class InputReader:
    """Where a sweep's inputs lie, what was seen of them so far, and what is to be said about them.

    Variants of a block name the same files, so that everything is read once per command.

    Parameters
    ----------
    file_folder : the folder of the sweep file, which the paths in it start from.
    inputs_folder : the folder ``inputs`` of the results, for inputs that lie in no file of the user's.
    probe : tries a module of the user's on a few examples; it needs torch, which this package does not import.
    sent_paths : where files lie that came with the sweep from another machine, by their paths in the sweep file.

    Attributes
    ----------
    notes : sentences about what was assumed or matched, each once, for the user.
    source_paths : stored inputs that the sweep names itself, as those of a sweep that is written in Python.
    located_paths : the files and folders that were found, by their paths in the sweep file.
    """

    def __init__(
        self,
        file_folder: Path | None = None,
        inputs_folder: Path | None = None,
        probe: Probe | None = None,
        sent_paths: Mapping[str, Path] | None = None,
    ) -> None:
        self.file_folder = (file_folder or Path()).absolute()
        self.inputs_folder = (inputs_folder or Path("results") / "inputs").absolute()
        self.notes: list[str] = []
        self.source_paths: list[str] = []
        self.probe = probe
        self.sent_paths = sent_paths or {}
        self.located_paths: dict[str, Path] = {}
        self._results: dict[Hashable, Any] = {}

    @property
    def search_folders(self) -> list[Path]:
        """The folders in which modules of the user's are looked for: that of the sweep file, then the working one."""
        return list(dict.fromkeys([self.file_folder, Path.cwd()]))

    def locate(self, path: str, setting: str = "") -> Path:
        """Return an existing path that starts from the sweep file's folder, or else from the working folder.

        A stored input exists from when it is kept in memory.

        Parameters
        ----------
        path : the path as the user wrote it.
        setting : the setting that holds it, for the error.

        Raises
        ------
        InputError
            If there is no such file or folder.
        """
        if find_in_memory(path) is not None:
            self.source_paths.append(path)
            return Path(path)
        if path in self.sent_paths:
            return self.sent_paths[path]
        try:
            candidates = [folder / Path(path).expanduser() for folder in self.search_folders]
            for candidate in candidates:
                if candidate.exists():
                    self.located_paths[path] = candidate.resolve()
                    return self.located_paths[path]
        except (OSError, RuntimeError, ValueError) as error:  # too long, an unknown user, a null character
            raise InputError(
                f"{path[:60]!r} cannot be looked for: {getattr(error, 'strerror', None) or error}", setting
            ) from None
        stored_copy = self.inputs_folder / Path(path).name
        if STORED_INPUT.fullmatch(stored_copy.name) and stored_copy.exists():
            self.located_paths[path] = stored_copy  # The results were moved; an input of this name has this content.
            return stored_copy
        places = list(dict.fromkeys(map(str, candidates)))
        message = f"{places[0]} does not exist" if len(places) == 1 else f"neither {' nor '.join(places)} exists"
        raise InputError(message, setting)

    def add_note(self, note: str) -> None:
        """Add a sentence for the user, unless it is there already."""
        if note not in self.notes:
            self.notes.append(note)

    def add_notes(self, notes: Iterable[str]) -> None:
        """Add several sentences, each once."""
        for note in notes:
            self.add_note(note)

    def read_once(self, key: Hashable, read: Callable[[], Result]) -> Result:
        """Return what ``read`` returned, or raise what it raised, when this key was first asked for."""
        if key not in self._results:
            try:
                self._results[key] = read()
            except InputError as error:
                self._results[key] = error
        result = self._results[key]
        if isinstance(result, InputError):
            raise result
        return result  # type: ignore[no-any-return]
