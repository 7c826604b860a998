"""Run the command line as `python -m kdtune`."""

from kdtune.cli import main

if __name__ == "__main__":
    main()
