"""The names of all figures, in the order in which they are drawn. The command line reads them without matplotlib."""

FIGURES = ("softmax", "accuracy", "num_error", "nll", "balanced_error", "overall", "excess", "t_opt", "t_opt_map",
           "regret", "gain", "networks", "per_class", "confusion", "learning")  # fmt: skip
