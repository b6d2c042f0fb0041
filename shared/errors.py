"""The exception whose message visitors and operators read."""


class UserError(ValueError):
    """An input or a file that cannot be used. The message says what would work, for the page."""
