import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty.core.errors import CannotListen
from chitty.wire import address


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1.2.3", "127.255.255.254", "127.1", "2130706433", "::1", "::ffff:127.0.0.1", "localhost"],
)
def test_every_spelling_of_the_loopback_is_the_loopback(host):
    assert address.is_loopback(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "0", "::", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "10.0.0.1", "128.0.0.1", "fe80::1", "8.8.8.8"]
)
def test_whatever_else_can_reach_is_not_the_loopback(host):
    assert not address.is_loopback(host)


def test_a_name_is_what_it_resolves_to_all_of_it(monkeypatch):
    def resolving(*found):
        monkeypatch.setattr(address.socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (one, 0)) for one in found])
        return address.is_loopback("chat.example")

    assert resolving("127.0.0.1", "::1")
    assert not resolving("10.1.2.3")
    assert not resolving("127.0.0.1", "10.1.2.3"), "one address elsewhere is enough"


@pytest.mark.parametrize("host", ["no.such.name.invalid", "a b", "*", "1.2.3.4:5", "é" * 70])
def test_what_is_no_address_is_told(host):
    with pytest.raises(CannotListen, match=r"cannot listen on .*: it is no address .*127\.0\.0\.1"):
        address.is_loopback(host)


@pytest.mark.parametrize(
    "target", ["127.0.0.1:5051", "127.9.9.9:1", "[::1]:5051", "localhost:5051", "LOCALHOST.:1", "unix:/tmp/x", "[::1]"]
)
def test_calls_that_stay_on_this_machine(target):
    assert address.stays_here(target)


@pytest.mark.parametrize(
    "target",
    ["10.0.0.1:5051", "chat.example:5051", "localhost.example:1", "dns:///127.0.0.1:1", "127.0.0.1.example:1", ""],
)
def test_calls_that_may_not(target):
    assert not address.stays_here(target)


@given(st.text())
def test_any_target_has_an_answer(target):
    address.stays_here(target)
    address.reachable(target)


def test_one_who_listens_everywhere_is_reached_by_the_loopback():
    assert address.reachable("0.0.0.0:5051") == "127.0.0.1:5051"
    assert address.reachable("[::]:5051") == "[::1]:5051"
    assert address.reachable("10.0.0.1:5051") == "10.0.0.1:5051"
