"""Names and types of the table's columns, and the values of some. Column names stand here and nowhere else.

A constant is named as its column is, in capitals; only the column ``n`` is N_LABEL.
"""

from __future__ import annotations

import pyarrow as pa

# What a network is: its identity, its place in the sweep and the seeds of what is random.
MODEL = "model"
ID = "id"
TEACHER_ID = "teacher_id"
REPLICATE = "replicate"
DATA_SEED = "data_seed"
TEACHER_SEED = "teacher_seed"
STUDENT_SEED = "student_seed"
SEED = "seed"

# Settings of the data.
DATASET = "dataset"
CLASS_SEP = "class_sep"
P_INFORMATIVE = "p_informative"
N_FEATURES = "n_features"
N_CLASSES = "n_classes"
JITTER = "jitter"
TRANSFER = "transfer"

# Settings of the network and of its training.
WIDTH = "width"
TEMP = "temp"
TEMP_RANGE = (1e-6, 1e6)  # Below it a softmax is a maximum; above it float32 leaves nothing of the softmax.
HARD_WEIGHT = "hard_weight"
SCALE_T2 = "scale_T2"
EPOCHS = "epochs"
BIAS_START = "bias_start"
BIAS_SHIFT = "bias_shift"

# Sizes: parameters (biases counted), multiply-adds of one forward pass for one example, examples of each split.
N_PARAMS = "n_params"
MULTIPLY_ADDS = "multiply_adds"
N_TRAIN = "n_train"
N_VAL = "n_val"
N_TEST = "n_test"

# What training gave, on the test split and on the validation split.
NUM_ERROR = "num_error"
ACCURACY = "accuracy"
LOSS = "loss"
NLL = "nll"
ECE = "ece"
BALANCED_ERROR = "balanced_error"
VAL_NUM_ERROR = "val_num_error"
VAL_ACCURACY = "val_accuracy"
VAL_NLL = "val_nll"
VAL_BALANCED_ERROR = "val_balanced_error"

# The measures that T may be chosen by: that on the test split, which also names the choice -> that on the validation
# split.
VALIDATION_MEASURES = {NUM_ERROR: VAL_NUM_ERROR, NLL: VAL_NLL, BALANCED_ERROR: VAL_BALANCED_ERROR}

# How the training set was learned, measured at the end of training without dropout and on images that are not shifted:
# errors on its labels, as a number and as a share, and the mean of the loss that training minimised, in nats. That is
# T^2 CE(softmax(v / T), softmax(z / T)) + hard_weight CE(label, softmax(z)) of distilled students (without T^2 where
# scale_T2 is false), the cross-entropy with the labels of others, and null of teachers that kdtune does not train.
TRAIN_NUM_ERROR = "train_num_error"
TRAIN_ERROR = "train_error"
TRAIN_LOSS = "train_loss"

# What T acts on, over the training set: the standard deviation of a network's centred logits, and, of teachers only,
# the mean entropy of their softmax at T = 1.
LOGIT_STD = "logit_std"
SOFTMAX_ENTROPY = "softmax_entropy"

# A measure of another kind that a user names, as something to minimize: its negative if more is better.
SCORE = "score to minimize"

# Which row of the errors by example is a network's: it is added to a table while it is analyzed.
ERRORS_ROW = "row of errors by example"

# What the shift of biases after training added to them, and the figures before it.
BIAS_SHIFTED_BY = "bias_shifted_by"
UNSHIFTED_NUM_ERROR = "unshifted_num_error"
UNSHIFTED_ACCURACY = "unshifted_accuracy"
UNSHIFTED_VAL_NUM_ERROR = "unshifted_val_num_error"

# How the training ended, how long it took (in seconds), and where it ran.
STATUS = "status"
ERROR = "error"
SECONDS = "seconds"
DEVICE = "device"
HOST = "host"

# The values of MODEL.
TEACHER = "teacher"
BASELINE = "student"
STUDENT = "distilled_student"

# The values of STATUS.
DONE = "done"
FAILED = "failed"
SKIPPED = "skipped"

# ERROR begins with this word if the numbers diverged: that is a result, and the network is not trained again.
DIVERGED = "diverged"

# The columns that every table has, in this order, and their types.
INTEGER = pa.int64()
_FLOAT = pa.float64()
_TEXT = pa.string()
COLUMN_TYPES = {
    MODEL: _TEXT, CLASS_SEP: _FLOAT, P_INFORMATIVE: _FLOAT, WIDTH: INTEGER, TEMP: _FLOAT, HARD_WEIGHT: _FLOAT,
    REPLICATE: INTEGER, NUM_ERROR: INTEGER, ACCURACY: _FLOAT, LOSS: _FLOAT, NLL: _FLOAT, ECE: _FLOAT,
    BALANCED_ERROR: _FLOAT, VAL_NUM_ERROR: INTEGER, VAL_ACCURACY: _FLOAT, VAL_NLL: _FLOAT, VAL_BALANCED_ERROR: _FLOAT,
    TRAIN_NUM_ERROR: INTEGER, TRAIN_ERROR: _FLOAT, TRAIN_LOSS: _FLOAT,
    LOGIT_STD: _FLOAT, SOFTMAX_ENTROPY: _FLOAT, STATUS: _TEXT, ERROR: _TEXT,
    ID: _TEXT, TEACHER_ID: _TEXT, DATA_SEED: INTEGER, TEACHER_SEED: INTEGER, STUDENT_SEED: INTEGER,
    DATASET: _TEXT, EPOCHS: INTEGER, N_PARAMS: INTEGER, MULTIPLY_ADDS: INTEGER, N_TRAIN: INTEGER, N_VAL: INTEGER,
    N_TEST: INTEGER, SECONDS: _FLOAT, DEVICE: _TEXT, HOST: _TEXT,
}  # fmt: skip

# Those of them that tables of earlier versions lack.
LATER_COLUMNS = (
    BALANCED_ERROR, VAL_BALANCED_ERROR, LOGIT_STD, SOFTMAX_ENTROPY, MULTIPLY_ADDS, TRAIN_NUM_ERROR, TRAIN_ERROR,
    TRAIN_LOSS
)  # fmt: skip

# Details are columns of a pack's rows that are too long for the table: see ``results.detail_tables``.
CONFUSION = "confusion"
SEEN_CLASSES = "seen_classes"
LEARNING_CURVE = "learning_curve"
TEST_ERRORS = "test_errors"

# The columns of the tables of details.
LABEL = "label"
CLASS_NAME = "class_name"  # of LABEL, where the table's metadata say it; no file of details has it
N_LABEL = "n"
SEEN = "seen"
PREDICTED = "predicted"
COUNT = "count"
EPOCH = "epoch"
VAL_LOSS = "val_loss"
_LEARNING_POINT = pa.struct(
    {EPOCH: INTEGER, TRAIN_LOSS: _FLOAT, TRAIN_NUM_ERROR: INTEGER, VAL_LOSS: _FLOAT, VAL_NUM_ERROR: INTEGER}
)
DETAIL_TYPES = {
    CONFUSION: pa.list_(pa.int32()),
    SEEN_CLASSES: pa.list_(pa.int32()),
    LEARNING_CURVE: pa.list_(_LEARNING_POINT),
    TEST_ERRORS: pa.large_binary(),  # Those of a sweep may take more than the 2 GiB that a binary column holds.
}
DETAIL_FILES = {
    "per_class.parquet": pa.schema(
        {ID: _TEXT, LABEL: INTEGER, N_LABEL: INTEGER, NUM_ERROR: INTEGER, ACCURACY: _FLOAT, SEEN: pa.bool_()}
    ),
    "confusion.parquet": pa.schema({ID: _TEXT, LABEL: INTEGER, PREDICTED: INTEGER, COUNT: INTEGER}),
    "learning_curves.parquet": pa.schema({ID: _TEXT, **{field.name: field.type for field in _LEARNING_POINT}}),
    "errors_by_example.parquet": pa.schema({ID: _TEXT, N_TEST: INTEGER, TEST_ERRORS: pa.large_binary()}),
}

# Groups of columns. Every column in none of them is a setting.
RESULT_COLUMNS = (
    NUM_ERROR, ACCURACY, LOSS, NLL, ECE, VAL_NUM_ERROR, VAL_ACCURACY, VAL_NLL, BALANCED_ERROR, VAL_BALANCED_ERROR
)  # fmt: skip
# Figures that describe a network: no settings, and no measures of how good it is.
TRAINING_FIT_COLUMNS = (TRAIN_NUM_ERROR, TRAIN_ERROR, TRAIN_LOSS)
DESCRIPTIVE_COLUMNS = (MULTIPLY_ADDS, *TRAINING_FIT_COLUMNS, LOGIT_STD, SOFTMAX_ENTROPY)
UNSHIFTED_COLUMNS = (UNSHIFTED_NUM_ERROR, UNSHIFTED_ACCURACY, UNSHIFTED_VAL_NUM_ERROR)
SHIFT_COLUMNS = (BIAS_SHIFTED_BY, *UNSHIFTED_COLUMNS)
RUN_COLUMNS = (SECONDS, DEVICE, HOST, STATUS, ERROR)
IDENTITY_COLUMNS = (ID, TEACHER_ID, DATA_SEED, TEACHER_SEED, STUDENT_SEED, REPLICATE, MODEL)

# The settings of a fit, which replace those of the whole sweep for teachers, students or losses.
TRAINING_COLUMNS = (EPOCHS, "batch_size", "optimizer", "lr", "momentum", "weight_decay", "precision")

# The settings that every network has beside those in COLUMN_TYPES and TRAINING_COLUMNS.
OTHER_SETTINGS = (SEED, N_FEATURES, N_CLASSES, JITTER, TRANSFER, SCALE_T2, BIAS_START, BIAS_SHIFT, "architecture")
