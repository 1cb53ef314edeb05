"""The wheel runs as ``nobody`` where nothing but its home can be written, as in deploy/compose.yaml and the units."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.processes import READY, environment
from tests.conftest import leave_out
from tests.schemas.test_renderings import MINIMAL
from tests.supply.test_parts import wheel as wheel  # noqa: PLC0414 - a fixture

_INSIDE = Path("/srv")
"""The cage's own folders lie here, for its processes only: the way to a test's folder is closed to others."""
_CAGE = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=1m,mode=755 tmpfs /srv
mkdir /srv/lib /srv/home /srv/tmp
mount --bind "$FOLDER/lib" /srv/lib
mount --bind "$FOLDER/home" /srv/home
mount -t tmpfs -o size=16m,mode=1777 tmpfs /srv/tmp
while read -r _ where kind _; do
    case "$kind" in proc|sysfs|cgroup*|devpts|devtmpfs|mqueue) continue ;; esac
    case "$where" in /srv/home|/srv/tmp) continue ;; esac
    mount -o remount,bind,ro "$where" || exit 97
done < /proc/self/mounts
exec setpriv --reuid=nobody --regid=nogroup --clear-groups --no-new-privs --bounding-set=$CAPS --inh-caps=$CAPS \\
    --ambient-caps=$CAPS "$@"
"""


class Cage:
    """Commands of the installed wheel as ``nobody``: all is read-only but ``home`` and an empty temporary folder."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        self.home.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "lib")
        user = pwd.getpwnam("nobody")
        os.chown(self.home, user.pw_uid, user.pw_gid)
        # The interpreter may lie where only its owner reads: then nobody may read all, and write no more for it.
        self._caps = "+dac_read_search" if _hidden(Path(sys.executable).resolve()) else "-all"

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start Python with these words."""
        env = environment(FOLDER=str(self.folder), CAPS=self._caps, TMPDIR=str(_INSIDE / "tmp"))
        env["HUB_HOME"] = str(_INSIDE / "home")
        env["PYTHONPATH"] = f"{_INSIDE / 'lib'}{os.pathsep}{sysconfig.get_paths()['purelib']}"
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", _CAGE, "cage", sys.executable, "-P", "-B", "-u", *words],
            env=env,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str) -> str:
        """Run to the end; what was said."""
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return said

    @contextmanager
    def up(self) -> Iterator[str]:
        """``hub up``; its address."""
        process = self.start("-m", "hub", "up", "--listen", "127.0.0.1:0")
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if found := READY.search(line):
                    yield found[1]
                    break
            else:
                raise AssertionError("".join(lines[-40:]))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.communicate(timeout=60)


def _hidden(path: Path) -> bool:
    return any(not each.stat().st_mode & 0o005 for each in (path, *path.parents))


@pytest.fixture
def cage(tmp_path: Path, wheel: Path) -> Cage:
    """The cage; it needs root to be built."""
    if os.geteuid() != 0:
        leave_out("only root can make a file system read-only for one process")
    return Cage(tmp_path, wheel)


_LOOK = """
import os, sys, tempfile, pwd, hub
print("hub", hub.__file__)
print("user", pwd.getpwuid(os.geteuid()).pw_name)
own = (os.path.dirname(hub.__file__), os.environ["HUB_HOME"], tempfile.gettempdir())
for folder in ("/", "/tmp", "/var/tmp", "/dev/shm", "/etc", *own):
    try:
        open(os.path.join(folder, "written"), "w").close()
        os.unlink(os.path.join(folder, "written"))
        print("writes", folder)
    except OSError:
        pass
"""


@pytest.mark.slow
@pytest.mark.foreign("unshare")
@pytest.mark.foreign("setpriv")
def test_the_wheel_runs_with_nothing_but_its_home(cage: Cage) -> None:
    """Made, started, given an appeal with a file, looked at and stopped: no step needs to write anywhere else."""
    told = cage.run("-c", _LOOK).splitlines()
    assert told[0] == "hub /srv/lib/hub/__init__.py"
    assert told[1] == "user nobody"
    assert [line for line in told if line.startswith("writes ")] == ["writes /srv/home", "writes /srv/tmp"]
    cage.run("-m", "hub", "init")
    key = (cage.home / "keys" / "ncc.key").read_text("ascii").strip()
    with cage.up() as url:
        appeal = _post(f"{url}/v1/appeals", key)
        assert appeal["case_id"]
        assert _get(f"{url}/readyz")
    assert (cage.home / "keys").is_dir()


def _post(url: str, key: str) -> dict[str, str]:
    body = (
        b'--XX\r\nContent-Disposition: form-data; name="appeal"\r\nContent-Type: application/json\r\n\r\n'
        + MINIMAL
        + b'\r\n--XX\r\nContent-Disposition: form-data; name="files"; filename="a.pdf"\r\n'
        + b"Content-Type: application/pdf\r\n\r\n%PDF-1.7 "
        + b"x" * 2_000_000
        + b"\r\n--XX--\r\n"
    )
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=XX"}
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        assert answer.status == 202
        told: dict[str, str] = json.load(answer)
        return told


def _get(url: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=60) as answer:
        content: bytes = answer.read()
        return content or b"ok"
