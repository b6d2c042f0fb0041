"""The look of the site: Gradio's theme, and the styles and script in the head of every page."""

from pathlib import Path

import gradio as gr

from shared.plots import PALETTE

STATIC = Path(__file__).parent / "static"
FAVICON = STATIC / "favicon.svg"
SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif"]
MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
# Gradio's theme variables, set to the colours of `site.css`, which know light and dark.
COLOURS = {
    "body_background_fill": "var(--ground)",
    "body_text_color": "var(--ink)",
    "body_text_color_subdued": "var(--ink-2)",
    "background_fill_primary": "var(--surface)",
    "background_fill_secondary": "var(--ground)",
    "block_background_fill": "transparent",
    "block_label_background_fill": "transparent",
    "block_label_text_color": "var(--ink-2)",
    "block_title_text_color": "var(--ink-2)",
    "border_color_primary": "var(--rule)",
    "border_color_accent": "var(--ink-2)",
    "input_background_fill": "var(--surface)",
    "input_border_color": "var(--rule)",
    "input_border_color_focus": "var(--ink-2)",
    "input_placeholder_color": "var(--ink-2)",
    "button_primary_background_fill": "var(--ink)",
    "button_primary_background_fill_hover": "var(--ink-2)",
    "button_primary_text_color": "var(--ground)",
    "button_secondary_background_fill": "transparent",
    "button_secondary_background_fill_hover": "var(--hover)",
    "button_secondary_text_color": "var(--ink)",
    "button_secondary_border_color": "var(--rule)",
    "checkbox_label_background_fill": "transparent",
    "checkbox_label_background_fill_hover": "var(--hover)",
    "checkbox_label_background_fill_selected": "var(--hover)",
    "checkbox_label_border_color": "var(--rule)",
    "checkbox_label_text_color_selected": "var(--ink)",
    "checkbox_background_color_selected": "var(--ink)",
    "checkbox_border_color_selected": "var(--ink)",
    "table_even_background_fill": "transparent",
    "table_odd_background_fill": "transparent",
}


def build_theme():
    """Gradio's theme with a quiet ground, system fonts and one neutral accent."""
    base = gr.themes.Base(
        primary_hue="zinc", secondary_hue="zinc", neutral_hue="zinc", font=SANS, font_mono=MONO
    )
    return base.set(
        **COLOURS,
        **{f"{name}_dark": value for name, value in COLOURS.items()},
        block_border_width="0px",
        block_padding="0px",
        block_shadow="none",
        button_border_width="1px",
        input_border_width="1px",
        input_shadow="none",
        layout_gap="12px",
    )


def build_head():
    """The HTML for the head of every page: styles and script inline, so that nothing is fetched."""
    light, dark = (
        "".join(f"--{name}:{shades[mode]};" for name, shades in PALETTE.items()) for mode in (0, 1)
    )
    styles = (STATIC / "site.css").read_text(encoding="utf-8")
    script = (STATIC / "site.js").read_text(encoding="utf-8")
    return f"<style>:root{{{light}}}.dark{{{dark}}}{styles}</style><script>{script}</script>"
