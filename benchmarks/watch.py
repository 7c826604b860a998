"""The page of `kdtune watch` beside a sweep of 100,000 networks: its times, the size of its answers, its memory.

    python -m benchmarks.watch [networks]

Rows are made up. The page is opened in a headless Chromium if there is one. Memory is that of the server and of the
process that analyzes the table, together, at its highest (pages that both share count once).
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import psutil

from benchmarks.scale import SWEEP, write_rows
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.results.live_status import LiveStatus, State, write_status
from kdtune.results.store import Store
from kdtune.spec.load import load_spec
from kdtune.table import select_networks, write_table
from kdtune.table_facts import AnswerFacts, stamp_facts, stamp_select

TOKEN = "of-the-benchmark"
REFRESHES = 50


class Peak:
    """Notes the highest memory of a process and its children, in a thread."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self.bytes = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                family = [self.process, *self.process.children(recursive=True)]
                self.bytes = max(self.bytes, sum(each.memory_full_info().pss for each in family))
            except psutil.NoSuchProcess:
                return
            time.sleep(0.1)


def main(wanted: int) -> None:
    with tempfile.TemporaryDirectory(prefix="kdtune-watch-") as folder:
        root = Path(folder)
        count = make_results(root, wanted)
        print(f"{count:,} networks")
        server, url = start_server(root / "large", "--token", TOKEN)
        peak = Peak(server.pid)
        try:
            measure_browser(url)
            measure_requests(url, root / "large", count)
            report("memory of the server and its analysis, highest", f"{peak.bytes / 1e6:.0f} MB")
        finally:
            server.kill()
            server.wait()


def start_server(results: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """Serve the page of a results folder in a process of its own; return it and the page's address."""
    command = [sys.executable, "-m", "kdtune", "watch", str(results), "--port", "0", *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    return server, server.stdout.readline().removeprefix("Watch: ").strip()


def make_results(root: Path, wanted: int) -> int:
    """Write the folder of a running sweep whose table is nearly complete; return how many networks it has."""
    path = root / "large.yaml"
    temperatures = ", ".join(str(1 + i / 2) for i in range(48))
    path.write_text(SWEEP.format(replicates=max(1, wanted // (20 * (10 * 49 + 1))), temperatures=temperatures))
    count = write_rows(path, root)
    store = Store(root, "large")
    ids = [network.id for network in enumerate_networks(load_spec(path, max_networks=10**7))]
    table = select_networks(store.read_rows(), ids)
    write_table(stamp_facts(stamp_select(table, "num_error"), AnswerFacts()), store.table_path)
    touch_status(store.folder, count)
    return count


def touch_status(folder: Path, count: int, state: State = "running") -> None:
    now = time.time()
    status = LiveStatus(
        state=state, host="made up", pid=1, started_at=now - 3600, updated_at=now, n_networks=count + 1000,
        n_ready=0, n_done=count, n_workers=2, seconds_left=60.0,
    )  # fmt: skip
    write_status(folder, status)


def measure_browser(url: str) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        print("There is no Chromium: the page in a browser is left out.")
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto("about:blank")
        sizes: list[int] = []
        page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0))))
        start = time.perf_counter()
        page.goto(url)
        page.wait_for_selector("#sentence:has-text('networks are done')")
        report("first page, until its numbers stand there", f"{time.perf_counter() - start:.2f} s")
        page.wait_for_selector(".card", timeout=600_000)
        report("first page, until the answer stands there", f"{time.perf_counter() - start:.1f} s")
        report("bytes of the first page with the answer", f"{sum(sizes) / 1e6:.2f} MB")
        start = time.perf_counter()
        page.click(".card")
        page.wait_for_selector("#detail-content table")
        report("a click on a setting, until its networks stand there", f"{time.perf_counter() - start:.2f} s")
        browser.close()


def measure_requests(url: str, folder: Path, n_networks: int) -> None:
    def ask(path: str) -> tuple[float, bytes]:
        address, _, _ = url.partition("?")
        request = urllib.request.Request(address + path, headers={"X-Kdtune-Token": TOKEN})
        start = time.perf_counter()
        with urllib.request.urlopen(request) as response:
            content = response.read()
        return time.perf_counter() - start, content

    while not json.loads(ask("api/status?sweep=large")[1])["answer"]["has_summary"]:
        time.sleep(0.5)
    report_times("refresh", [ask("api/status?sweep=large")[0] for _ in range(REFRESHES)])
    seconds = []
    for _ in range(5):  # A new table, as the sweep writes it, which the server counts anew.
        content = (folder / "table.parquet").read_bytes()
        (folder / "table.new").write_bytes(content)
        (folder / "table.new").replace(folder / "table.parquet")
        seconds.append(ask("api/status?sweep=large")[0])
        touch_status(folder, n_networks)
    report_times("refresh right after the table was written anew", seconds)
    touch_status(folder, n_networks, "finished")  # Without a sweep to spare, the new table is analyzed at once.
    ask("api/status?sweep=large")
    seconds, is_computing = [], True
    while is_computing:
        took, content = ask("api/status?sweep=large")
        seconds.append(took)
        is_computing = json.loads(content)["answer"]["is_computing"]
        time.sleep(0.1)
    report_times(f"refresh beside an analysis, {len(seconds)} times", seconds)
    cells = json.loads(ask("api/cells?sweep=large&limit=24")[1])["cells"]
    for name, path in (
        ("status", "api/status?sweep=large"),
        ("answer", "api/answer?sweep=large"),
        ("24 settings", "api/cells?sweep=large&limit=24"),
        ("60 settings, the most at a time", "api/cells?sweep=large"),
        ("one setting with its networks", f"api/cell?sweep=large&cell={cells[0]['id']}"),
    ):
        took, content = ask(path)
        report(f"{name}", f"{1000 * took:.0f} ms, {len(content) / 1e6:.3f} MB")


def report_times(what: str, seconds: list[float]) -> None:
    report(what, f"median {1000 * statistics.median(seconds):.0f} ms, longest {1000 * max(seconds):.0f} ms")


def report(what: str, figure: str) -> None:
    print(f"{what:<60} {figure}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", type=int, nargs="?", default=100_000, help="about how many (default: %(default)s)")
    main(parser.parse_args().networks)
