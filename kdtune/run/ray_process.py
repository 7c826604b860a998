"""The process that holds Ray, below the process that runs a sweep: ``python -m kdtune.run.ray_process``.

Ray may die, hang, print, and change the process that uses it. All of this happens here, where the supervisor can see it
and end it. Messages (``ray_messages``) come in through standard input and go out through standard output; what Ray and
its processes print goes to standard error, which the supervisor has pointed at a file or at the screen.

When the supervisor is gone, standard input ends, and this process ends with everything that it has started.
"""

from __future__ import annotations

import os
import pickle
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from kdtune.errors import KdtuneError
from kdtune.run.process_session import kill_session
from kdtune.run.ray_messages import Broken, Connect, Finish, FromRay, Order, Refused, Work
from kdtune.text import format_on_one_line


def main(scratch_folder: Path) -> None:
    """Connect to Ray as asked, and train packs as ordered."""
    messages_in, report = _take_over_standard_streams()
    try:
        sys.path[:] = pickle.load(messages_in)  # The supervisor's: the user's own modules lie there.
        request: Connect = pickle.load(messages_in)
        from kdtune.run.connect_ray import connect_to_ray  # seconds to import

        try:
            report(connect_to_ray(request))
        except KdtuneError as error:
            report(Refused(error))
            return
        from kdtune.run.schedule import run_ordered_packs

        work: Work = pickle.load(messages_in)
        orders: deque[Order | Finish] = deque()
        threading.Thread(target=_receive_orders, args=(messages_in, orders), daemon=True).start()
        run_ordered_packs(work, orders, report, scratch_folder)
    except EOFError:  # The supervisor is gone, or has no work after all.
        return
    except Exception as error:
        traceback.print_exc()
        report(Broken(f"{type(error).__name__}: {format_on_one_line(error)}"))


def _take_over_standard_streams() -> tuple[BinaryIO, Callable[[FromRay], None]]:
    """Return the stream of messages in, and the function that sends one; what is printed goes to standard error."""
    messages_in = os.fdopen(os.dup(0), "rb")
    messages_out = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    lock = threading.Lock()

    def report(message: FromRay) -> None:
        with lock:
            pickle.dump(message, messages_out)
            messages_out.flush()

    return messages_in, report


def _receive_orders(messages_in: BinaryIO, orders: deque[Order | Finish]) -> None:
    """Append orders as they come, in a thread; end this process and all that it has started if there is no more.

    A Ray that hangs could not be asked to end.
    """
    try:
        while True:
            order: Order | Finish = pickle.load(messages_in)
            orders.append(order)
            if isinstance(order, Finish):
                return
    except (EOFError, OSError):
        kill_session(os.getpid())
        os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
