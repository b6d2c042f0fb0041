"""What can be set from the environment: `UNROLLED_<FIELD>` for every field of `Settings`."""

import os
import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import UserError

PREFIX = "UNROLLED_"
FRAME_ANCESTORS = "'self' https://huggingface.co https://*.hf.space"
# A site in a Content Security Policy: https://school.example, https://*.hf.space, http://localhost:8000
_FRAMING_SITE = r"(?:'self'|'none'|https:|\*|(?:https?://)?(?:\*\.)?[\w.-]{1,253}(?::\d{1,5})?/?)"


def _check_framing_sites(value: str) -> str:
    sites = value.split()
    if not sites or not all(re.fullmatch(_FRAMING_SITE, site) for site in sites):
        raise ValueError(
            "it must be sites with spaces between, such as 'self' https://school.example"
        )
    return " ".join(sites)


def _check_root_path(value: str | None) -> str | None:
    path = (value or "").rstrip("/")
    if path and not re.fullmatch(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", path):
        raise ValueError("it must be a path such as /unrolled, or empty")
    return path or None


def _expand_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError("there is no such user on this machine") from None


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
    data: Annotated[Path, AfterValidator(_expand_home)] = Field(
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
        description="How many reverse proxies stand in front of the site; their X-Forwarded-For "
        "and X-Forwarded-Host are trusted.",
    )
    root_path: Annotated[str | None, AfterValidator(_check_root_path)] = Field(
        None,
        description="Path below which a reverse proxy serves the site, such as /unrolled.",
    )
    frame_ancestors: Annotated[str, AfterValidator(_check_framing_sites)] = Field(
        FRAME_ANCESTORS,
        description="Sites that may show these pages in a frame: https://school.example, 'self' "
        "for this one, 'none'; several with spaces between.",
    )
    vectors: str | None = Field(
        None,
        description="Your own word vectors for the analogies: word2vec .bin or .txt, GloVe .txt, "
        "fastText .vec, gensim .kv or .model (which hold a pickle: use only files that you trust).",
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
        UserError: a variable holds a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name, value, why = variable(str(first["loc"][0])), first["input"], first["msg"]
        raise UserError(
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
