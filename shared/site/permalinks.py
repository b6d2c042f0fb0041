"""Links that restore the state of a page."""

import inspect

import gradio as gr

from shared.site.events import COMPUTE


def on_open(site, fn, outputs, **options):
    """Call `fn(link)` when a page is opened; returns the event.

    Args:
        site: The `gr.Blocks`, whose current page it is.
        fn: Takes the parameters of the address, a dict of strings, and returns a value for each
            output. A generator may yield twice: first the values of the inputs, then the answer to
            them with `gr.skip()` for the inputs, which the visitor may be editing by then.
        outputs: List of components.
        options: For the event.
    """

    def opened(request: gr.Request):
        result = fn(dict(request.query_params))
        yield from result if inspect.isgenerator(result) else [result]

    return site.load(opened, None, outputs, **{**COMPUTE, **options})


def locked(link, **values):
    """Updates that give inputs their values and hide those that the link locks.

    Args:
        link: The parameters of the address; `lock` holds names of inputs, separated by commas.
        values: The inputs' values by their names in the link.

    Returns:
        List of Gradio updates, in the order of `values`.
    """
    names = link.get("lock", "").split(",")
    return [gr.update(value=value, visible=name not in names) for name, value in values.items()]


def link_button(**components):
    """A button that copies a link to the page with the values of some components.

    Args:
        components: Components by their names in the link, as `on_open` hands them back.
    """
    button = gr.Button("Copy link", size="md", min_width=120)
    copy = f"(...values) => unrolled.copyLink({list(components)}, values)"
    copied = button.click(
        None, list(components.values()), button, js=copy, api_visibility="private"
    )
    wait = "async () => { await new Promise((done) => setTimeout(done, 2000)); return 'Copy link' }"
    copied.then(None, None, button, js=wait, api_visibility="private")
    return button
