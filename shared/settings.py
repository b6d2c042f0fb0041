"""What can be set from the environment: `UNROLLED_<FIELD>` for every field of `Settings`."""

import os
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "UNROLLED_"


class SettingsError(ValueError):
    """A setting that cannot be used; its message is one sentence for the person who set it."""


def _default_host() -> str:
    # A Space is reached from outside its container; a laptop should not be.
    return "0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1"


def _default_proxies() -> int:
    return int(bool(os.environ.get("SPACE_ID")))


class Settings(BaseSettings):
    """The settings of the site and of the training commands.

    Example:

    >>> Settings(port=8000).port
    8000
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, validate_default=True
    )

    host: str = Field(
        default_factory=_default_host,
        description="Address to listen on; 0.0.0.0 lets other machines in.",
    )
    port: int = Field(7860, ge=1, le=65535, description="Port to listen on.")
    data: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        Path("~/.cache/unrolled"),
        description="Folder for the corpora and checkpoints that training uses.",
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)
    ] = Field("info", description="Least severe messages to print: debug, info, warning or error.")
    max_upload_mb: int = Field(20, ge=1, description="Largest file accepted, in megabytes.")
    max_characters: int = Field(20_000, ge=1, description="Longest typed text, in characters.")
    max_rows: int = Field(5_000, ge=1, description="Most rows of a CSV answered at once.")
    requests_per_minute: int = Field(
        0,
        ge=0,
        description="Most requests from one visitor in a minute; 0 for no limit. A page sends "
        "about ten.",
    )
    proxies: int = Field(
        default_factory=_default_proxies,
        ge=0,
        description="How many reverse proxies stand in front of the site; their X-Forwarded-For is "
        "trusted.",
    )
    vectors: str | None = Field(
        None,
        description="Your own word vectors for the analogies: word2vec .bin or .txt, GloVe .txt, "
        "gensim .kv (which holds a pickle: use only files that you trust).",
    )


class Description(NamedTuple):
    """One row of `describe()`."""

    name: str
    variable: str
    default: str
    text: str


def variable(name: str) -> str:
    """The environment variable that sets the field `name`."""
    return PREFIX + name.upper()


def read() -> Settings:
    """The settings in force.

    Raises:
        SettingsError: a variable holds a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name, value, why = variable(str(first["loc"][0])), first["input"], first["msg"]
        raise SettingsError(
            f"{name} is {value!r}, which cannot be used: {why[0].lower()}{why[1:]}."
        ) from None


def describe() -> list[Description]:
    """Every setting with its variable, its default and what it does: for `app.py --help`."""
    return [
        Description(
            name,
            variable(name),
            str(field.get_default(call_default_factory=True)),
            field.description or "",
        )
        for name, field in Settings.model_fields.items()
    ]
