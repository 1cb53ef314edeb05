"""Secrets by reference: what may be written, what is read, and that nothing of it is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hub.errors import ConfigurationError
from hub.net.secrets import MAX_SECRET_BYTES, Secret, SecretFile, SecretRef, resolve, secret_path
from hub.schemas.base import Frozen


class _Settings(Frozen):
    token: SecretRef
    key: SecretFile = "file:/key"


def secret_file(folder: Path, data: bytes, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_bytes(data)
    path.chmod(mode)
    return f"file:{path}"


@pytest.mark.parametrize("good", ["env:TOKEN", "env:_a1", "file:/run/secrets/token", "file:/a b/ключ"])
def test_references_are_taken(good: str) -> None:
    """Both forms, as they are."""
    assert _Settings(token=good).token == good


@pytest.mark.parametrize(
    "bad",
    ["canary-secret", "", "env:", "env:A B", "env:1A", "file:relative", "file:", "FILE:/a", "env:A\n", "file:/a\0"],
)
def test_anything_else_is_refused_without_repeating_it(bad: str) -> None:
    """Whoever writes the secret itself learns the rule; the secret stands in no error."""
    with pytest.raises(ValidationError) as caught:
        _Settings(token=bad)
    assert "must be a reference" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_keys_are_files_only() -> None:
    """Where OpenSSL wants a file, an environment variable is refused."""
    with pytest.raises(ValidationError):
        _Settings(token="env:A", key="env:KEY")


def test_environment_and_files_are_read(tmp_path: Path) -> None:
    """The line end of a file is not part of the secret."""
    assert resolve("env:TOKEN", {"TOKEN": "canary"}).reveal() == "canary"
    for data in (b"canary", b"canary\n", b"canary\r\n"):
        assert resolve(secret_file(tmp_path, data)).reveal() == "canary"


def test_a_secret_is_not_shown() -> None:
    """Neither repr nor str nor a format shows it."""
    secret = Secret("canary")
    assert "canary" not in f"{secret} {secret!r} {[secret]}"


@pytest.mark.parametrize("data", [b"", b"\n", b"two\nlines", b"nul\0", b"\xff\xfe", b"x" * (MAX_SECRET_BYTES + 1)])
def test_unfit_files_are_refused(tmp_path: Path, data: bytes) -> None:
    """Empty, several lines, no text, too long: a configuration error that names the reference, not the content."""
    reference = secret_file(tmp_path, data)
    with pytest.raises(ConfigurationError) as caught:
        resolve(reference)
    assert reference in str(caught.value)
    assert "lines" not in str(caught.value).replace("one line", "")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o777])
def test_a_file_that_everybody_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    """World-readable or world-writable is no secret."""
    reference = secret_file(tmp_path, b"canary", mode)
    for read in (resolve, secret_path):
        with pytest.raises(ConfigurationError) as caught:
            read(reference)
        assert caught.value.stable_code == "configuration.secret_open"


def test_missing_things_are_configuration_errors(tmp_path: Path) -> None:
    """No variable, no file, a folder."""
    for reference in ("env:NO_SUCH_VARIABLE", f"file:{tmp_path}/none", f"file:{tmp_path}"):
        with pytest.raises(ConfigurationError):
            resolve(reference, {})
