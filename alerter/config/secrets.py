"""Secrets: from the environment, or from lower-case files in ``$CREDENTIALS_DIRECTORY`` or ``/run/secrets``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, fields
from pathlib import Path

from pydantic import SecretStr

from alerter.config.problems import ConfigError, Problem

_RUN_SECRETS = Path("/run/secrets")
_EXPORTED = ("mlflow_", "databricks_", "pgpassword", "pgpassfile")
_MAX_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Secrets:
    """The secrets that are set; None where one is not. Neither ``repr`` nor ``str`` shows a value."""

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    smtp_username: SecretStr | None = None
    smtp_password: SecretStr | None = None
    alerter_web_token: SecretStr | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Secrets:
        """Return the secrets of an environment and its folders of credentials; the environment wins.

        Raises:
            ConfigError: a file of a secret can't be read.
        """
        values = {each.name: setting(each.name, environ) for each in fields(cls)}
        return cls(**{name: SecretStr(value) for name, value in values.items() if value})


def named_secrets(names: Iterable[str], environ: Mapping[str, str] = os.environ) -> dict[str, SecretStr]:
    """Return the secrets of the names that the configuration gives them, of those that are set.

    Raises:
        ConfigError: a file of a secret can't be read.
    """
    values = {name: setting(name.lower(), environ) for name in sorted(names)}
    return {name: SecretStr(value) for name, value in values.items() if value}


def setting(name: str, environ: Mapping[str, str]) -> str | None:
    """Return one setting by its lower-case name, stripped; None where it is unset or blank.

    Raises:
        ConfigError: its file can't be read.
    """
    value = environ.get(name.upper(), "").strip()
    if value:
        return value
    for folder in _folders(environ):
        path = folder / name
        if path.is_file():
            return _text_of(path) or None
    return None


def export_mlflow_secrets(environ: MutableMapping[str, str] = os.environ) -> tuple[str, ...]:
    """Set MLflow's own variables, and libpq's password, from files where the environment doesn't; return their names.

    Files are named like the variables, in lower case: ``mlflow_tracking_password``, ``databricks_token``,
    ``pgpassword``.

    Raises:
        ConfigError: a file can't be read.
    """
    exported = []
    for folder in _folders(environ):
        for path in sorted(folder.iterdir()):
            variable = path.name.upper()
            if path.name.startswith(_EXPORTED) and path.is_file() and not environ.get(variable):
                environ[variable] = _text_of(path)
                exported.append(variable)
    return tuple(exported)


def _folders(environ: Mapping[str, str]) -> Iterator[Path]:
    given = environ.get("CREDENTIALS_DIRECTORY")
    if given:
        if not _is_folder(Path(given)):
            raise ConfigError([Problem(Path(given), 0, 0, "$CREDENTIALS_DIRECTORY is no folder that can be read")])
        yield Path(given)
    if _is_folder(_RUN_SECRETS):
        yield _RUN_SECRETS


def _is_folder(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.R_OK | os.X_OK)


def _text_of(path: Path) -> str:
    try:
        raw = path.read_bytes()[: _MAX_BYTES + 1]
        if len(raw) <= _MAX_BYTES and b"\0" not in raw:
            return raw.decode("utf-8").strip()
    except OSError as error:
        raise ConfigError([Problem(path, 0, 0, f"can't be read: {error.strerror or error}")]) from None
    except UnicodeDecodeError:
        pass  # and the error would show the bytes
    raise ConfigError([Problem(path, 0, 0, "is no text: a secret's file holds its value alone")])
