"""Source addresses: where a login may come from, by a list of addresses and networks.

Two forms: a tenant's setting (plain networks), and sshd's from= (ssh_config(5), PATTERNS: `*` and `?`, `!` for not).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What a pattern of an address may be made of. Anything else is a host's name, which nobody looks up here.
_OF_ADDRESSES = re.compile(r"[0-9a-f:.]+(/[0-9]+)?")
_WILDCARDS = re.compile(r"(?=.*[*?])[0-9a-f:.*?]+")
MAX_PATTERNS = 100


def parse_address(text: object) -> Address | None:
    """Read an address as a server tells it, an IPv4 one in IPv6 form as IPv4; None for anything else."""
    try:
        address = ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> Network:
    """Read `192.0.2.0/24`, `2001:db8::/32` or an address, an IPv4 one in IPv6 form as IPv4 (RFC 4291, 2.5.5.2).

    Raises ValueError, also for bits behind the mask.
    """
    if not text.isascii() or "%" in text:
        raise ValueError(text)
    network = ip_network(text)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped and network.prefixlen >= 96 else network


def within(address: Address, networks: Iterable[str]) -> bool:
    """Tell whether an address is in one of the networks."""
    return any(address in parse_network(network) for network in networks)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One pattern: a network, or where that is None a text with wildcards."""

    text: str
    network: Network | None
    negated: bool

    def matches(self, address: Address) -> bool:
        if self.network is not None:
            return address in self.network
        return fnmatchcase(str(address), self.text)


@dataclass(frozen=True, slots=True)
class Sources:
    """The patterns of a from=."""

    patterns: tuple[_Pattern, ...]

    @classmethod
    def parse(cls, value: str) -> Sources:
        """Read a from='s value; raises ValueError whose message ends a sentence."""
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
            raise ValueError("it names something else than addresses, and no host's name is looked up here")
        try:
            return _Pattern(text, parse_network(text), negated)
        except ValueError as exc:
            raise ValueError("an address or network in it is none (are bits behind the mask set?)") from exc

    def admit(self, address: Address) -> bool:
        """Tell as sshd does: one pattern must match, and no negated one may."""
        matching = [pattern.negated for pattern in self.patterns if pattern.matches(address)]
        return bool(matching) and not any(matching)
