"""Former names of what is now in `shared.site`, until every page uses the new ones."""
# ruff: noqa: F401

from markupsafe import Markup as Raw

from shared.equations import EQUATIONS
from shared.site import batch, components, events, permalinks
from shared.site.api import publish as api
from shared.site.api import sentences as refusals
from shared.site.components import choice, html, section
from shared.site.components import page_title as opening
from shared.site.components import photo_gallery as gallery
from shared.site.components import presets as tries
from shared.site.events import BATCH, COMPUTE
from shared.site.events import IN_ORDER as IN_TURN
from shared.site.events import INTERACTIVE as ASKED
from shared.site.events import shutting_down as closing
from shared.site.events import until_shutdown as while_open
from shared.site.events import user_edits as edits
from shared.site.permalinks import locked
from shared.site.uploads import Photo, download_path, photo_box, sent_file, sweep


class Seat(events.RunSlot):
    held = property(lambda self: self.subject)
    turn = property(lambda self: self._token, lambda self, value: setattr(self, "_token", value))


CHOOSE = components.SELECT_SCRIPT
long_date = components.format_date


def _text(function):
    return lambda *arguments, **options: str(function(*arguments, **options))


choices = _text(components.choice_buttons)
heading = _text(components.heading)
error = _text(components.error)
note = _text(components.note)
answer = _text(components.answer)
table = _text(components.table)
progress = _text(components.progress_bar)
card_line = _text(components.score_line)
equations = _text(components.equations)
subscripts = _text(components.format_subscripts)
source = _text(components.source_code)
code = _text(components.code_block)
savable = _text(components.savable_figure)
batch_ended = batch.finish


def when_opened(builder, fn, outputs, **options):
    return builder.on_open(fn, outputs, **options)


def link_button(builder, **state):
    return builder.link_button(**state)


def number_of_link(value, kind, low, high, default):
    try:
        number = kind(value)
    except (TypeError, ValueError):
        return default
    return min(max(number, low), high) if number == number else default


def begun(button, seat, fn, inputs, outputs, waiting=None, **options):
    return events.start_on_click(button, seat, fn, inputs, outputs, waiting, **options)
