"""Figures of a cluster of three hosts, network namespaces of this machine; takes root, and `pip install '.[hosts]'`.

    python -m benchmarks.hosts

Runs ``benchmarks.driver`` (1,000 packs that train nothing) and ``benchmarks.throughput`` (one worker and two) on the
head of a cluster that Ray's launcher brings up, with the results in a folder that the hosts share.
"""

from __future__ import annotations

import argparse

import pytest

from tests.several_hosts.network_hosts import CHECKOUT
from tests.several_hosts.stage import open_stage

SWEEP = {"name": "hosts", "dataset": {"kind": "digits"}, "distill": {"T": 1}}
COMMANDS = ("benchmarks.throughput --workers 1 2 1 2", "benchmarks.driver 1000")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    with pytest.MonkeyPatch.context() as monkeypatch, open_stage("hosts-figures", SWEEP, monkeypatch) as stage:
        stage.bring_up()
        stage.late.start()
        stage.cluster.join(stage.late)
        stage.cluster.wait_for_nodes(4)
        shared = stage.output / "shared"
        shared.mkdir()
        for command in COMMANDS:
            options = f"--address auto --folder {shared}"
            prefix = f"set -a; . ~/kdtune.env; cd {CHECKOUT}; ~/kdtune-env/bin/python -m"
            run = stage.cluster.head.run(f"{prefix} {command} {options}", timeout=900)
            print(run.stdout, run.stderr[-2000:] if run.returncode else "", flush=True)
        stage.take_down()


if __name__ == "__main__":
    main()
