"""A hub's home and twelve simulated authorities beside it, ready to start: for the demo and for tests that kill."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hub.api.auth import append_key, new_api_key
from hub.bootstrap import KEY_FILE
from hub.cli.init import API_KEYS, make_home
from hub.schemas.directory import LaneSettings
from hub.schemas.envelope import Party
from hub.seals import load_signing_key
from hub.seals.keys import verification_key
from hub.settings import Settings
from hub.simulator.mailing import MailPlace, set_up_mail
from hub.simulator.setup import Placement, set_up

TWELVE: tuple[Placement, ...] = (
    Placement(code="22883141", name="Київська міська рада", character="prompt"),
    Placement(code="04055896", name="Львівська міська рада", character="twice"),
    Placement(code="04059243", name="Харківська міська рада", character="failing"),
    Placement(code="00022562", name="Львівська обласна державна адміністрація", character="slow"),
    Placement(code="00022585", name="Одеська обласна державна адміністрація", character="polled"),
    Placement(code="37567866", name="Міністерство соціальної політики України", character="prompt"),
    Placement(code="00035323", name="Пенсійний фонд України", character="pulling"),
    Placement(code="00012925", name="Міністерство охорони здоров'я України", character="disorderly"),
    Placement(code="37641918", name="Державне агентство автомобільних доріг України", character="refusing"),
    Placement(code="40108578", name="Національна поліція України", character="filing"),
    Placement(code="00032106", name="Національний банк України", character="silent"),
    Placement(code="37471928", name="Міністерство розвитку громад та територій України", character="twice"),
)

TOPICS = (
    "utilities.heating",
    "utilities.water",
    "utilities.waste",
    "housing",
    "transport.roads",
    "transport.public",
    "social-protection",
    "social-protection.pensions",
    "health",
    "law-and-order.police",
    "finance.banking",
    "education",
    "environment",
    "local-self-government",
    "other",
)

PLACES = (
    "UA80000000000093317",  # Kyiv
    "UA46060250000025047",  # Lviv community
    "UA63120270000028556",  # Kharkiv community
    "UA51000000000030770",  # Odesa oblast
    "UA46100000000023056",  # Stryi district
    "UA12020010000033698",  # Dnipro community: its council is not connected here
)


MAIL = Party(code="04360586", name="Бучанська міська рада")
"""A council that has nothing but a mailbox."""
MAIL_PLACE = "UA32080070000050759"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Where everything is. Keys are files; the plain text is read when it is used."""

    home: Path
    simulation: Path
    hub_listen: str
    simulator_listen: str
    ncc_key: Path
    operator_key: Path
    authority_keys: Mapping[str, str] = field(repr=False)


def free_listen() -> str:
    """An address on loopback that nobody listens on now, and that is still free when its server starts again.

    Where the system tells from which range it gives ports to outgoing connections, it is outside of that.
    """
    while True:
        port = secrets.choice(_OUTSIDE) if _OUTSIDE else 0
        if port in _GIVEN:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port:
                _GIVEN.add(port)  # never twice by one process, though its server may not listen yet
            return f"127.0.0.1:{probe.getsockname()[1]}"


def _outside() -> range:
    with contextlib.suppress(OSError, ValueError):
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text("ascii").split()[0])
        return range(min(20_000, lowest), lowest)
    return range(0)


_OUTSIDE = _outside()
_GIVEN: set[int] = set()


def _port(listen: str) -> int:
    return int(listen.rpartition(":")[2])


def arrange(
    folder: Path,
    *,
    placements: Sequence[Placement] = TWELVE,
    seed: int = 1,
    hours_per_sec: int = 24,
    lane: LaneSettings | None = None,
) -> Arrangement:
    """Make the home, the keys, the registry and the simulation in an empty folder."""
    home = folder / "home"
    hub_listen, simulator_listen = free_listen(), free_listen()
    placements = [replace(placement, sftp_port=_port(free_listen())) for placement in placements]
    made = make_home(Settings(home=home), placements[0].code)
    api_keys = {}
    for placement in placements:
        plain, entry = new_api_key("authority", placement.code)
        append_key(home / API_KEYS, entry)
        api_keys[placement.code] = plain
    done = set_up(
        folder / "simulation",
        placements,
        base_url=f"http://{simulator_listen}",
        hub_url=f"http://{hub_listen}",
        api_keys=api_keys,
        hub_keys=[verification_key(load_signing_key(home / KEY_FILE))],
        seed=seed,
        hours_per_sec=hours_per_sec,
        lane=lane,
    )
    shutil.copy(done.overlay, home / "registry" / "simulated.yaml")
    return Arrangement(
        home=home,
        simulation=done.simulation,
        hub_listen=hub_listen,
        simulator_listen=simulator_listen,
        ncc_key=made.keys["ncc"],
        operator_key=made.keys["operator"],
        authority_keys=api_keys,
    )


def arrange_mail(arrangement: Arrangement, folder: Path, *, lane: LaneSettings | None = None) -> MailPlace:
    """Add the authority that has only mail, and the hub's mailbox, to the registry of an arrangement."""
    keys = [verification_key(load_signing_key(arrangement.home / KEY_FILE))]
    code = Settings(home=arrangement.home).party_code
    place = set_up_mail(folder / "mail", MAIL, hub_code=code, hub_keys=keys, lane=lane)
    shutil.copy(place.overlay, arrangement.home / "registry" / "mail.yaml")
    return place
