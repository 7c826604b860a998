"""Ask the process that analyzes tables, and start it where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

_COMMAND = [sys.executable, "-m", "kdtune.watch.analyst"]
# A process that took more memory is started anew for the next table: a second analysis would come on top of what the
# first one has left behind. Of a small table starting it would take longer than the analysis.
MAX_IDLE_KILOBYTES = 320_000
# Memory that was used once goes back to the system, and no library starts threads beside a sweep.
_FRUGAL = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class AnalystProcess:
    """The process that analyzes tables. It starts with the first question, and is asked one at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._is_ended = False

    def ask(self, folder: Path, is_ended: bool) -> dict[str, Any]:
        """Return the result for a sweep's table, as ``analyst.analyze`` does; this waits for it."""
        with self._lock:
            try:
                process = self._start()
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(json.dumps({"folder": str(folder), "is_ended": is_ended}) + "\n")
                process.stdin.flush()
                line = process.stdout.readline()
            except OSError:  # It has ended, or cannot be started.
                line = ""
            if line:
                result: dict[str, Any] = json.loads(line)
                if result["peak_kilobytes"] > MAX_IDLE_KILOBYTES:
                    self._end_process()
                return result
            self._end_process()
            return {"problem": "the analysis ended before it was done: was there too little memory?", "seconds": 0.0}

    def end(self) -> None:
        """End the process, whatever it does; nothing may be asked after it."""
        self._is_ended = True
        process = self._process
        if process is not None:
            process.kill()  # It writes no files, so nothing is left half done.
        with self._lock:  # A question that was open has got no answer by now.
            self._end_process()

    def _start(self) -> subprocess.Popen[str]:
        """Return the process, started if it does not run."""
        if self._is_ended:
            raise BrokenPipeError
        if self._process is None or self._process.poll() is not None:
            self._end_process()
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env=os.environ | _FRUGAL,
                # Ctrl-C on the terminal is for the server, which then ends this process.
                process_group=0,
            )
        return self._process

    def _end_process(self) -> None:
        """Forget a process that has ended or is of no use."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
