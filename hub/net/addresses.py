"""Where an outgoing call may go: a strict grammar for URLs, and which IP addresses may be connected to.

Both are checked without a network. A name is resolved once, by the connection itself, and the connection goes to
exactly the addresses that were checked here (DNS rebinding has nothing to bind).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from hub.errors import ConfigurationError
from hub.net.special_purpose import is_special

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_CHARS = 2_000
_DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 3986 characters, ASCII only: what is not here would be read differently by two parsers sooner or later.
_URL = re.compile(r"[A-Za-z0-9:/?\[\]@!$&'()*+,;=._~%-]+", re.ASCII)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
# A last label that looks like a number makes inet_aton(3) read the name as an address: 2130706433, 0x7f.1, 0177.0.0.1.
_NUMERIC = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)", re.ASCII)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checked URL: where to connect. ``address`` is set if the host is written as an address."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    address: IPAddress | None

    @property
    def where(self) -> str:
        """Host and port, for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_NOT_FILLED = (
    "has {…} that nothing is filled in for: status_url knows {message_id} and {external_id}, a template's path "
    "{message_id}, all others nothing"
)


def _refuse(rule: str) -> ConfigurationError:
    return ConfigurationError(f"The URL {rule}.", code="http.url", action="Mend the URL in the channel's settings.")


@lru_cache(maxsize=1024)
def parse_url(url: str) -> Target:
    """Read a URL strictly. ``ConfigurationError`` (code ``http.url``) names the rule that it breaks, not the URL."""
    if len(url) > MAX_URL_CHARS:
        raise _refuse(f"is longer than {MAX_URL_CHARS} characters")
    if not _URL.fullmatch(url):
        if "{" in url or "}" in url:
            raise _refuse(_NOT_FILLED)
        raise _refuse("holds characters that RFC 3986 does not allow (write names with other letters as xn--…)")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refuse("has a port or host that cannot be read") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refuse("must begin with https:// (or http:// where the channel allows it)")
    if "@" in parts.netloc:
        raise _refuse("must not carry a user name or password")
    host = parts.hostname or ""
    if not host:
        raise _refuse("names no host")
    if port == 0:
        raise _refuse("has port 0")
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return Target(scheme=scheme, host=host, port=port or _DEFAULT_PORTS[scheme], address=_address(host, parts.netloc))


def _address(host: str, netloc: str) -> IPAddress | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is not None:
        # ip_address takes only the canonical dotted quad; an IPv6 address must stand in brackets and name no zone.
        if address.version == 6 and (not netloc.startswith("[") or "%" in host):
            raise _refuse("has an IPv6 address that is not written as [address]")
        return address
    labels = host.rstrip(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _refuse("has a host that is not a DNS name")
    if _NUMERIC.fullmatch(labels[-1]):
        raise _refuse("has a host that looks like a number; write addresses as four decimal numbers")
    return None


def meant(address: IPAddress) -> IPAddress:
    """The address that is reached in the end: IPv4 inside IPv6 (mapped, NAT64) is unwrapped."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def permitted(address: IPAddress, allow_private: Iterable[IPNetwork] = ()) -> bool:
    """True if a channel may connect to an address: one of the public internet, or in a network that the channel names.

    An IPv4 address inside an IPv6 one is what counts (``meant``). 6to4 and Teredo lead to an IPv4 address by way of
    somebody else's relay, and are refused whatever is inside.
    """
    if getattr(address, "scope_id", None):
        return False
    inner = meant(address)
    if any(inner.version == network.version and inner in network for network in allow_private):
        return True
    return not is_special(inner)
