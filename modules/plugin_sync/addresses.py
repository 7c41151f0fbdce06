"""Which addresses this instance may call: an administrator types them, so they must not lead into its own network.

A name is resolved once, every address it has is judged, and the first of them is the one that is connected to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import AddressRefused, PeerSilent, SettingsError

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[..., list[Any]]
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # ::127.0.0.1
_PORTS = {"https": 443, "http": 80}
CONTROLLER = "/plugin_sync"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call goes: the scheme, the name and port, the one address to connect to, and the path of the application."""

    scheme: str
    host: str
    port: int
    ip: str
    path: str

    @property
    def authority(self) -> str:
        """What the header Host says."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """What the host allows beside the public network: private networks by name, plain http to this machine for tests."""

    allowed: tuple[Network, ...] = ()
    http_loopback: bool = False

    def place(self, url: str, resolve: Resolve = socket.getaddrinfo) -> Place:
        """Return where an address leads.

        Raises AddressRefused when it must not be called, PeerSilent when its name is not known.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
        except ValueError as exc:
            raise AddressRefused("the web address cannot be read", hint="Write it like https://jacmel.example.org/sync.") from exc
        if parts.scheme not in _PORTS or not host or parts.username is not None or parts.query or parts.fragment:
            raise AddressRefused("the web address cannot be read", hint="Write it like https://jacmel.example.org/sync.")
        ips = _resolved(host, port, resolve)
        for ip in ips:
            self._require(parts.scheme, ip)
        return Place(parts.scheme, host, port, str(ips[0]), _application(parts.path))

    def _require(self, scheme: str, ip: IP) -> None:
        inner = unwrapped(ip)
        if scheme == "http" and not (self.http_loopback and inner.is_loopback):
            hint = "Use the address that begins with https://."
            raise AddressRefused("the web address does not begin with https://, so others could read the data", hint=hint)
        named = any(part in network for part in {ip, inner} for network in self.allowed if part.version == network.version)
        if named or scheme == "http":
            return
        if not _is_public(ip) or not _is_public(inner):
            hint = "Somebody who manages the server can allow it: plugins.sync.allow_addresses."
            raise AddressRefused("the web address leads into a private network", hint=hint)


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that a setting names, for example 10.8.0.0/16; SettingsError where one is none."""
    try:
        return tuple(ipaddress.ip_network(text) for text in texts)
    except (TypeError, ValueError) as exc:
        hint = "Somebody who manages the server can mend it: it is a list of networks such as 10.8.0.0/16."
        raise SettingsError(f"the setting plugins.sync.allow_addresses cannot be used: {texts}", hint=hint) from exc


def unwrapped(ip: IP) -> IP:
    """Return the IPv4 address that an IPv6 address stands for, where it does; else the same."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    inside = ip.ipv4_mapped or ip.sixtofour
    if inside is None and (any(ip in network for network in _NAT64) or (ip in _COMPATIBLE and int(ip) > 1)):
        inside = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return inside or ip


def _is_public(ip: IP) -> bool:
    wrapped = isinstance(ip, ipaddress.IPv6Address) and (unwrapped(ip) is not ip or ip.teredo is not None)
    if wrapped and isinstance(ip, ipaddress.IPv6Address) and ip.teredo is None:
        return True  # what it stands for is judged instead
    return ip.is_global and not ip.is_multicast and not wrapped


def _resolved(host: str, port: int, resolve: Resolve) -> list[IP]:
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        hint = "Look at its web address, and at the network here."
        raise PeerSilent("the name of its server is not known", hint=hint) from exc
    ips = [ipaddress.ip_address(str(entry[4][0]).split("%", 1)[0]) for entry in found]
    if not ips:
        raise PeerSilent("the name of its server is not known", hint="Look at its web address, and at the network here.")
    return ips


def _application(path: str) -> str:
    """The path of an application's pages; an address that was copied from one of ours is cut there."""
    head, mark, _ = f"{path}/".partition(f"{CONTROLLER}/")
    return head.rstrip("/") if mark else path.rstrip("/")
