"""What each column of each file of a sweep's folder means: the words of the page "Files and columns"."""

from __future__ import annotations

FOLDER = """\
results/
  teachers/<id>/     logits, weights and their checksums, shared by every sweep under this root
  fakeset/
    sweep.yaml       the sweep with all defaults filled in
    table.parquet    one row per network, exactly those that the file asks for
    per_class.parquet  confusion.parquet  errors_by_example.parquet  learning_curves.parquet
    parts/           rows as they came, each file complete or absent
    students/        weights of all students if they take less than 200 MB, else of the best (see --keep-students)
    set-aside/       files of parts/ that could not be read, if there were any
    analysis/        the answer's frames, and analysis.json
    figures/  report.html
    status.json      what the sweep is doing, or how it ended; ray.log, what Ray printed, if it died
"""
TABLE = {
    "model": "`teacher`, `student` (trained on labels alone: the baseline) or `distilled_student`",
    "class_sep": "setting of the data",
    "p_informative": "setting of the data",
    "width": "units in each hidden layer; null where layers differ",
    "temp": "T, the distillation temperature; 1 for teachers and baselines",
    "hard_weight": "weight of the labels in the loss; null for teachers and baselines",
    "replicate": "number of the replicate, from 0",
    "num_error": "errors on the test split: examples whose largest output is not their class",
    "accuracy": "share of the test split without errors",
    "loss": "cross-entropy of softmax(z / T) with the labels of the test split, in nats; it rises with T by itself",
    "nll": "mean of -log p of the right class on the test split at T = 1, in nats",
    "ece": "expected calibration error on the test split at T = 1",
    "balanced_error": "mean over the classes of the share of errors in each, on the test split",
    "val_num_error": "errors on the validation split, by which T is chosen",
    "val_accuracy": "share of the validation split without errors",
    "val_nll": "nll on the validation split",
    "val_balanced_error": "balanced error on the validation split",
    "train_num_error": "errors on the training examples after the last epoch",
    "train_error": "their share",
    "train_loss": "mean of what training minimised, after the last epoch, in nats; compare it at one T only",
    "logit_std": "standard deviation of the centred logits over the training examples",
    "softmax_entropy": "teachers: mean entropy of the softmax over the training examples at T = 1, in nats",
    "status": "`done`, `failed` or `skipped` (its teacher failed)",
    "error": "why it failed; a result that begins with `diverged` is not trained again",
    "id": "hash of all settings and seeds of the network",
    "teacher_id": "id of its teacher; null for teachers and baselines",
    "data_seed": "number of the draw of the data",
    "teacher_seed": "number of the draw of the teacher",
    "student_seed": "number of the draw of the student; null for teachers",
    "dataset": "name of the data set",
    "epochs": "epochs of training",
    "n_params": "parameters, biases included",
    "multiply_adds": "multiply-adds of one forward pass for one example",
    "n_train": "training examples; of students those of the transfer set",
    "n_val": "validation examples",
    "n_test": "test examples",
    "seconds": "seconds of training: the network's share of its pack's",
    "device": "processor that trained it",
    "host": "machine that trained it",
}
_CELL = "the columns of the settings that name a cell come first"
_STUDENT = "the columns of the settings that name a student come first"
OVERALL = {
    "T": "recommended temperature: the lowest mean over the data sets",
    "tied": "temperatures that are statistically tied with it, over these very data sets",
    "good_enough": "temperatures within the margin (5 %) of the best, with 95 % confidence",
    "tied_like": "as `tied`, for data sets like these",
    "good_enough_like": "as `good_enough`, for data sets like these",
    "data_sets": "independent data sets",
    "replicates": "replicates of the data set with the fewest",
    "usual_T": "temperature that many take without a sweep: 1, or 4 where 1 is the best",
    "minus_usual": "errors at that above those at the chosen T, on the test split, as a share",
    "minus_usual_low": "95 % interval for these very data sets: its lower end",
    "minus_usual_high": "its upper end",
    "minus_usual_low_like": "95 % interval for data sets like these: its lower end",
    "minus_usual_high_like": "its upper end",
    "minus_baseline": "errors of the student above those of labels alone, as a share; below 0 distillation helps",
    "minus_baseline_low": "95 % interval for these very data sets: its lower end",
    "minus_baseline_high": "its upper end",
    "minus_baseline_low_like": "95 % interval for data sets like these: its lower end",
    "minus_baseline_high_like": "its upper end",
    "student": "mean errors on the test split at the T that the other replicates choose",
    "baseline": "mean errors of labels alone",
    "teacher": "mean errors of the teacher",
    "n_test": "test examples; null where cells differ",
}
OVERALL_CURVES = {
    "temp": "temperature",
    "cost": "mean over the data sets above that at the best T, as a share",
    "cost_high": "upper bound with 95 % confidence for all T at once, for these very data sets",
    "tied": "whether it is statistically tied with the best",
    "cost_high_like": "upper bound for data sets like these",
    "tied_like": "whether it is tied, for data sets like these",
}
T_OPT = {
    "T_opt": "best temperature of the cell: the fewest errors on the validation split in the mean",
    "T_opt_continuous": "minimum of the mean curve, between temperatures",
    "T_opt_low": "95 % interval of that minimum: its lower end; 0 if nothing bounds it",
    "T_opt_high": "its upper end; infinite if nothing bounds it",
    "tied": "temperatures that are statistically tied with the best",
    "good_enough": "temperatures within the margin (5 %) of the best, with 95 % confidence",
    "flags": "what limits the result: `edge`, `flat`, `few replicates`, `incomplete`, ...",
    "left_out": "temperatures and replicates that are incomplete",
    "replicates": "replicates",
    "temperatures": "temperatures",
    "failed_runs": "runs without a result, of each temperature in ascending order",
    "planned_runs": "all runs of each temperature",
    "T_second": "temperature of a second minimum, where there is a significant one",
}


def _with_interval(name: str, prefix: str, meaning: str) -> dict[str, str]:
    return {
        name: meaning,
        f"{prefix}_low": "95 % interval: its lower end",
        f"{prefix}_high": "its upper end",
    }


TEST = {
    "T": "best temperature of the cell",
    **_with_interval("student", "student", "mean errors of the student at it"),
    "baseline": "mean errors of labels alone",
    "teacher": "mean errors of the teacher",
    "at_T1": "mean errors of the student at T = 1",
    **_with_interval("minus_baseline", "minus_baseline", "student minus baseline, in pairs"),
    **_with_interval("minus_teacher", "minus_teacher", "student minus teacher, in pairs"),
    **_with_interval("minus_T1", "minus_T1", "student minus that at T = 1, in pairs"),
    **_with_interval("gap_closed", "gap", "share of the gap from baseline to teacher that is closed"),
    **_with_interval("cross_fitted", "cross_fitted", "errors at the T that the other replicates choose"),
    **_with_interval("cross_fitted_minus_baseline", "cross_fitted_minus_baseline", "those minus the baseline"),
    **_with_interval("cross_fitted_minus_teacher", "cross_fitted_minus_teacher", "those minus the teacher"),
    **_with_interval("cross_fitted_minus_T1", "cross_fitted_minus_T1", "those minus the student at T = 1"),
    **_with_interval("cross_fitted_gap_closed", "cross_fitted_gap", "share of the gap that those close"),
    "optimism": "how much lower `student` is than `cross_fitted`, as a share",
    "chosen_on_test": "mean errors at the T that the test split would have chosen",
    "nll": "mean nll of the student",
    "baseline_nll": "mean nll of the baseline",
    "teacher_nll": "mean nll of the teacher",
    "ece": "mean expected calibration error of the student",
    "baseline_ece": "that of the baseline",
    "teacher_ece": "that of the teacher",
}
CURVES = {
    "T": "temperature",
    "errors": "mean of what T is chosen by, on the validation split",
    "excess": "that above the lowest mean",
    "band": "half the width of a 95 % interval within replicates (Loftus and Masson 1994)",
    "tied": "whether T is statistically tied with the best",
    "good_enough": "whether it is within the margin of the best, with 95 % confidence",
    "replicates": "replicates",
    "num_error": "mean errors on the test split",
    "num_error_low": "fewest of a replicate",
    "num_error_high": "most of a replicate",
    "baseline_num_error": "mean errors of labels alone",
    "teacher_num_error": "mean errors of the teacher",
    "accuracy": "mean accuracy on the test split",
    "accuracy_low": "lowest of a replicate",
    "accuracy_high": "highest of a replicate",
    "baseline_accuracy": "mean accuracy of labels alone",
    "teacher_accuracy": "mean accuracy of the teacher",
    "regret": "errors on the test split above those at the chosen T, in pairs",
    **_with_interval("gain", "gain", "errors of the baseline above the student's, in pairs"),
    "relative_regret": "regret as a share, cross-fitted where that can be",
}
FIXED = {
    "T": "temperature",
    **_with_interval("mean", "mean", "what it costs to use it in all cells, as a share, in the mean"),
    "median": "median over the cells",
    **_with_interval("worst", "worst", "cost of the worst cell, shrunk toward the mean by its noise"),
    "tied": "cells in which it is statistically tied with the best",
    "cells": "cells",
    "cross_fitted_cells": "cells whose cost is cross-fitted",
}
EFFECTS = {
    "factor": "setting that may move the best T, or the teacher's errors",
    "effect": "change of log2 T_opt for each doubling of it",
    "low": "95 % interval over these very data sets: its lower end",
    "high": "its upper end",
    "p_value": "p-value of no effect",
    "informative_cells": "cells in which the best T could be located to some extent",
    "cells": "cells",
    "used_cells": "cells that the effect is estimated from",
    "replicates": "replicates of each used cell",
    "independent_sets": "sets of cells that share no data",
    "sample_low": "95 % interval of the mean effect over data sets like these: its lower end",
    "sample_high": "its upper end",
    "p_heterogeneity": "p-value of one effect for all data sets",
    "p_heterogeneity_holm": "the same after Holm's correction for the number of factors",
    "sd_between_sets": "standard deviation of the effects of data sets",
    "sd_low": "its 95 % interval: the lower end",
    "sd_high": "the upper end",
    "data_sets": "data sets that have an effect of their own",
    "rising_sets": "data sets whose interval is above 0",
    "falling_sets": "data sets whose interval is below 0",
    "p_holm": "`p_value` after Holm's correction",
    "verdict": "`rises`, `falls`, `changes by at most ...`, `differs between data sets` or `cannot tell`",
    "sentence": "the verdict as a sentence",
}
EFFECTS_BY_SET = {
    "factor": "setting that may move the best T",
    "data_set": "settings of the data, in words",
    "effect": "change of log2 T_opt for each doubling of the factor in this data set",
    "low": "95 % interval: its lower end",
    "high": "its upper end",
    "settings": "settings that it is estimated from",
    "replicates": "replicates of each",
}
# File -> what it is, and its columns with their meanings.
FILES: dict[str, tuple[str, dict[str, str]]] = {
    "table.parquet": (
        "One row for each network that the sweep file asks for. Every setting of data, teacher (`teacher_...`), "
        "student and training is a column, too, under the name that it has in the "
        "[sweep file](settings.md).",
        TABLE,
    ),
    "per_class.parquet": (
        "One row for each network and class.",
        {
            "id": "network",
            "label": "class, as a number from 0",
            "n": "its test examples",
            "num_error": "errors on them",
            "accuracy": "share without errors",
            "seen": "whether the network was trained on examples of the class",
        },
    ),
    "confusion.parquet": (
        "One row for each network and pair of classes that occurs.",
        {"id": "network", "label": "class", "predicted": "class of the largest output", "count": "test examples"},
    ),
    "learning_curves.parquet": (
        "One row for each network and recorded epoch, where `train.eval_every` asks for them. Losses are "
        "cross-entropies with the labels at T = 1, in nats.",
        {
            "id": "network",
            "epoch": "epochs so far",
            "train_loss": "on the training examples",
            "train_num_error": "errors on them",
            "val_loss": "on the validation split",
            "val_num_error": "errors on it",
        },
    ),
    "errors_by_example.parquet": (
        "One row for each network, of test splits of up to 1,000,000 examples.",
        {
            "id": "network",
            "n_test": "test examples",
            "test_errors": "one bit for each, in the order of the test split: 1 is an error "
            "(`kdtune.errors_by_example.unpack_errors` reads them)",
        },
    ),
    "analysis/overall.parquet": (
        f"One row for each student, over all its data sets: which T to use; {_STUDENT}.",
        OVERALL,
    ),
    "analysis/overall_curves.parquet": (f"One row for each student and T; {_STUDENT}.", OVERALL_CURVES),
    "analysis/t_opt.parquet": (f"One row for each cell: its best T; {_CELL}.", T_OPT),
    "analysis/test.parquet": (f"One row for each cell: what its best T is worth on the test split; {_CELL}.", TEST),
    "analysis/curves.parquet": (f"One row for each cell and T; {_CELL}.", CURVES),
    "analysis/fixed.parquet": ("One row for each T: what it costs to use it in all cells.", FIXED),
    "analysis/effects.parquet": ("One row for each setting that may move the best T.", EFFECTS),
    "analysis/effects_by_set.parquet": ("One row for each setting and independent data set.", EFFECTS_BY_SET),
}
