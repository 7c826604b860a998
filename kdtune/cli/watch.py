"""The command that shows a sweep in a browser."""

from __future__ import annotations

import click

from kdtune.cli.group import main
from kdtune.cli.job_options import find_results
from kdtune.errors import RequestError
from kdtune.objects.urls import is_object_url


@main.command(example="kdtune watch mine")
@click.argument("results", required=False)
@click.option("--port", type=click.IntRange(0, 65_535), default=8700, show_default=True,
              help="Where to listen; the next free port if it is taken.")  # fmt: skip
@click.option("--host", default="127.0.0.1", show_default=True,
              help="The address to listen on; by default only this machine reaches the page.")  # fmt: skip
@click.option("--token", metavar="TEXT",
              help="What the address of the page must have. [default: a random one, kept for you]")  # fmt: skip
@click.option("--no-token", is_flag=True, help="Ask for no token: every user of this machine may read the page.")
@click.option("--address", metavar="http://HEAD:8265",
              help="The dashboard of a cluster: RESULTS is then the name of a job.")  # fmt: skip
@click.option("--open", "opens_browser", is_flag=True, help="Open the page in a browser.")
def watch(
    results: str | None,
    port: int,
    host: str,
    token: str | None,
    no_token: bool,
    address: str | None,
    opens_browser: bool,
) -> None:
    """Show a sweep in a browser, while it runs or when it is done.

    RESULTS is a sweep's folder, its name under results/, its URL in an object store (s3://BUCKET/PREFIX/NAME), with
    --address the name of a job, or a folder with sweeps; without it, all under results/, the newest first. The page
    refreshes itself: progress, time left, failures, and the best T as far as it is known. It only reads, so it may be
    opened and closed at any time, also on another machine that sees the folder.
    """
    from kdtune.watch.serve import Address, WatchServer
    from kdtune.watch.token_file import check_token, get_token
    from kdtune.watch.watched_folders import locate_watched_folders

    if token is not None and no_token:
        raise click.UsageError("--token and --no-token contradict each other.")
    if results is not None and address is not None:
        results = find_results(results, address)
    if results is not None and is_object_url(results):
        from kdtune.watch.mirrored_results import watch_url

        folders = watch_url(results)
    else:
        folders = locate_watched_folders(results)
    listening = Address(host, port, None if no_token else get_token() if token is None else check_token(token))
    if no_token and not listening.is_loopback:
        raise RequestError(f"--host {host}: other machines may reach the page, so it needs a token; drop --no-token")

    server = WatchServer(folders, listening)
    if port not in (0, server.port):
        click.echo(f"Port {port} is taken, so the page is on port {server.port}.", err=True)
    click.echo(f"Watch: {server.url}")
    click.echo("Ctrl-C ends the page; a sweep goes on.", err=True)
    if opens_browser:
        click.launch(server.url)
    server.run()
