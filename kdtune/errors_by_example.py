"""Which test examples each network gets wrong: one bit per network and example, in a file beside the table.

Two networks that are tested on the same examples make errors that depend on each other. How many examples only one of
them gets wrong tells how sure their difference is (McNemar 1947), which their numbers of errors do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.columns import DETAIL_FILES, ID, N_TEST, TEST_ERRORS
from kdtune.files.storage_errors import classify_read_errors

ERRORS_FILE = "errors_by_example.parquet"

# Networks with larger test sets keep no bits: 125 kB each, which a sweep of thousands of networks holds in memory.
MAX_TEST_EXAMPLES = 1_000_000


def pack_errors(is_error: npt.NDArray[np.bool_]) -> bytes | None:
    """Pack which test examples are errors into bits; return None if the test set is too large for that.

    Parameters
    ----------
    is_error : (n_test,), in the order of the test set.
    """
    return np.packbits(is_error).tobytes() if len(is_error) <= MAX_TEST_EXAMPLES else None


def read_errors_by_example(results: str | Path) -> pd.DataFrame | None:
    """Read the errors by example of a sweep; return None if there is no file of them.

    Parameters
    ----------
    results : The sweep's folder, or any file in it, such as its table.

    Returns
    -------
    One row per network that kept them: ``id``, ``n_test``, and ``test_errors``, which are bits for ``unpack_errors``.

    Raises
    ------
    ValueError
        If the file is torn, or no such file.
    StorageError
        If the system cannot read it at the moment.
    """
    path = Path(results)
    path = path / ERRORS_FILE if path.is_dir() else path.with_name(ERRORS_FILE)
    if not path.is_file():
        return None
    with classify_read_errors(path):
        try:
            schema = DETAIL_FILES[ERRORS_FILE]
            frame: pd.DataFrame = pq.read_table(path, columns=schema.names).cast(schema).to_pandas()
        except pa.ArrowException as error:
            raise ValueError(f"{path} is torn or not a file of kdtune: {str(error).splitlines()[0]}") from error
    return frame


def unpack_errors(errors: pd.DataFrame, ids: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Unpack the errors of networks that are tested on equally many examples.

    Parameters
    ----------
    errors : The frame of ``read_errors_by_example``.
    ids : The networks.

    Returns
    -------
    Whether each network gets each test example wrong, (networks, n_test), networks in the order of ``ids``, examples
    in that of the test set.

    Raises
    ------
    KeyError
        If a network kept no errors by example.
    ValueError
        If the test sets of the networks differ in size.
    """
    rows = errors.set_index(ID).loc[list(ids)]
    sizes = rows[N_TEST].unique()
    if len(sizes) != 1:
        raise ValueError(f"the networks must have test sets of one size, not of {', '.join(map(str, sizes))} examples")
    packed = np.frombuffer(b"".join(rows[TEST_ERRORS]), np.uint8).reshape(len(rows), -1)
    return np.unpackbits(packed, axis=1, count=int(sizes[0])).astype(bool)
