"""The page of `kdtune watch` in a real browser: headless Chromium."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from kdtune.watch.analyst_process import AnalystProcess
from kdtune.watch.serve import Address, WatchServer
from kdtune.watch.watched_folders import WatchedFolders
from tests.watched import TOKEN, AnalystHere, copy_table, fail_networks, set_status

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium")
WIDTHS = (400, 800, 1600)
expect.set_options(timeout=30_000)
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Console:
    """What a page writes to its console, and the errors of its scripts."""

    def __init__(self, page: Page) -> None:
        self.lines: list[str] = []
        page.on("console", lambda message: self.lines.append(message.text))
        page.on("pageerror", lambda error: self.lines.append(str(error)))
        page.on("dialog", lambda dialog: (self.lines.append(dialog.message), dialog.dismiss()))


@contextmanager
def serve(root: Path, port: int = 0, has_process: bool = False) -> Iterator[WatchServer]:
    """Serve the sweeps under a folder until the block ends; with ``has_process`` another process analyzes."""
    with patch("kdtune.watch.serve.AnalystProcess", AnalystProcess if has_process else AnalystHere):
        server = WatchServer(WatchedFolders(root), Address(port=port, token=TOKEN))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join()


@contextmanager
def open_page(browser: Browser, server: WatchServer, width: int = 800, scheme: str = "light") -> Iterator[Page]:
    """Open the page, and check at the end that its console is empty and that nothing is wider than the window."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(30_000)
    console = Console(page)
    try:
        page.goto(server.url)
        yield page
        assert console.lines == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        page.close()


@pytest.mark.slow
def test_a_real_sweep_is_followed_from_before_it_starts_until_after_it_is_run_again(
    browser: Browser, write: Callable[..., Path], tmp_path: Path
) -> None:
    sweep_file = write(replicates=2, train={"epochs": 30, "batch_size": 37})
    command = [sys.executable, "-m", "kdtune", "sweep", str(sweep_file), "--results", str(tmp_path / "results")]
    command += ["--workers", "0", "--pack", "2"]
    with serve(tmp_path / "results", has_process=True) as server, open_page(browser, server) as page:
        expect(page.locator("#sentence")).to_contain_text("This page goes on by itself")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sweep:
            expect(page.locator("#title")).to_have_text("small")
            expect(page.locator("#bar .done")).not_to_have_attribute("width", "0")
            assert sweep.wait(timeout=120) == 0
        expect(page.locator("#sentence")).to_contain_text("36 ")
        expect(page.locator(".card")).to_have_count(4)
        expect(page.locator("#opening")).to_contain_text("T\u00a0=\u00a0")
        port = server.port
        longer = [*command, "--set", "distill.T=[1, 2, 5, 10]"]
        subprocess.run(longer, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        expect(page.locator("#sentence")).to_contain_text("44 ")
        expect(page.locator(".card").first).to_contain_text("10")
    with serve(tmp_path / "results", port) as server, open_page(browser, server) as page:
        expect(page.locator(".card")).to_have_count(4)


def test_an_open_page_goes_on_after_the_server_was_started_again(browser: Browser, tmp_path: Path) -> None:
    copy_table("forest", tmp_path / "mine")
    set_status(tmp_path / "mine")
    with serve(tmp_path) as server:
        page = browser.new_page()
        page.goto(server.url)
        expect(page.locator("#sentence")).to_contain_text("100 of 270")
    expect(page.locator("#problem")).to_contain_text("The server does not answer")
    expect(page.locator("#sentence")).to_contain_text("100 of 270")
    set_status(tmp_path / "mine", n_done=110)
    with serve(tmp_path, server.port):
        expect(page.locator("#sentence")).to_contain_text("120 of 270")
        expect(page.locator("#problem")).to_be_hidden()
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_at_any_width(browser: Browser, tmp_path: Path, scheme: str) -> None:
    folder = tmp_path / ("a-sweep-with-a-very-long-name-" * 4)
    copy_table("forest", folder)
    fail_networks(folder, 2, "x" * 500 + "\n" + "Traceback " * 50)
    set_status(folder)
    with serve(tmp_path) as server:
        for width in WIDTHS:
            with open_page(browser, server, width, scheme) as page:
                expect(page.locator(".card").first).to_be_visible()
                page.locator(".card").first.click()
                expect(page.locator("#detail-content table").first).to_be_visible()
                assert page.evaluate("(d => d.scrollWidth <= d.clientWidth)(document.querySelector('dialog'))")


def test_texts_of_users_stay_texts(browser: Browser, tmp_path: Path) -> None:
    folder = tmp_path / NASTY.replace("/", "")
    copy_table("forest", folder, host=NASTY)
    fail_networks(folder, 1, NASTY)
    set_status(folder, host=NASTY, running=[{"worker": 1, "n_networks": 1, "what": NASTY, "since": 0}])
    with serve(tmp_path) as server, open_page(browser, server) as page:
        for place in ("#title", "#facts", "#worker-list", "#failure-list"):
            expect(page.locator(place)).to_contain_text(NASTY)
        page.locator(".card").first.click()
        expect(page.locator("#detail-content table").last).to_contain_text(NASTY)
        assert page.locator("img").count() == 0


def test_a_setting_opens_and_closes_by_the_keyboard(browser: Browser, tmp_path: Path) -> None:
    copy_table("forest", tmp_path / "mine")
    with serve(tmp_path) as server, open_page(browser, server) as page:
        card = page.locator(".card").nth(1)
        expect(card).to_be_visible()
        name = card.locator("strong").inner_text()
        card.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#detail")).to_be_visible()
        assert page.locator("#detail-title").inner_text() == name
        expect(page.locator("#detail-content table").last).to_contain_text("labels alone")
        page.keyboard.press("Escape")
        expect(page.locator("#detail")).to_be_hidden()
        expect(card).to_be_focused()


def test_settings_are_found_and_turned_over(browser: Browser, tmp_path: Path) -> None:
    copy_table("fakeset", tmp_path / "mine")
    with serve(tmp_path) as server, open_page(browser, server) as page:
        expect(page.locator("#shown")).to_have_text("1 to 24 of 27")
        page.get_by_label("Next settings").click()
        expect(page.locator(".card")).to_have_count(3)
        page.get_by_label("Find").fill("width 20")
        expect(page.locator(".card")).to_have_count(9)
        page.get_by_label("Find").fill("width 21")
        expect(page.locator("#shown")).to_have_text("none match")


def test_the_other_sweeps_can_be_chosen(browser: Browser, tmp_path: Path) -> None:
    for name in ("one", "two"):
        copy_table("forest", tmp_path / name)
    with serve(tmp_path) as server, open_page(browser, server) as page:
        expect(page.locator(".card").first).to_be_visible()
        other = "one" if page.locator("#title").inner_text() == "two" else "two"
        page.get_by_label("Sweep").select_option(other)
        expect(page.locator("#title")).to_have_text(other)
        assert f"sweep={other}" in page.url
        expect(page.locator(".card").first).to_be_visible()
