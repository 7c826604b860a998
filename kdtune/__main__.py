"""The command line's first step: `kdtune` and `python -m kdtune`."""

import signal


def main() -> None:
    """Import the commands, and run one. Ctrl-C during the imports ends the process at once, without a traceback."""
    has_handler = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not where a shell has turned it off
    if has_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from kdtune.cli import main as run_command

    if has_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run_command()


if __name__ == "__main__":
    main()
