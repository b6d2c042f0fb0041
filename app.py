"""Builds the site and launches it: `python app.py`."""

import importlib
import logging
import os
import threading
from pathlib import Path
from typing import Annotated

import typer

from apps import APPLICATIONS
from shared import settings
from shared.bundle import BundleError

log = logging.getLogger("unrolled")
command = typer.Typer(add_completion=False, rich_markup_mode=None)


def build(options):
    """The site as a `gr.Blocks`: one tab for each application."""
    import gradio as gr

    from shared import page

    with gr.Blocks(title="Unrolled", analytics_enabled=False, delete_cache=(600, 3600)) as site:
        page.masthead()
        with gr.Tabs(elem_id="pages") as tabs:
            for name, tab in _tabs():
                with gr.Tab(tab.TITLE, id=name, elem_id=f"tab-{name}") as shell:
                    try:
                        tab.build(shell, options)
                    except BundleError as problem:
                        page.html(page.error(f"This page cannot be used. {problem}"))

        def go_to_tab(request: gr.Request):
            wanted = request.query_params.get("tab")
            return gr.Tabs(selected=wanted) if wanted in APPLICATIONS else gr.skip()

        site.load(go_to_tab, None, tabs, queue=False, api_visibility="private")
    return site


def warm_up():
    """Load and compile what the first visitors will need, while the page is already up."""
    for _, tab in _tabs():
        if hasattr(tab, "warm_up"):
            try:
                tab.warm_up()
            except BundleError as problem:
                log.warning(problem)


def _tabs():
    return [(name, importlib.import_module(f"apps.{name}.tab")) for name in APPLICATIONS]


def _help():
    lines = ["Start the site. Settings are read from the environment:", "", "\b"]
    for row in settings.describe():
        lines += [f"{row.variable}  (default: {row.default})", f"    {row.text}"]
    return "\n".join(lines)


@command.command(help=_help())
def main(
    vectors: Annotated[Path | None, typer.Option(help="Your own word vectors.")] = None,
):
    if vectors:
        os.environ[settings.variable("vectors")] = str(vectors)
    try:
        options = settings.read()
    except settings.SettingsError as problem:
        typer.echo(problem, err=True)
        raise typer.Exit(2) from None
    logging.basicConfig(format="%(levelname)s %(message)s")
    log.setLevel(options.log_level.upper())
    # TensorFlow warns of every text length that is compiled for the first time.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

    from shared import page

    site = build(options)
    site.queue(default_concurrency_limit=4, max_size=256)
    try:
        site.launch(
            server_name=options.host,
            server_port=options.port,
            theme=page.theme(),
            head=page.head(),
            favicon_path=page.FAVICON,
            footer_links=["api", "gradio"],
            max_file_size=options.max_upload_mb * 2**20,
            allowed_paths=[],
            ssr_mode=False,
            run_history=False,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
        )
    except OSError:
        sentence = (
            f"{options.host}:{options.port} is in use or not ours: set UNROLLED_PORT to another."
        )
        typer.echo(sentence, err=True)
        raise typer.Exit(1) from None
    log.info("Unrolled is at http://%s:%s; Ctrl+C stops it.", options.host, options.port)
    threading.Thread(target=warm_up, daemon=True).start()
    site.block_thread()


if __name__ == "__main__":
    command()
