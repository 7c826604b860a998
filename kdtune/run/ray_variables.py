"""The environment variables that Ray and Ray Tune read. This module does not import Ray."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

# Tune need not save its state: a sweep is continued from the ids of its finished networks.
RAY_VARIABLES = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # A sweep that is itself a job brings the user's modules to its workers, beside what the job brought to the head.
    "RAY_OVERRIDE_JOB_RUNTIME_ENV": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    # With a search algorithm, Tune would let only one trial wait for resources; the dispatcher limits trials itself.
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


def make_ray_environment(environment: Mapping[str, str], starts_ray: bool) -> dict[str, str]:
    """Return an environment with what Ray reads, except what the user has set.

    Ray turns authentication on for a cluster that it starts. Without a token of ours it would write one to the home
    folder, which changes how every later cluster starts.

    Parameters
    ----------
    environment : The environment of this process.
    starts_ray : Whether a Ray is started, and none joined.
    """
    has_authentication = any(name.startswith("RAY_AUTH_") for name in environment)
    token = {"RAY_AUTH_TOKEN": secrets.token_hex(32)} if starts_ray and not has_authentication else {}
    return RAY_VARIABLES | token | dict(environment)
