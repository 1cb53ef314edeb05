"""Which addresses may be called: special-purpose ranges are data of the hub's own, and the checked address is used."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from hub.errors import PermanentFailure
from hub.net.addresses import meant, parse_url, permitted
from hub.net.deadline import Deadline, Dialer, system_resolver
from hub.net.http import HttpPolicy, HttpSession
from hub.net.special_purpose import AS_OF, IPV4, IPV6, is_special
from tests.adapters.servers import answering, http, serving

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2002:7f00:1::1", False),
        ("2001:0:53aa:64c:0:fbff:80ff:fffe", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("ff02::1", False),
        ("::127.0.0.1", False),
    ],
)
def test_only_public_addresses_are_permitted_by_default(text: str, good: bool) -> None:
    """A26: private, loopback, link-local, shared, mapped and tunnelled addresses are told from public ones."""
    assert permitted(ipaddress.ip_address(text)) is good


def test_a_named_network_is_permitted_in_every_spelling() -> None:
    """What the channel names is allowed, also as an IPv4-mapped address, and nothing beside it."""
    networks = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
    for text, good in (("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd00::5", True), ("10.2.0.1", False)):
        assert permitted(ipaddress.ip_address(text), networks) is good
    assert str(meant(ipaddress.ip_address("::ffff:10.1.2.3"))) == "10.1.2.3"


# The registries' entries one by one, and what was taken back.
SPECIAL = [
    *("0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
    *("192.0.0.0/24", "192.0.0.0/29", "192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32"),
    *("192.0.0.171/32", "192.0.0.192/32", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24"),
    *("192.88.99.2/32", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
    *("224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "::1/128", "::/128", "::ffff:0:0/96", "64:ff9b:1::/48"),
    *("100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128"),
    *("2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28"),
    *("2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10"),
    *("fec0::/10", "ff00::/8", "::/96", "::ffff:0:0:0/96"),
]


@pytest.mark.parametrize("text", SPECIAL)
def test_every_entry_of_the_registries_is_refused(text: str) -> None:
    """First, last and an address in between; but for IPv4 inside, of which the inner one counts."""
    network = ipaddress.ip_network(text)
    for number in {0, network.num_addresses - 1, network.num_addresses // 2, network.num_addresses // 3}:
        address = network[number]
        assert permitted(address) is (meant(address) != address and not is_special(meant(address)))


@pytest.mark.parametrize(
    "text",
    [
        *("1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"),
        *(
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "198.17.0.1",
        ),
        *(
            "198.17.0.1",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700::1111",
        ),
        *("2a00:1450::1", "2001:db7::1", "2001:db9::1", "2620:4f:8001::1", "3ffe::1"),
    ],
)
def test_neighbours_of_the_ranges_are_public(text: str) -> None:
    """No range is wider than it is."""
    assert permitted(ipaddress.ip_address(text))


def test_the_lists_are_data_with_a_date() -> None:
    """Ranges in one spelling and in order, none inside another, each with its reason; the day is no day to come."""
    for ranges in (IPV4, IPV6):
        networks = [ipaddress.ip_network(text) for text in ranges]
        assert [str(network) for network in networks] == list(ranges)
        assert [int(network[0]) for network in networks] == sorted(int(network[0]) for network in networks)
        assert all(int(one[-1]) < int(two[0]) for one, two in pairwise(networks))
        assert all("RFC" in reason or "taken back" in reason for reason in ranges.values())
    assert date(2025, 5, 1) <= AS_OF <= datetime.now(UTC).date()


@pytest.mark.parametrize("inner", ["10.0.0.1", "169.254.169.254", "192.0.0.192", "127.0.0.1", "224.0.0.1"])
def test_no_spelling_leads_inside(inner: str) -> None:
    """Mapped, translated, compatible, 6to4, Teredo (as server and as client), with or without a network that the
    channel names elsewhere.
    """
    v4 = int(ipaddress.IPv4Address(inner))
    spelled = {
        "mapped": 0xFFFF << 32 | v4,
        "nat64": int(ipaddress.IPv6Address("64:ff9b::")) | v4,
        "local nat64": int(ipaddress.IPv6Address("64:ff9b:1::")) | v4,
        "compatible": v4,
        "translated": 0xFFFF << 48 | v4,
        "6to4": 0x2002 << 112 | v4 << 80 | 1,
        "teredo server": 0x20010000 << 96 | v4 << 64 | 0xFFFFFFFF,
        "teredo client": 0x20010000 << 96 | 0x5DB8D822 << 64 | (v4 ^ 0xFFFFFFFF),
    }
    for name, number in spelled.items():
        address = ipaddress.IPv6Address(number)
        assert not permitted(address), name
        assert not permitted(address, [ipaddress.ip_network("172.16.0.0/12"), ipaddress.ip_network("fd00::/8")]), name


class Fickle:
    """A resolver that gives another answer each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer."""
        self.asked += 1
        return self.answers.pop(0)


@pytest.mark.parametrize("bad", ["169.254.169.254", "192.0.0.192", "10.0.0.1", "::ffff:10.0.0.1", "3fff::1"])
def test_an_answer_that_changes_is_checked_each_time(bad: str) -> None:
    """Good, then bad: the open connection goes on, a new one is refused before a packet goes out; and bad, then good
    is refused the first time.
    """
    policy = HttpPolicy(allow_http=True, allow_private=LOOPBACK)
    with serving(answering(http("200 OK", b"hi"))) as server:
        url = server.url(host="edms.example.org")
        resolver = Fickle(["127.0.0.1"], [bad], ["127.0.0.1"], [bad, "127.0.0.1"])
        with HttpSession(policy, resolver) as session:
            for _ in range(3):
                assert session.call("GET", url, deadline_secs=5).body == b"hi"
            assert (resolver.asked, server.connections) == (1, 1)
            session.close()
            _refused(session, url)
            assert session.call("GET", url, deadline_secs=5).body == b"hi"
            session.close()
            _refused(session, url)
        assert (resolver.asked, server.connections) == (4, 2)


def _refused(session: HttpSession, url: str) -> None:
    with pytest.raises(PermanentFailure) as caught:
        session.call("GET", url, deadline_secs=5)
    assert caught.value.stable_code == "http.address_refused"


def test_the_connection_goes_to_the_checked_address_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver is asked once, by the look-up; the socket gets the address, never the name, so that
    nothing resolves a second time. So it is for every client: HTTP, mail and SFTP dial by the same code.
    """
    answers: Iterator[str] = iter(["127.0.0.1", "169.254.169.254", "169.254.169.254"])
    asked, dialled = [], []

    def fickle(host: str, port: int, *args: object, **kwargs: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    connect = socket.socket.connect

    def noted(sock: socket.socket, address: tuple[str, int]) -> None:
        dialled.append(address[0])
        connect(sock, address)

    with serving(answering(http("200 OK"))) as server:
        monkeypatch.setattr(socket, "getaddrinfo", fickle)
        monkeypatch.setattr(socket.socket, "connect", noted)
        deadline = Deadline()
        deadline.start(5, 1_000)
        dialer = Dialer(deadline=deadline, allow_private=LOOPBACK, resolver=system_resolver)
        target = parse_url(server.url(host="edms.example.org"))
        dialer.connect(target).close()
        assert (asked, dialled) == (["edms.example.org"], ["127.0.0.1"])
        with pytest.raises(PermanentFailure):
            dialer.connect(target)
        assert (len(asked), dialled) == (2, ["127.0.0.1"])
