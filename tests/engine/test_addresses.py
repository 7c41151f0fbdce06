"""Which addresses may be called: however they are written, a private network is none of them."""

import socket

import pytest

from plugin_sync.addresses import Addresses, networks
from plugin_sync.errors import AddressRefused, PeerSilent, SettingsError

PUBLIC = "93.184.216.34"


def resolving(*ips):
    def resolve(host, port, **_):
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port)) for ip in ips]

    return resolve


def place(url, *ips, allowed=(), http_loopback=False):
    return Addresses(networks(allowed), http_loopback).place(url, resolving(*(ips or (PUBLIC,))))


def test_a_public_address_leads_to_one_place():
    found = place("https://jacmel.example.org/sync/")
    assert (found.scheme, found.host, found.port, found.ip, found.path) == ("https", "jacmel.example.org", 443, PUBLIC, "/sync")
    assert found.authority == "jacmel.example.org"
    assert place("https://j.example:8443").authority == "j.example:8443"
    assert place("https://j.example/sync/plugin_sync/instances").path == "/sync"
    assert place("https://j.example/plugin_sync").path == ""


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
    ],
)
def test_no_address_inside_a_network_is_called(ip):
    for http_loopback in (False, True):
        with pytest.raises(AddressRefused):
            place("https://innocent.example", ip, http_loopback=http_loopback)
    with pytest.raises(AddressRefused):  # one of several is enough: the next look-up may give it first
        place("https://innocent.example", PUBLIC, ip)


@pytest.mark.parametrize("ip", [PUBLIC, "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822", "::ffff:5db8:d822"])
def test_public_ones_are(ip):
    assert place("https://jacmel.example.org", ip).ip == ip


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]"])
def test_however_this_machine_is_written(host):
    with pytest.raises(AddressRefused):  # by the system's own resolver
        Addresses().place(f"https://{host}/sync")


def test_private_networks_that_the_host_names():
    assert place("https://jacmel", "10.8.3.4", allowed=["10.8.0.0/16"]).ip == "10.8.3.4"
    assert place("https://jacmel", "::ffff:10.8.3.4", allowed=["10.8.0.0/16"]).ip == "::ffff:a08:304"
    assert place("https://jacmel", "fd12::1", allowed=["10.8.0.0/16", "fd12::/16"]).ip == "fd12::1"
    with pytest.raises(AddressRefused):
        place("https://jacmel", "10.9.3.4", allowed=["10.8.0.0/16"])
    with pytest.raises(AddressRefused):  # what is allowed is still not called without TLS
        place("http://jacmel", "10.8.3.4", allowed=["10.8.0.0/16"])


def test_http_is_for_this_machine_and_only_where_that_is_allowed():
    assert place("http://localhost:8001/sync", "127.0.0.1", http_loopback=True).authority == "localhost:8001"
    for ip, allowed in (("127.0.0.1", False), (PUBLIC, True), ("10.0.0.1", True), ("::ffff:10.0.0.1", True)):
        with pytest.raises(AddressRefused):
            place("http://x.example", ip, http_loopback=allowed)


NO_ADDRESSES = ("", "jacmel", "ftp://x", "file:///etc/passwd", "https://", "https://u:p@x", "https://x:99999", "https://[x")


@pytest.mark.parametrize("url", [*NO_ADDRESSES, "https://x/?a=b", "https://x/#a"])
def test_what_is_no_address(url):
    with pytest.raises(AddressRefused):
        place(url)


def test_an_unknown_name_may_be_known_later():
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(PeerSilent) as silent:
        Addresses().place("https://nowhere.example", fail)
    assert silent.value.retryable
    assert Addresses(http_loopback=True).place("http://127.0.0.1:1").ip == "127.0.0.1"


def test_the_name_is_resolved_once():
    asked = []

    def rebinding(host, port, **_):
        asked.append(host)
        return resolving(PUBLIC if len(asked) == 1 else "127.0.0.1")(host, port)

    assert Addresses().place("https://x.example", rebinding).ip == PUBLIC
    assert asked == ["x.example"]


@pytest.mark.parametrize("setting", [["10.8.0.1/16"], ["vpn.example.org"], "10.8.0.0/16", [None], None, 5])
def test_a_setting_that_names_no_network_is_told(setting):
    with pytest.raises(SettingsError, match="allow_addresses cannot be used: ") as caught:
        networks(setting)
    assert "10.8.0.0/16" in caught.value.hint
