"""The command line's first step: `kdtune` and `python -m kdtune`."""

import signal
import sys


def main() -> None:
    """Import the commands, and run one. Ctrl-C during the imports ends the process at once, without a traceback.

    A fault of kdtune itself becomes one message, and exit code 1.
    """
    has_handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where a shell has turned it off
    if has_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from kdtune.cli import main as run_command

    if has_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run_command()
    except Exception as error:  # Errors that are meant for users have been printed: see the group of the commands.
        from kdtune.cli.fault_report import report_fault

        report_fault(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
