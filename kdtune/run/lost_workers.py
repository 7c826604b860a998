"""Let Ray Tune take every way in which Ray loses a worker for the death of that worker.

A worker that Ray ended because memory ran short, or whose result was lost with a machine, is reported by an error of
another class than that of an actor that died. Tune knows only that one, and ends the whole run on any other ("Caught
unexpected exception": ``_actor_task_failed`` in ``ray/air/execution/_internal/actor_manager.py``, Ray 2.60).

Importing this module takes seconds.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

from ray.air.execution._internal import RayActorManager
from ray.exceptions import RayActorError, RayError, RayTaskError


def teach_tune_lost_workers() -> None:
    """Change how Tune, in this process, handles the error of a worker; to be called once."""
    manager_class: Any = RayActorManager
    handle_failure = manager_class._actor_task_failed

    @wraps(handle_failure)
    def handle_any_failure(manager: Any, tracked_actor_task: Any, exception: Exception) -> None:
        handle_failure(manager, tracked_actor_task, convert_to_death(exception))

    manager_class._actor_task_failed = handle_any_failure


def convert_to_death(error: Exception) -> Exception:
    """Return an error of Ray's as that of an actor that died; as it is if Tune knows it, or it is none of Ray's."""
    if not isinstance(error, RayError) or isinstance(error, RayActorError | RayTaskError):
        return error
    return RayActorError(error_msg=str(error))
