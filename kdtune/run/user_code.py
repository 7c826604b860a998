"""Bring the user's own modules to the workers of a cluster, through Ray's runtime environment."""

from __future__ import annotations

import shutil
from pathlib import Path

from kdtune.inputs.code_versions import find_module_place, name_file
from kdtune.settings import FactoryShape
from kdtune.spec.sweep_spec import SweepSpec


def copy_user_code(spec: SweepSpec, folder: Path) -> Path | None:
    """Copy the modules of a sweep's factories, and those that they import, into a folder, and return it.

    Ray sends the folder to every worker and makes it the working folder, so that the modules can be imported there.
    Only these files go: the folder of a sweep may hold data of any size. Return None, and make no folder, if no network
    of the sweep comes from the user's own code.
    """
    files = _list_files(spec)
    if not files:
        return None
    for target, source in files.items():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    return folder


def _list_files(spec: SweepSpec) -> dict[Path, Path]:
    """Return the files of the user's modules by the place that they need below a folder to be imported from it."""
    files: dict[Path, Path] = {}
    shapes = [shape for case in spec.cases for shape in (case.teacher, case.student)]
    for factory, shape in {shape.factory: shape for shape in shapes if isinstance(shape, FactoryShape)}.items():
        place = find_module_place(factory.partition(":")[0], shape.search_folders)
        for module_name, path in zip(place.module_names, place.files, strict=True):
            files[Path(name_file(module_name, path))] = path
    return files
