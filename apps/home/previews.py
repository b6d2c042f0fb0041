"""Draws the pictures of the home page from real answers: `python -m apps.home.previews`.

Each application's `views.preview()` is written to `apps/<name>/preview.html`.
"""

import importlib
from pathlib import Path

from apps import APPLICATIONS

LARGEST_BYTES = 8_000


def write(name):
    """Write the preview of an application; returns its path, or None if it has none."""
    folder = Path(importlib.import_module(f"apps.{name}").__file__).parent
    if not (folder / "views.py").exists():
        return None
    views = importlib.import_module(f"apps.{name}.views")
    if not hasattr(views, "preview"):
        return None
    html = f"{views.preview()}\n"
    if len(html.encode()) > LARGEST_BYTES:
        raise ValueError(f"The preview of {name} has {len(html):,} bytes.")
    path = folder / "preview.html"
    path.write_text(html, encoding="utf-8")
    return path


if __name__ == "__main__":
    for application in APPLICATIONS:
        if path := write(application):
            print(path, path.stat().st_size, "bytes")
