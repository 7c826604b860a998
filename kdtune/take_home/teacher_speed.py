"""Time the teacher of an exported student, if there is one to be timed."""

from __future__ import annotations

from pathlib import Path

from kdtune.columns import ID
from kdtune.errors import RequestError
from kdtune.results.weights import load_rows_network
from kdtune.settings import GivenOutputs, SklearnTeacher, TeacherModule
from kdtune.stacked.trained_module import build_trained_module
from kdtune.take_home.choice import Row
from kdtune.take_home.networks import SweepFolder, TakenNetwork
from kdtune.take_home.speed import Timings, time_estimator, time_module


def time_teacher(sweep: SweepFolder, row: Row, taken: TakenNetwork) -> tuple[Timings | None, str]:
    """Time a teacher, and return its times with a sentence about how they were measured.

    Parameters
    ----------
    row : the teacher's row of the table.
    taken : its student.
    """
    settings = taken.data_draw.settings
    weights = sweep.find_weights(row)
    if weights is not None:
        return time_module(load_rows_network(weights), (settings.n_features,)), ""
    if row.get("architecture") in ("logits", "probabilities"):
        return None, "The teacher is given by its outputs, so there is nothing to time."
    try:
        network = sweep.get_network(row[ID])
        shape = network.shape
        match shape:
            case GivenOutputs():
                return None, "The teacher is given by its outputs, so there is nothing to time."
            case SklearnTeacher():
                sentence = "The teacher was trained again for it; its time is that of predict_proba, on one thread."
                return time_estimator(network, taken.data), sentence
            case TeacherModule() if shape.trained:
                input_shape = shape.get_own_input_shape(taken.input_shape)
                path = None if shape.weights_path is None else Path(shape.weights_path)
                module = build_trained_module(shape.load_factory(), shape.args, input_shape, taken.n_classes, path)
                return time_module(module, input_shape), ""
    except (RequestError, ValueError, FileNotFoundError) as error:
        return None, f"The teacher was not timed: {'; '.join(str(error).splitlines())}"
    return None, f"The teacher was not timed: teachers/{row[ID]} has no weights; run the sweep again for them."
