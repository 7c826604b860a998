"""Run one command of kdtune in this process, as the command line does.

    python -m benchmarks.faults.commands ARGUMENTS

The arguments are those of ``kdtune``. ``load RESULTS ID`` calls ``kdtune.load`` and ``kdtune.load_data``, and
``planted FAULT`` has a fault on purpose, with which the harness itself is tested.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable

PLANTED_MEGABYTES = 700


def run_command(arguments: list[str]) -> int:
    """Run a command and return its exit code; print the traceback of an error that nothing catches."""
    run = {"load": _load, "planted": _plant}.get(arguments[0], _run_command_line)
    try:
        run(arguments)
    except SystemExit as end:
        if isinstance(end.code, str):  # Python prints it where nothing catches the exit.
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _run_command_line(arguments: list[str]) -> None:
    from kdtune.cli import main

    main(arguments, prog_name="kdtune")


def _load(arguments: list[str]) -> None:
    """Load a network and its data; an error of kdtune becomes its message and exit code, as on the command line."""
    import kdtune
    from kdtune.errors import KdtuneError

    _, results, network_id = arguments
    try:
        kdtune.load(results, network_id)
        kdtune.load_data(results, network_id)
    except KdtuneError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def _plant(arguments: list[str]) -> None:
    faults: dict[str, Callable[[], object]] = {
        "nothing": lambda: None,
        "traceback": lambda: {}["missing"],
        "hang": lambda: time.sleep(3600),
        "slow": lambda: _refuse_after(3.0),
        "memory": _hold_memory,
        "silence": lambda: sys.exit(2),
        "flood": lambda: sys.exit("\n".join(map(str, range(100)))),
        "repr": lambda: sys.exit("the file is wrong: KeyError('id')"),
    }
    faults[arguments[1]]()


def _hold_memory() -> None:
    held = b"1" * (PLANTED_MEGABYTES * 1_000_000)
    time.sleep(0.1)
    del held


def _refuse_after(seconds: float) -> None:
    time.sleep(seconds)
    sys.exit("the file is wrong")


if __name__ == "__main__":
    sys.exit(run_command(sys.argv[1:]))
