"""Names and types of the table's columns, and the values of some. Column names stand here and nowhere else."""

from __future__ import annotations

import pyarrow as pa

MODEL, TEMP, REPLICATE, ID, TEACHER_ID = "model", "temp", "replicate", "id", "teacher_id"
NUM_ERROR, ACCURACY, LOSS, NLL, ECE = "num_error", "accuracy", "loss", "nll", "ece"
VAL_NUM_ERROR, VAL_ACCURACY, VAL_NLL = "val_num_error", "val_accuracy", "val_nll"
CLASS_SEP, P_INFORMATIVE, DATASET, WIDTH, HARD_WEIGHT = "class_sep", "p_informative", "dataset", "width", "hard_weight"
DATA_SEED, TEACHER_SEED, STUDENT_SEED = "data_seed", "teacher_seed", "student_seed"
EPOCHS, N_PARAMS, N_TRAIN, N_VAL, N_TEST = "epochs", "n_params", "n_train", "n_val", "n_test"
SECONDS, STATUS, ERROR, DEVICE, HOST = "seconds", "status", "error", "device", "host"
TRANSFER = "transfer"
# What a shift of biases after training did: by how much, and the figures that there were before.
SHIFTED_BY = "bias_shifted_by"
UNSHIFTED_COLUMNS = "unshifted_num_error", "unshifted_accuracy", "unshifted_val_num_error"
SHIFT_COLUMNS = (SHIFTED_BY, *UNSHIFTED_COLUMNS)

TEACHER, BASELINE, STUDENT = "teacher", "student", "distilled_student"  # values of MODEL
DONE, FAILED, SKIPPED = "done", "failed", "skipped"  # values of STATUS
DIVERGED = "diverged"  # how ERROR starts for a failure that is a result

INTEGER, _FLOAT, _TEXT = pa.int64(), pa.float64(), pa.string()
COLUMN_TYPES = {
    MODEL: _TEXT, CLASS_SEP: _FLOAT, P_INFORMATIVE: _FLOAT, WIDTH: INTEGER, TEMP: _FLOAT, HARD_WEIGHT: _FLOAT,
    REPLICATE: INTEGER, NUM_ERROR: INTEGER, ACCURACY: _FLOAT, LOSS: _FLOAT, NLL: _FLOAT, ECE: _FLOAT,
    VAL_NUM_ERROR: INTEGER, VAL_ACCURACY: _FLOAT, VAL_NLL: _FLOAT, STATUS: _TEXT, ERROR: _TEXT,
    ID: _TEXT, TEACHER_ID: _TEXT, DATA_SEED: INTEGER, TEACHER_SEED: INTEGER, STUDENT_SEED: INTEGER,
    DATASET: _TEXT, EPOCHS: INTEGER, N_PARAMS: INTEGER, N_TRAIN: INTEGER, N_VAL: INTEGER, N_TEST: INTEGER,
    SECONDS: _FLOAT, DEVICE: _TEXT, HOST: _TEXT,
}  # fmt: skip
# Details of a row, too long for the table: they lie in files of their own beside it (see ``details``).
CONFUSION, SEEN_CLASSES, LEARNING_CURVE = "confusion", "seen_classes", "learning_curve"
LABEL, N_LABEL, SEEN, PREDICTED, COUNT, EPOCH = "label", "n", "seen", "predicted", "count", "epoch"
_POINT = pa.struct(
    {EPOCH: INTEGER, "train_loss": _FLOAT, "train_num_error": INTEGER, "val_loss": _FLOAT, "val_num_error": INTEGER}
)
DETAIL_TYPES = {CONFUSION: pa.list_(pa.int32()), SEEN_CLASSES: pa.list_(pa.int32()), LEARNING_CURVE: pa.list_(_POINT)}
DETAIL_FILES = {
    "per_class.parquet": (ID, LABEL, N_LABEL, NUM_ERROR, ACCURACY, SEEN),
    "confusion.parquet": (ID, LABEL, PREDICTED, COUNT),
    "learning_curves.parquet": (ID, *(field.name for field in _POINT)),
}
# What training gave, and where and how long: everything else in a row is a setting or names the network.
RESULT_COLUMNS = (NUM_ERROR, ACCURACY, LOSS, NLL, ECE, VAL_NUM_ERROR, VAL_ACCURACY, VAL_NLL)
RUN_COLUMNS = (SECONDS, DEVICE, HOST, STATUS, ERROR)
TRAINING_COLUMNS = (
    EPOCHS,
    "batch_size",
    "optimizer",
    "lr",
    "momentum",
    "weight_decay",
    "precision",
)  # settings of a fit
IDENTITY_COLUMNS = (ID, TEACHER_ID, DATA_SEED, TEACHER_SEED, STUDENT_SEED, REPLICATE, MODEL)
