"""The command that shows it all: demo."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alerter.cli.common import EXIT_FAILED, held_store, say_error

if TYPE_CHECKING:
    import threading

_INSTALL = 'the demo runs an MLflow server, which is not installed: pip install "mlflow-alerter[local]"'


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="An empty or new folder for its files, which stay.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the files, also without --dir.")] = False,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=1, max=65535, help="The page's. [default: 8321, or the next free one]"),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="N", min=0, help="End so many seconds after the first alert.")
    ] = None,
) -> None:
    """Try it on this machine, with an MLflow server of its own.

    Sample runs are logged, the daemon watches them, alerts come on this screen, and there is the page.
    """
    from alerter.cli.signals import watched_signals
    from alerter.demo import DemoError, free_page_port, has_mlflow_server

    if not has_mlflow_server():
        say_error(_INSTALL)
        raise typer.Exit(EXIT_FAILED)
    with watched_signals() as signals:
        signals.hangup = signals.stop.set  # its terminal was closed
        try:
            page_port = free_page_port(port)
            with _folder(folder, keep=keep) as place:
                _show(place, page_port, seconds, keeps=keep or folder is not None, stop=signals.stop)
        except DemoError as error:
            say_error(str(error))
            raise typer.Exit(EXIT_FAILED) from None


def _show(place: Path, port: int, seconds: float | None, *, keeps: bool, stop: threading.Event) -> None:
    from alerter.cli.logs import set_up_logging
    from alerter.demo import Demo, DemoError, own_environment
    from alerter.demo.screen import is_pretty
    from alerter.web.server import WebServerError

    environ = own_environment(os.environ)
    os.environ.clear()  # MLflow's client reads it
    os.environ.update(environ)
    with (place / "alerter.log").open("w", encoding="utf-8") as stream:
        set_up_logging(environ=environ, stream=stream)
        show = Demo(
            folder=place,
            port=port,
            seconds=seconds,
            pretty=is_pretty(),
            program=_program(),
            keeps=keeps,
            environ=environ,
            hold=held_store,
        )
        try:
            show.run(stop)
        except WebServerError as error:
            raise DemoError(str(error)) from None
    with suppress(OSError):  # where its terminal was closed
        typer.echo(f"Stopped; the files are in {place}" if keeps else "Stopped.")


@contextmanager
def _folder(given: Path | None, *, keep: bool) -> Iterator[Path]:
    """Give an empty folder; one of our own goes afterwards, unless something went wrong that its logs tell of."""
    from alerter.demo import DemoError

    if given is not None:
        yield _empty(given)
        return
    made = Path(tempfile.mkdtemp(prefix="alerter-demo-"))
    try:
        yield made
    except DemoError as error:
        raise DemoError(f"{error}\nIts logs are in {made}") from error
    if not keep:
        shutil.rmtree(made, ignore_errors=True)


def _empty(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise typer.BadParameter(f"{folder} can't be used as a folder ({error.strerror}); name another one") from None
    if taken:
        raise typer.BadParameter(f"{folder} is not empty; name a new folder")
    return folder.resolve()


def _program() -> str:
    """Return how this program is called, from the folder where the caller stands."""
    called = Path(sys.argv[0])
    found = shutil.which("alerter")
    if found is not None and os.path.realpath(found) == os.path.realpath(called):
        return "alerter"
    try:
        return os.fspath(called.absolute().relative_to(Path.cwd()))
    except ValueError:
        return os.fspath(called)
