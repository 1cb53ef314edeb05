"""Settings: environment variables ``HUB_*`` or one YAML file named by ``HUB_CONFIG``; the environment wins.

Every option has a default and a comment here; ``config/hub.example.yaml`` is generated from this file. Secrets are
never settings: they are references (``env:NAME``, ``file:/path``) in channel entries, or files under ``home``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hub.errors import ConfigurationError
from hub.net.secrets import SecretRef
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Line
from hub.schemas.ids import AuthorityCode

MAX_CONFIG_BYTES = 1_048_576
_LOOPBACK = r"localhost|127\.0\.0\.1|\[::1\]"
ORIGIN = rf"(?:https://(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])|http://(?:{_LOOPBACK}))(?::[1-9][0-9]{{0,4}})?"
"""An origin as browsers write it (RFC 6454): small letters, no path, no wildcard; unencrypted on this machine only."""


class Settings(BaseModel):
    """All options of the hub. Units stand in the names."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    home: Path = Field(default=Path("var"), description="Folder for all that is embedded: database, attachments, keys.")
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL; absent = SQLite in the home folder.", repr=False
    )
    broker_url: str | None = Field(
        default=None, description="Celery broker URL; absent = in-process queue (embedded).", repr=False
    )
    registry: Path | None = Field(default=None, description="Folder of registry files; absent = registry/ in home.")
    law: Path | None = Field(
        default=None, description="Folder with terms.yaml and calendar.yaml; absent = those of the package."
    )
    listen: Annotated[str, Code(r"[0-9A-Za-z.:\[\]-]+:[0-9]{1,5}")] = Field(
        default="127.0.0.1:8080", description="Address and port of the HTTP doors."
    )
    public_url: str | None = Field(
        default=None, description="URL under which authorities reach the hub; absent = http://<listen>."
    )
    party_code: AuthorityCode = Field(default="36521731", description="Code of the contact centre: sender of appeals.")
    party_name: Annotated[str, Line(300)] = Field(
        default="Урядовий контактний центр", description="Name of the contact centre."
    )
    max_body_mb: int = Field(default=2, ge=1, le=64, description="Largest body of a call without files, in MiB.")
    max_attachment_mb: int = Field(default=200, ge=1, le=1024, description="Largest attachment, in MiB.")
    workers: int = Field(
        default=16, ge=1, le=256, description="Lanes that one worker process sends to at once; slow ones do not count."
    )
    metrics_listen: Annotated[str, Code(r"[0-9A-Za-z.:\[\]-]+:[0-9]{1,5}")] | None = Field(
        default=None, description="Address and port where workers and sweepers show their figures; absent = nowhere."
    )
    sweep_secs: float = Field(default=1.0, gt=0, le=60, description="How often the sweeper looks for due lanes.")
    registry_check_secs: float = Field(
        default=2.0, gt=0, le=3600, description="How often the registry's files are looked at for changes."
    )
    cors_origins: tuple[Annotated[str, Code(ORIGIN)], ...] = Field(
        default=(),
        max_length=20,
        description="Origins of pages in browsers that may call the doors, each as https://name[:port]; empty = none.",
    )
    oauth_issuer: str | None = Field(
        default=None, description="Issuer of OAuth2 bearer tokens; absent = API keys only."
    )
    oauth_audience: str | None = Field(default=None, description="Audience that bearer tokens must name.")
    oauth_jwks: str | None = Field(default=None, description="JWKS of the issuer: file:/path or https URL.")
    webhooks: Path | None = Field(
        default=None, description="File of webhook endpoints; absent = webhooks.yaml in home, if it is there."
    )
    alarms: Path | None = Field(
        default=None, description="File of alarms: who hears, changes to rules; absent = alarms.yaml in home."
    )
    applicant_key: SecretRef | None = Field(
        default=None,
        description="Reference to the key of the applicants' hashes; absent = keys/applicants.key in home.",
    )
    mass_least: int = Field(default=10, ge=2, le=10_000, description="Like appeals from which they are a campaign.")
    follow_percent: int = Field(
        default=5, ge=1, le=100, description="Share of one core that likeness, scores and digests may take."
    )
    follow_secs: float = Field(default=1.0, gt=0, le=60, description="How often followers look for new events.")
    events_days: int = Field(default=90, ge=1, le=3650, description="How long events can be read again, in days.")
    idempotency_days: int = Field(
        default=30, ge=1, le=3650, description="How long answers to idempotency keys are kept, in days."
    )
    inbound_days: int = Field(
        default=365, ge=30, le=36500, description="How long what came in and went to no case is kept, in days."
    )
    noise_days: int = Field(
        default=90, ge=7, le=36500, description="How long machines' noise among it is kept, in days."
    )
    audit_days: int = Field(
        default=1_095, ge=365, le=36500, description="How long the audit trail of people's acts is kept, in days."
    )
    upload_days: int = Field(default=7, ge=1, le=365, description="How long an upload may wait to be used, in days.")
    likeness_days: int = Field(
        default=400, ge=30, le=3650, description="How long texts and applicants are compared with new ones, in days."
    )
    log_level: Annotated[str, Code("DEBUG|INFO|WARNING|ERROR")] = Field(
        default="INFO", description="Least level logged."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """A list of YAML, or what an environment variable has: origins between commas."""
        if isinstance(value, str):
            return tuple(each.strip() for each in value.split(",") if each.strip())
        return tuple(value) if isinstance(value, list) else value

    @property
    def sqlalchemy_url(self) -> str:
        """The database, embedded or not."""
        return self.database_url or f"sqlite:///{self.home / 'hub.sqlite'}"

    @property
    def webhooks_file(self) -> Path:
        """Where webhook endpoints are named."""
        return self.webhooks or self.home / "webhooks.yaml"

    @property
    def alarms_file(self) -> Path:
        """Where receivers of alarms are named, and rules changed."""
        return self.alarms or self.home / "alarms.yaml"

    @property
    def registry_folder(self) -> Path:
        """Where the registry's files are."""
        return self.registry or self.home / "registry"

    @property
    def base_url(self) -> str:
        """Under which URL authorities reach the hub."""
        return (self.public_url or f"http://{self.listen}").rstrip("/")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes.")
        loaded = strict_yaml.load(path.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read as YAML: {strict_yaml.told(error)}.") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigurationError(f"{path} must hold a mapping of options.")
    return loaded


def load(environ: dict[str, str] | None = None, **overrides: object) -> Settings:
    """Read settings: defaults, then the file named by ``HUB_CONFIG``, then ``HUB_*``, then ``overrides``.

    Raises ``ConfigurationError`` that names every wrong option.
    """
    env = dict(os.environ) if environ is None else environ
    values: dict[str, Any] = _from_file(Path(env["HUB_CONFIG"])) if env.get("HUB_CONFIG") else {}
    for name in Settings.model_fields:
        if env.get(f"HUB_{name.upper()}"):
            values[name] = env[f"HUB_{name.upper()}"]
    values.update({name: value for name, value in overrides.items() if value is not None})
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ConfigurationError(f"Settings are wrong: {wrong}.") from None


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return "[" + ", ".join(map(_shown, default)) + "]"
    return str(default) if isinstance(default, int | float) else f'"{default}"'


def example() -> str:
    """The text of ``config/hub.example.yaml``: every option with default and comment."""
    lines = ["# Every option of the hub with its default. Generated: `python -m hub.settings`.", ""]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "null" if default is None else _shown(default)
        lines += [f"# {field.description} (HUB_{name.upper()})", f"# {name}: {shown}", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    import sys

    sys.stdout.write(example())
