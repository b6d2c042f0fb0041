"""Builds the site and serves it: `python app.py`."""

import logging
import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from apps import APPLICATIONS, load_tab
from shared import logs, settings
from shared.errors import UserError
from shared.memory import share_heaps
from shared.site import server
from shared.site.gradio_patches import without_type_stubs

log = logging.getLogger("unrolled")
command = typer.Typer(add_completion=False, rich_markup_mode=None)


def site_pages():
    """The pages of the site, the home page first, then every application in its order."""
    with without_type_stubs():
        import gradio  # noqa: F401

    from shared.site.pages import Page

    pages = []
    for name in ("home", *APPLICATIONS):
        tab = load_tab(name)
        if hasattr(tab, "pages"):  # an application of several pages
            pages += tab.pages()
            continue
        path = "" if name == "home" else name
        styles = Path(tab.__file__).with_name("page.css")
        styles = styles if styles.exists() else None
        page = Page(path, tab.TITLE, tab.DESCRIPTION, tab.build, stylesheet=styles)
        pages.append(page)
    return pages


def build(options):
    """The site as a `gr.Blocks`, and the list of its pages."""
    pages = site_pages()
    from shared.site.pages import build_site

    return build_site(pages, options), pages


def warm_up():
    """Load and compile what the first visitors will need, while the site already answers."""
    tabs = [load_tab(name) for name in APPLICATIONS]
    server.warm_up([tab.warm_up for tab in tabs if hasattr(tab, "warm_up")])


def _help():
    lines = ["Start the site. Settings are read from the environment:", "", "\b"]
    for row in settings.describe():
        lines += [f"{row.variable}  (default: {row.default})", f"    {row.text}"]
    return "\n".join(lines)


@command.command(help=_help())
def main(
    vectors: Annotated[Path | None, typer.Option(help="File of your own word vectors.")] = None,
):
    if vectors:
        os.environ[settings.variable("vectors")] = str(vectors)
    try:
        options = settings.read()
        _prepare_process(options)
    except UserError as problem:
        typer.echo(problem, err=True)
        raise typer.Exit(2) from None
    try:
        listener = _listen(options)
    except OSError:
        sentence = (
            f"{options.host}:{options.port} is in use or cannot be listened on: set UNROLLED_PORT "
            "to another port."
        )
        typer.echo(sentence, err=True)
        raise typer.Exit(1) from None

    def on_start():
        log.info("Unrolled is at http://%s:%s; Ctrl+C stops it.", options.host, options.port)
        warm_up()

    with suppress(KeyboardInterrupt):
        server.Server(*build(options), options, on_start).run([listener])


def _prepare_process(options):
    """Set logging, limits and the environment, before Gradio and Keras are imported."""
    logging.basicConfig()
    for handler in logging.getLogger().handlers:
        handler.setFormatter(logs.Formatter("%(levelname)s %(message)s"))
    log.setLevel(options.log_level.upper())
    # TensorFlow warns of every text length that is compiled for the first time.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(_upload_folder())
    server.allow_connections()
    share_heaps()


def _upload_folder():
    """A folder for uploads alone, since `storage.sweep` deletes old files in it.

    Raises:
        UserError: if somebody else could have made it, or a link in its place.
    """
    parent = os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()
    user = getattr(os, "getuid", int)()
    folder = Path(parent) / f"unrolled-{user}"
    with suppress(OSError):  # on a full disk, whoever uploads gets a sentence
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != user:
            raise UserError(
                f"{folder} is not a folder of yours. Set GRADIO_TEMP_DIR to another folder."
            )
        if os.name == "posix":
            folder.chmod(0o700)
    return folder


def _listen(options):
    """A socket at the address of the settings, taken before the seconds that imports need."""
    listener = socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET)
    if os.name == "posix":  # a site that was just stopped can start again
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((options.host, options.port))
    except OSError:
        listener.close()
        raise
    return listener


if __name__ == "__main__":
    command()
