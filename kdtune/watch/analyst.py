"""Answer from the tables of sweeps, in a process of its own: `python -m kdtune.watch.analyst`.

The page's server stays small and quick beside it. Each line of standard input is a request, a JSON object with
``folder`` and ``is_ended``; each line of standard output is its result, an object with ``summary``, or with
``problem`` where nothing can be said yet. The process ends with its standard input.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from kdtune.analysis.file_problems import TABLE_FILE
from kdtune.answers import read_and_answer
from kdtune.errors import KdtuneError
from kdtune.foreign.options import ReadingOptions
from kdtune.watch.summarize import summarize_answer

_NICENESS = 10  # A sweep on the same cores goes first; at 19 an answer would never be there on a busy machine.


def main() -> None:
    """Answer requests until there are no more."""
    with suppress(OSError):
        os.nice(_NICENESS)
    results = sys.stdout
    sys.stdout = sys.stderr  # What a library prints must not stand among the results.
    for line in sys.stdin:
        request = json.loads(line)
        result = analyze(Path(request["folder"]), request["is_ended"])
        result["peak_kilobytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of this process so far
        results.write(json.dumps(result, allow_nan=False) + "\n")
        results.flush()


def analyze(folder: Path, is_ended: bool) -> dict[str, Any]:
    """Return the summary of the answer from a sweep's table, or the problem; and the CPU seconds that it took."""
    start = time.process_time()
    result: dict[str, Any]
    try:
        answered = read_and_answer(folder / TABLE_FILE, ReadingOptions(), needs_students=False)
        if answered.answer is None:
            result = {"problem": "no distilled student is done yet"}
        else:
            result = {"summary": summarize_answer(answered, is_ended)}
    except KdtuneError as error:
        result = {"problem": str(error)}
    except Exception as error:  # The page goes on without an answer, and says why.
        result = {"problem": f"the analysis failed: {type(error).__name__}: {error}"}
    return result | {"seconds": time.process_time() - start}


if __name__ == "__main__":
    main()
