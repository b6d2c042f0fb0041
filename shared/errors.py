"""The one error that visitors and operators read."""


class UserError(ValueError):
    """An input that cannot be used. The message is one sentence that says what would work."""
