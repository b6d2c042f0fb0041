"""The options of a network: the arguments from which it can be built again."""

import inspect
from typing import Any


class OptionsMixin:
    """Keeps the constructor's arguments of a Keras layer or model, and returns them in its config.

    It stands first among the base classes. What `**kwargs` takes, such as `name`, is Keras's to
    keep.

    Attributes:
        options: Dict from the constructor's named arguments to their values, defaults included.
    """

    options: dict[str, Any]

    def __new__(cls, *args, **kwargs):
        instance = super().__new__(cls, *args, **kwargs)
        bound = inspect.signature(cls.__init__).bind(instance, *args, **kwargs)
        bound.apply_defaults()
        own = list(bound.arguments.items())[1:]  # without self
        instance.options = {name: value for name, value in own if name != "kwargs"}
        return instance

    def get_config(self):
        return {**super().get_config(), **self.options}  # type: ignore[misc]
