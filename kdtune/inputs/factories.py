"""Factories in modules of the user's or of installed packages: ``mynets:student``, ``sklearn.datasets:load_wine``."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kdtune.inputs.code_versions import ModulePlace, find_module_place
from kdtune.inputs.errors import InputError
from kdtune.inputs.user_code import describe_user_error
from kdtune.text import find_nearest, suggest_nearest

# The state on disk of the user's modules when they were loaded: time of the last change in nanoseconds by path.
_loaded_times: dict[str, int] = {}


def split_factory_name(name: str) -> tuple[str, str]:
    """Return the module and the attribute of a factory's name.

    Raises
    ------
    InputError
        If it is not ``package.module:attribute``.
    """
    module_name, separator, attribute = name.partition(":")
    if all(part.isidentifier() for part in [*module_name.split("."), *attribute.split(".")]):
        return module_name, attribute
    remedy = "write module:name, as in mynets:student"
    if not separator:
        if name.endswith(".py"):
            remedy = f"write {Path(name).stem}:name, where name stands in that file"
        elif "." in name and all(part.isidentifier() for part in name.split(".")):
            remedy = f"write {':'.join(name.rsplit('.', 1))}"
    raise InputError(f"{name!r} names no factory; {remedy}")


def load_factory(name: str, search_folders: Sequence[Path]) -> Callable[..., Any]:
    """Import a factory.

    Parameters
    ----------
    name : ``package.module:attribute``; the attribute may have dots.
    search_folders : where modules of the user's are looked for, before installed packages. They stay in ``sys.path``,
        as modules of the user's may import others when they are called. A module that has changed on disk since it was
        loaded here is loaded again.

    Raises
    ------
    InputError
        If the module or the attribute is missing, importing raises, or the attribute cannot be called.
    """
    module_name, attribute = split_factory_name(name)
    place = find_module_place(module_name, search_folders)
    folders = list(dict.fromkeys(str(folder.resolve()) for folder in search_folders))
    sys.path[:] = [*folders, *(path for path in sys.path if path not in folders)]
    importlib.invalidate_caches()
    _unload_other_versions(place)
    try:
        factory: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(_describe_missing_module(error.name, search_folders)) from None
        raise InputError(f"importing {module_name} failed: {describe_user_error(error)}") from None
    except (Exception, SystemExit) as error:
        raise InputError(f"importing {module_name} failed: {describe_user_error(error)}") from None
    _note_loaded_files(place)
    owner = module_name
    for part in attribute.split("."):
        if not hasattr(factory, part):
            public_names = [key for key in dir(factory) if not key.startswith("_")]
            nearest_name = find_nearest(part, public_names)
            suggestion = (
                f"; did you mean {nearest_name!r}?" if nearest_name else f"; looked in {_describe_file(factory)}"
            )
            raise InputError(f"{owner} has no {part!r}{suggestion}")
        factory = getattr(factory, part)
        owner = f"{owner}.{part}"
    if not callable(factory):
        raise InputError(f"{name} is a {type(factory).__name__}, which cannot be called; give a function or a class")
    result: Callable[..., Any] = factory
    return result


def _unload_other_versions(place: ModulePlace) -> None:
    """Forget the user's modules if one in memory lies elsewhere or is of an earlier state of its file."""
    is_current = True
    for name, path in zip(place.module_names, place.files, strict=True):
        loaded_file = getattr(sys.modules.get(name), "__file__", None)
        is_elsewhere = loaded_file is not None and Path(loaded_file).resolve() != path.resolve()
        modified_ns = path.stat().st_mtime_ns
        is_current = is_current and not is_elsewhere and _loaded_times.get(str(path), modified_ns) == modified_ns
    if not is_current:
        for name in place.module_names:
            sys.modules.pop(name, None)


def _note_loaded_files(place: ModulePlace) -> None:
    for path in place.files:
        _loaded_times[str(path)] = path.stat().st_mtime_ns


def _describe_missing_module(name: str, search_folders: Sequence[Path]) -> str:
    folders = list(dict.fromkeys(map(str, search_folders)))
    parent_name, _, last_name = name.rpartition(".")
    if parent_name and parent_name in sys.modules:
        paths = list(getattr(sys.modules[parent_name], "__path__", []))
        nearest_name = find_nearest(last_name, [module.name for module in pkgutil.iter_modules(paths)])
        suggestion = f"; did you mean '{parent_name}.{nearest_name}'?" if nearest_name else ""
        return f"{parent_name} has no module {last_name!r}{suggestion}"
    candidates = [module.name for module in pkgutil.iter_modules(folders) if module.name != "setup"]
    nearest_name = find_nearest(name, candidates)
    suggestion = f"; did you mean {nearest_name!r}?" if nearest_name else ""
    places = ", ".join(folders)
    return f"there is no module {name!r}: looked in {places or 'no folder'} and among installed packages{suggestion}"


def _describe_file(module: Any) -> str:
    return str(getattr(module, "__file__", None) or getattr(module, "__name__", module))


def call_factory(factory: Callable[..., Any], args: Mapping[str, Any]) -> Any:
    """Call a factory with keyword arguments, and return what it returns.

    Raises
    ------
    InputError
        If an argument is missing or unknown, or the factory raises: with the type, the message and the place in the
        user's code.
    """
    try:
        name = name_of_factory(factory)
    except InputError:
        name = f"{getattr(factory, '__module__', '')}:{getattr(factory, '__qualname__', factory)}"
    _check_arguments(factory, name, args)
    try:
        return factory(**args)
    except (Exception, SystemExit) as error:
        raise InputError(f"{name} failed: {describe_user_error(error)}") from None


def check_estimator_parameters(estimator: Any) -> None:
    """Check the values of an estimator's parameters as scikit-learn does it in ``fit``, where the estimator is its own.

    Raises
    ------
    ValueError
        If one is wrong.
    """
    from sklearn.base import BaseEstimator

    # Estimators of other libraries may give the method another meaning.
    own_check = getattr(BaseEstimator, "_validate_params", None)
    if own_check is not None and getattr(type(estimator), "_validate_params", None) is own_check:
        estimator._validate_params()


def _check_arguments(factory: Callable[..., Any], name: str, args: Mapping[str, Any]) -> None:
    """Raise InputError if a factory takes other arguments; those of code in C are not known before the call."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return
    kinds = {parameter.kind for parameter in parameters.values()}
    keywords = {
        key: parameter
        for key, parameter in parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    for key in args:
        if key not in keywords and inspect.Parameter.VAR_KEYWORD not in kinds:
            known = suggest_nearest(key, keywords) if keywords else "it takes none"
            raise InputError(f"{name} takes no argument {key!r}; {known}")
    required = [key for key, parameter in keywords.items() if parameter.default is parameter.empty and key not in args]
    if required:
        raise InputError(f"{name} needs the argument {required[0]!r}; give it in args")


def name_of_factory(factory: Any) -> str:
    """Return the name under which a function or class can be imported: ``module:qualname``.

    Private modules of a package are passed over where the package offers the same object, so that
    ``sklearn.ensemble:ExtraTreesClassifier`` has one name.

    Raises
    ------
    InputError
        If it cannot be imported elsewhere: a lambda, something inside a function, or of a notebook or script.
    """
    remedy = "put it into a file beside the sweep, such as mynets.py, and import it from there"
    if isinstance(factory, functools.partial):
        raise InputError("is a functools.partial; give the function itself, and its arguments as args")
    qualname = getattr(factory, "__qualname__", None)
    module_name = getattr(factory, "__module__", None)
    if not isinstance(qualname, str) or not isinstance(module_name, str) or not callable(factory):
        raise InputError(f"is an object of type {type(factory).__name__}; give a function or a class that makes one")
    if "<lambda>" in qualname:
        raise InputError(f"is a lambda, which workers cannot import; write a function and {remedy}")
    if "<locals>" in qualname:
        raise InputError(f"{qualname.replace('.<locals>', '')} was defined inside a function; {remedy}")
    if module_name == "__main__":
        raise InputError(f"{qualname} was defined in a notebook or script, which workers cannot import; {remedy}")
    if not _is_same(_find_attribute(module_name, qualname), factory):
        raise InputError(f"{module_name}:{qualname} is not what can be imported under this name; {remedy}")
    while (parent_name := module_name.rpartition(".")[0]) and module_name.rpartition(".")[2].startswith("_"):
        if not _is_same(_find_attribute(parent_name, qualname), factory):
            break
        module_name = parent_name
    return f"{module_name}:{qualname}"


def _is_same(attribute: Any, factory: Any) -> bool:
    """Return whether a module's attribute is a factory, or what became of it when the module was loaded again."""
    if attribute is factory:
        return True
    names = [(getattr(item, "__module__", None), getattr(item, "__qualname__", None)) for item in (attribute, factory)]
    return type(attribute) is type(factory) and names[0] == names[1] and not hasattr(factory, "__wrapped__")


def _find_attribute(module_name: str, qualname: str) -> Any:
    return functools.reduce(
        lambda owner, part: getattr(owner, part, None), qualname.split("."), sys.modules.get(module_name)
    )
