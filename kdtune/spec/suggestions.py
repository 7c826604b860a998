"""Suggest the setting that a user who wrote a wrong name probably meant: one that is valid there, or elsewhere."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable

from kdtune.spec.grid import GRID
from kdtune.text import find_nearest, suggest_nearest

# What other libraries and papers call our settings; case, "_" and "-" are ignored.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "T": ("temperature", "temperatures", "temp", "tau", "kd_t", "kd_temperature"),
    "hard_weight": ("alpha", "lambda", "hard_loss_weight", "hard_label_weight", "label_weight", "ce_weight"),
    "scale_T2": ("scale_loss", "t_squared"),
    "bias_start": ("bias_init", "initial_bias"),
    "epochs": ("epoch", "n_epochs", "num_epochs", "nb_epochs", "max_epochs", "n_iter", "max_iter"),
    "batch_size": ("batchsize", "batch", "bs", "minibatch_size", "minibatch", "train_batch_size"),
    "optimizer": ("optimiser", "optim", "opt", "solver"),
    "lr": ("learning_rate", "learning_rate_init", "rate", "step_size", "eta", "lrate"),
    "weight_decay": ("decay", "wd", "l2", "l2_penalty"),
    "precision": ("dtype", "mixed_precision", "amp"),
    "eval_every": ("eval_interval", "log_every", "eval_frequency"),
    "hidden": ("hidden_units", "hidden_sizes", "hidden_layers", "hidden_layer_sizes", "hidden_dims", "layers"),
    "width": ("units", "neurons", "n_units", "num_units", "n_hidden", "hidden_size", "hidden_dim"),
    "depth": ("n_layers", "num_layers", "num_hidden_layers"),
    "dropout": ("dropout_rate", "drop_rate", "p_dropout", "drop", "drop_prob"),
    "activation": ("nonlinearity", "act", "activation_function"),
    "init_std": ("init_scale", "initializer_range", "weight_std"),
    "channels": ("filters", "n_filters", "out_channels", "n_channels"),
    "kernel": ("kernel_size", "filter_size"),
    "pool": ("pooling", "pool_size", "max_pool"),
    "n_samples": ("samples", "num_samples", "n_examples", "num_examples", "size"),
    "n_features": ("features", "num_features", "n_inputs", "input_dim"),
    "n_classes": ("classes", "num_classes", "n_outputs"),
    "class_sep": ("separation", "class_separation", "sep"),
    "p_informative": ("n_informative", "informative"),
    "flip_y": ("label_noise", "noise", "flip"),
    "test_size": ("test_fraction", "test_split", "n_test"),
    "val_size": ("validation_size", "valid_size", "validation_split", "val_split", "val_fraction", "n_val"),
    "jitter": ("shift", "augmentation", "augment", "max_shift"),
    "root": ("path", "data_root", "folder", "data_dir"),
    "args": ("kwargs", "arguments", "factory_args"),
    "factory": ("function", "callable", "class_name"),
    "outputs": ("soft_labels", "teacher_outputs"),
    "weights": ("checkpoint", "state_dict"),
    "target": ("target_column", "label_column"),
    "kind": ("type", "architecture", "arch", "model"),
    "replicates": ("repeats", "repetitions", "n_replicates", "n_repeats", "runs", "n_runs", "trials", "seeds"),
    "seed": ("random_state", "random_seed"),
    "resources": ("ray", "hardware"),
    "cpus_per_worker": ("cpus", "num_cpus", "cores"),
    "gpus_per_worker": ("gpus", "num_gpus"),
    "workers": ("n_workers", "num_workers", "n_jobs"),
    "dataset": ("data", "datasets"),
    "distill": ("distillation", "kd", "knowledge_distillation"),
    "train": ("training", "fit", "trainer"),
    "transfer": ("transfer_set",),
    "omit": ("exclude", "without", "drop_classes"),
    "keep": ("include", "only", "keep_classes"),
}


def suggest_setting(name: str, valid_names: Collection[str], paths_elsewhere: Collection[str] = ()) -> str:
    """Return ``did you mean 'T'?`` for a setting that is not valid where it stands, or else the valid ones.

    Parameters
    ----------
    name : The name that is not valid.
    valid_names : The settings that are valid where it stands.
    paths_elsewhere : The full paths of settings in other blocks, such as ``distill.T``.
    """
    if is_misspelt_grid(name):
        return f"did you mean {GRID!r}?"
    synonym_meaning = _find_synonym_meaning(name)
    if synonym_meaning not in valid_names:
        paths = [path for path in paths_elsewhere if _get_last_name(path) == name]
        if paths:
            return _offer_paths(paths)
    meant_setting = find_meant_setting(name, valid_names)
    if meant_setting is not None:
        return f"did you mean {meant_setting!r}?"
    paths = find_setting_paths(name, paths_elsewhere)
    return _offer_paths(paths) if paths else suggest_nearest(name, valid_names)


def find_setting_paths(name: str, paths: Iterable[str]) -> list[str]:
    """Return those of the paths that lead to a setting of this name, or of which it is a synonym."""
    meanings = (name.casefold(), (_find_synonym_meaning(name) or name).casefold())
    return [path for path in paths if _get_last_name(path).casefold() in meanings]


def find_meant_setting(name: str, valid_names: Collection[str]) -> str | None:
    """Return the valid setting that a wrong name is a synonym of or is most similar to; None if there is none."""
    synonym_meaning = _find_synonym_meaning(name)
    return synonym_meaning if synonym_meaning in valid_names else find_nearest(name, valid_names)


def _find_synonym_meaning(name: str) -> str | None:
    """Return our name for a setting that others call ``name``; None if it is no known synonym."""
    plain_name = _simplify(name)
    for setting, synonyms in _SYNONYMS.items():
        if plain_name in map(_simplify, synonyms):
            return setting
    return None


def _get_last_name(path: str) -> str:
    return path.rpartition(".")[2]


def _offer_paths(paths: list[str]) -> str:
    places = [path if "." in path else f"{path} at the top of the file" for path in paths]
    if len(places) == 1:
        return f"did you mean {places[0]}?"
    return f"did you mean {', '.join(places[:-1])} or {places[-1]}?"


def is_misspelt_grid(name: str) -> bool:
    """Return whether a name looks like ``grid_search``, but is not."""
    return name != GRID and bool(difflib.get_close_matches(name, [GRID], cutoff=0.6))


def _simplify(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")
