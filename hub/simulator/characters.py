"""Characters of simulated authorities, and the file that describes a simulation. Pure.

Times of theirs are hours; ``hours_per_sec`` says how many of them pass in one real second. What an authority does with
a message is drawn from the seed, the authority and the appeal's own number, so that a simulation repeats itself.
"""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import yaml
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hub.errors import ConfigurationError
from hub.net.secrets import SecretRef
from hub.net.settings import AsTuple, Url
from hub.schemas import strict_yaml
from hub.schemas.base import Code, Frozen, Line
from hub.schemas.ids import AuthorityCode, ChannelId
from hub.schemas.keys import VerificationKey
from hub.schemas.terms import RefusalGround

MAX_FILE_BYTES = 4_194_304

Failure: TypeAlias = Literal["busy", "limit", "error", "denied", "reset", "lost", "cut", "nonsense"]
"""503; 429; 500; 403; hung up without taking it in; taken in, and then: hung up without an answer, hung up in the
middle of the answer, answered with what is no answer.
"""
TAKEN: Final[frozenset[Failure]] = frozenset({"lost", "cut", "nonsense"})
"""Failures behind which the message was taken in."""
Percent: TypeAlias = Annotated[int, Field(ge=0, le=100)]
Hours: TypeAlias = Annotated[int, Field(ge=0, le=10_000)]


class Character(Frozen):
    """How an authority behaves.

    ``receipt``: how it tells what became of a message. ``respond_ms``: how long it thinks before it responds.
    ``fail_percent``: of first tries that end in one of ``failures``; later tries of the same message succeed after
    ``fail_tries``. ``refuse_percent``: of messages refused with ``ground``. ``registers``, ``answers``: whether it
    reports so. ``pulls``: it fetches from the inbox. ``files``: it has an SFTP server and nothing else. ``copies``: how
    often each report is sent. ``answer_first``: the answer before the registration. ``retry_after_secs``: what it says
    when it is busy or limits. ``number``: the one number under which it registers everything. ``stray``: its reports
    speak of a message that nobody sent.
    """

    receipt: Literal["response", "callback", "poll"] = "callback"
    pulls: bool = False
    files: bool = False
    respond_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    fail_percent: Percent = 0
    fail_tries: Annotated[int, Field(ge=1, le=100)] = 1
    failures: Annotated[tuple[Failure, ...], AsTuple, Field(min_length=1)] = ("busy", "error", "reset", "lost")
    refuse_percent: Percent = 0
    ground: Annotated[RefusalGround, Field(strict=False)] = RefusalGround.WRONG_ADDRESSEE
    registers: bool = True
    answers: bool = True
    copies: Annotated[int, Field(ge=1, le=10)] = 1
    answer_first: bool = False
    retry_after_secs: Annotated[int, Field(ge=0, le=86_400)] = 1
    number: Annotated[str, Line(40)] | None = None
    stray: bool = False
    register_hours: Hours = 4
    answer_hours: Hours = 72

    @model_validator(mode="after")
    def _pulls_calls_back(self) -> Character:
        if (self.pulls or self.files) and self.receipt != "callback":
            raise PydanticCustomError("pulls", "who pulls or files reports by callback")
        if self.files and (self.pulls or self.fail_percent):
            raise PydanticCustomError("files", "who files does not pull, and a file server has no way to be busy")
        return self


PRESETS: dict[str, Character] = {
    "prompt": Character(receipt="response", register_hours=0, answer_hours=24),
    "polled": Character(receipt="poll", register_hours=2, answer_hours=24),
    "slow": Character(respond_ms=300, register_hours=24, answer_hours=240),
    "failing": Character(fail_percent=40),
    "refusing": Character(refuse_percent=60),
    "silent": Character(registers=False, answers=False),
    "twice": Character(copies=2),
    "disorderly": Character(answer_first=True),
    "pulling": Character(pulls=True),
    "filing": Character(files=True, register_hours=2, answer_hours=24),
}
"""The characters by name."""


class CharacterChoice(Frozen):
    """A preset and what is different from it."""

    preset: Annotated[str, Code("|".join(PRESETS))]
    changes: dict[str, str | int | bool | list[str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> CharacterChoice:
        self.character()
        return self

    def character(self) -> Character:
        """The character that was chosen."""
        return Character.model_validate({**PRESETS[self.preset].model_dump(), **self.changes})


class SftpDoor(Frozen):
    """The SFTP server of an authority that files; paths count from the simulation's file. ``port`` 0: a free one."""

    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    user: Annotated[str, Code(r"[a-z][a-z0-9_-]{0,31}")] = "hub"
    public_key: Annotated[str, Line(1_000)]
    host_key_file: Annotated[str, Line(1_000)]
    folder: Annotated[str, Line(1_000)]


class SimulatedAuthority(Frozen):
    """One authority of a simulation.

    ``speaks``: over what it is called and reports; ``sev``: over the simulated SEV, both ways. ``token``: what the hub
    must show when it calls. ``api_key``: what the authority shows to the hub. ``key_file``: its sealing key; relative
    paths count from the simulation's file. ``sftp``: the server of one that files.
    """

    code: AuthorityCode
    name: Annotated[str, Line(300)]
    channel_id: ChannelId
    character: CharacterChoice
    speaks: Literal["rest", "soap", "sev"] = "rest"
    key_file: Annotated[str, Line(1_000)]
    api_key: SecretRef
    token: SecretRef | None = None
    sftp: SftpDoor | None = None

    @model_validator(mode="after")
    def _files_somewhere(self) -> SimulatedAuthority:
        if self.character.character().files != (self.sftp is not None):
            raise PydanticCustomError("sftp", "who files needs sftp, and nobody else")
        return self


class SevAccount(Frozen):
    """The contact centre's account at the simulated SEV: its code, the id of its system, and its password."""

    org: AuthorityCode
    system_id: Annotated[str, Code(r"[0-9A-Za-z{][0-9A-Za-z{}-]{0,63}")]
    password: SecretRef


class Simulation(Frozen):
    """A whole simulation. ``hub_keys``: keys of the contact centre; if given, unsealed messages are refused.

    ``wishes``: whether words in appeals are obeyed (``hub.simulator.wishes``).
    ``sev``: a SEV node under ``/sev/IntegrationService``, with the authorities behind it that speak ``sev``.
    """

    seed: int = 1
    hours_per_sec: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    hub_url: Url
    hub_keys: Annotated[tuple[VerificationKey, ...], AsTuple] = ()
    authorities: Annotated[tuple[SimulatedAuthority, ...], AsTuple, Field(min_length=1, max_length=1_000)]
    sev: SevAccount | None = None
    wishes: bool = True

    @model_validator(mode="after")
    def _unique(self) -> Simulation:
        if len({authority.code for authority in self.authorities}) != len(self.authorities):
            raise PydanticCustomError("authority_twice", "each authority may stand in a simulation once")
        if self.sev is None and any(authority.speaks == "sev" for authority in self.authorities):
            raise PydanticCustomError("no_sev", "authorities that speak sev need the account sev")
        return self


def load(path: Path) -> Simulation:
    """Read a simulation's file. ``ConfigurationError`` names every fault."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_FILE_BYTES} bytes.")
        # By way of JSON, as strict models take text for codes and moments there; a bare date in YAML is no text.
        document = json.dumps(strict_yaml.load(path.read_bytes()))
    except (OSError, yaml.YAMLError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read as YAML: {strict_yaml.told(error)}.") from None
    try:
        return Simulation.model_validate_json(document)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ConfigurationError(f"{path} is no simulation: {wrong}.") from None


def dice(seed: int, *about: str) -> random.Random:
    """A generator that depends on nothing but the seed and what it is about."""
    digest = hashlib.sha256("\0".join((str(seed), *about)).encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))  # noqa: S311 - a simulation repeats itself, it hides nothing


def failure(character: Character, seed: int, code: str, appeal: str, attempt: int) -> Failure | None:
    """Failure of this attempt (from 1) of this appeal; None if it does not fail."""
    throw = dice(seed, code, appeal, "failure")
    if attempt > character.fail_tries or throw.randrange(100) >= character.fail_percent:
        return None
    return throw.choices(character.failures, k=attempt)[-1]


def refuses(character: Character, seed: int, code: str, appeal: str) -> bool:
    """True if this appeal is refused."""
    return dice(seed, code, appeal, "refusal").randrange(100) < character.refuse_percent
