"""Special-purpose address ranges, as data of the hub's own: what the standard library calls global changes with its
version, and is years behind.

Source: the IANA special-purpose address registries (RFC 6890), https://www.iana.org/assignments/iana-ipv4-special-registry/
and https://www.iana.org/assignments/iana-ipv6-special-registry/ (the latter as of 2024-10-22, with RFC 9780 of May
2025), the multicast registries, and ranges that RFCs took back. Written from the RFCs that are named, entry by entry;
not yet held against the registries' own tables.
Ranges that the registries call globally reachable stand here too: they are anycast services of the nearest network
(AS112, PCP, TURN, AMT), and no authority's system is there. Renewed by hand: compare with the registries, change
``AS_OF``.
"""

from __future__ import annotations

import ipaddress
from datetime import date
from typing import Final

AS_OF: Final = date(2025, 5, 31)
"""Day up to which RFCs were looked at."""

IPV4: Final = {
    "0.0.0.0/8": "this network (RFC 791)",
    "10.0.0.0/8": "private use (RFC 1918)",
    "100.64.0.0/10": "shared address space (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122)",
    "169.254.0.0/16": "link-local (RFC 3927)",
    "172.16.0.0/12": "private use (RFC 1918)",
    "192.0.0.0/24": "IETF protocol assignments (RFC 6890), with PCP and TURN anycast; a cloud's metadata at .192",
    "192.0.2.0/24": "documentation, TEST-NET-1 (RFC 5737)",
    "192.31.196.0/24": "AS112-v4 (RFC 7535)",
    "192.52.193.0/24": "AMT (RFC 7450)",
    "192.88.99.0/24": "6to4 relay anycast, taken back (RFC 7526)",
    "192.168.0.0/16": "private use (RFC 1918)",
    "192.175.48.0/24": "direct delegation AS112 service (RFC 7534)",
    "198.18.0.0/15": "benchmarking (RFC 2544)",
    "198.51.100.0/24": "documentation, TEST-NET-2 (RFC 5737)",
    "203.0.113.0/24": "documentation, TEST-NET-3 (RFC 5737)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved (RFC 1112), with the limited broadcast (RFC 919)",
}
"""IPv4 ranges, with what they are for."""

IPV6: Final = {
    "::/96": "unspecified, loopback (RFC 4291), and IPv4-compatible, taken back",
    "::ffff:0:0/96": "IPv4-mapped (RFC 4291)",
    "::ffff:0:0:0/96": "IPv4-translated (RFC 2765, taken back)",
    "64:ff9b::/96": "IPv4-IPv6 translation (RFC 6052)",
    "64:ff9b:1::/48": "IPv4-IPv6 translation of local use (RFC 8215)",
    "100::/64": "discard only (RFC 6666)",
    "100:0:0:1::/64": "dummy prefix (RFC 9780)",
    "2001::/23": "IETF protocol assignments (RFC 2928): Teredo, PCP, TURN, benchmarking, AMT, AS112, ORCHID, DRIP",
    "2001:db8::/32": "documentation (RFC 3849)",
    "2002::/16": "6to4 (RFC 3056)",
    "2620:4f:8000::/48": "direct delegation AS112 service (RFC 7534)",
    "3fff::/20": "documentation (RFC 9637)",
    "5f00::/16": "segment routing, SRv6 SIDs (RFC 9602)",
    "fc00::/7": "unique local (RFC 4193)",
    "fe80::/10": "link-local (RFC 4291)",
    "fec0::/10": "site-local, taken back (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291)",
}
"""IPv6 ranges, with what they are for."""

GLOBAL_UNICAST_6: Final = ipaddress.IPv6Network("2000::/3")
"""The one part of IPv6 that is given out (RFC 4291 section 2.4, IANA IPv6 address space): what is outside is nobody's,
whatever it is called later.
"""

_IPV4: Final = tuple(ipaddress.IPv4Network(text) for text in IPV4)
_IPV6: Final = tuple(ipaddress.IPv6Network(text) for text in IPV6)


def is_special(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """True for an address that is not an ordinary one of the public internet."""
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in network for network in _IPV4)
    return address not in GLOBAL_UNICAST_6 or any(address in network for network in _IPV6)
