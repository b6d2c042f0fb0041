"""The applications, in the order of the navigation: each is a folder with a `tab.py`.

A `tab.py` has

- `TITLE`, `DESCRIPTION` (one sentence) and `SHAPE` (a key of `apps.home.views.SHAPES`),
- `build(page, settings)`, which makes the components of the page (`shared.site.pages`),

and, where there is something to say,

- `pages()` in place of `build`, for an application of several pages,
- `headline()`: the model's score and its baseline's, for the home page,
- `scores()`: the table of its models, for the About page,
- `warm_up()`: loads and compiles what the first visitors need.
"""

import importlib

APPLICATIONS = (
    "sentiment",
    "translation",
    "captioning",
    "vqa",
    "forecasting",
    "cells",
    "analogies",
    "about",
)


def load_tab(name):
    """The module `apps.<name>.tab`."""
    return importlib.import_module(f"apps.{name}.tab")
