"""Source addresses: the addresses and networks that a login may come from.

There are two forms: the setting of a tenant is a list of networks, and sshd's from= is a list of patterns
(ssh_config(5), PATTERNS: `*` and `?` are wildcards, `!` negates).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# The characters of an address or network. Any other pattern is a host name, which is never looked up.
_OF_ADDRESSES = re.compile(r"[0-9a-f:.]+(/[0-9]+)?")
_WILDCARDS = re.compile(r"(?=.*[*?])[0-9a-f:.*?]+")
MAX_PATTERNS = 100


def parse_address(text: object) -> Address | None:
    """Return an address that a server reports, or None for anything else. An IPv4-mapped IPv6 address becomes IPv4."""
    try:
        address = ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> Network:
    """Return the network of a text such as `192.0.2.0/24`, `2001:db8::/32` or a single address.

    An IPv4-mapped IPv6 network (RFC 4291, 2.5.5.2) becomes IPv4. Raises ValueError for anything else, also if bits
    after the prefix are set.
    """
    if not text.isascii() or "%" in text:
        raise ValueError(text)
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped and network.prefixlen >= 96 else network


def within(address: Address, networks: Iterable[str]) -> bool:
    """Return whether an address is in one of the networks. Raises ValueError as `parse_network`."""
    return any(address in parse_network(network) for network in networks)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern: a network, or a text with wildcards if `network` is None."""

    text: str
    network: Network | None
    negated: bool

    def matches(self, address: Address) -> bool:
        if self.network is not None:
            return address in self.network
        return fnmatchcase(str(address), self.text)


@dataclass(frozen=True, slots=True)
class Sources:
    """The patterns of a from= option."""

    patterns: tuple[_Pattern, ...]

    @classmethod
    def parse(cls, value: str) -> Sources:
        """Return the patterns of a from= value. Raises ValueError with the end of a sentence as its message."""
        items = value.split(",")
        if len(items) > MAX_PATTERNS:
            raise ValueError(f"it has more than {MAX_PATTERNS} patterns")
        return cls(tuple(cls._pattern(item) for item in items))

    @staticmethod
    def _pattern(item: str) -> _Pattern:
        text, negated = item.removeprefix("!").lower(), item.startswith("!")
        if _WILDCARDS.fullmatch(text):
            return _Pattern(text, None, negated)
        if not _OF_ADDRESSES.fullmatch(text):
            raise ValueError("it names something else than addresses, and host names are not looked up")
        try:
            return _Pattern(text, parse_network(text), negated)
        except ValueError as exc:
            raise ValueError("it has an invalid address or network (are bits after the prefix set?)") from exc

    def admit(self, address: Address) -> bool:
        """Return whether sshd would allow an address: a pattern must match, and no negated pattern may match."""
        matching = [pattern.negated for pattern in self.patterns if pattern.matches(address)]
        return bool(matching) and not any(matching)
