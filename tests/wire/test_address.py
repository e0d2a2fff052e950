import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty.core.errors import CannotListen, InvalidArgument
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


@pytest.mark.parametrize(
    "host",
    ["no.such.name.invalid", "a b", "*", "1.2.3.4:5", "é" * 70, "[::1]", "http://h", "unix:/x", "", "10.0.0.256"],
)
def test_a_host_that_is_not_an_address_is_refused(host):
    with pytest.raises(CannotListen, match=r"cannot listen on .*: it is not an address.* 127\.0\.0\.1"):
        address.is_loopback(host)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("127.0.0.1:5051", "dns:///127.0.0.1:5051"),
        ("chat.example:1", "dns:///chat.example:1"),
        ("chat.example.:65535", "dns:///chat.example.:65535"),
        ("my_host-2:80", "dns:///my_host-2:80"),
        ("dns:///chat.example:5051", "dns:///chat.example:5051"),
        ("ipv4:5051", "dns:///ipv4:5051"),  # a host of that name
        ("[::1]:5051", "dns:///%5B::1%5D:5051"),
        ("[fe80::1%eth0]:5051", "dns:///%5Bfe80::1%25eth0%5D:5051"),
        ("127.1:5051", "dns:///127.0.0.1:5051"),  # gRPC does not know this spelling
        ("LOCALHOST.:1", "dns:///localhost:1"),
        ("0.0.0.0:5051", "dns:///127.0.0.1:5051"),
        ("[::]:5051", "dns:///%5B::1%5D:5051"),
        ("unix:/run/chat.sock", "unix:/run/chat.sock"),
        ("unix:///run/my%20chat", "unix:/run/my%20chat"),
        ("unix:chat.sock", "unix:chat.sock"),
        ("unix-abstract:chat", "unix-abstract:chat"),
    ],
)
def test_a_valid_address_becomes_a_target_of_grpc(text, target):
    assert address.parse(text).target == target


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("127.0.0.1", "the port is missing"),
        ("[::1]", "the port is missing"),
        ("chat.example:", "the port is missing"),
        (":1", "the host is missing"),
        ("[]:1", "the host is missing"),
        ("127.0.0.1:99999", "the port is not a number from 1 to 65535"),
        ("127.0.0.1:65536", "the port is not a number from 1 to 65535"),
        ("127.0.0.1:" + "9" * 5000, "the port is not a number from 1 to 65535"),
        ("127.0.0.1:0", "the port is not a number from 1 to 65535"),
        ("h:abc", "the port is not a number from 1 to 65535"),
        ("h:+5", "the port is not a number from 1 to 65535"),
        ("h:-1", "the port is not a number from 1 to 65535"),
        ("h:1/", "the port is not a number from 1 to 65535"),
        ("http://h:1", "it begins with a scheme"),
        ("https://h", "it begins with a scheme"),
        ("dns://8.8.8.8/h:1", "it begins with a scheme"),
        ("[::1", "its brackets do not match"),
        ("::1]:5", "its brackets do not match"),
        ("[::1]5", "its brackets are not around an IPv6 address"),
        ("[::1]:5:6", "its brackets are not around an IPv6 address"),
        ("[h]:1", "what is in brackets is not an IPv6 address"),
        ("[127.0.0.1]:1", "what is in brackets is not an IPv6 address"),
        ("::1:5", "an IPv6 address needs brackets"),
        ("fe80::1", "an IPv6 address needs brackets"),
        ("h:1:2", "it has more than one ':'"),
        ("ipv4:127.0.0.1:1", "it has more than one ':'"),
        (" h:1", r"it contains ' '"),
        ("h:1\n", r"it contains '\\n'"),
        ("h\x00:1", r"it contains '\\x00'"),
        ("h\u2028:1", r"it contains '\\u2028'"),
        ("chät.example:1", r"it contains '\\xe4'"),
        ("10.0.0.256:1", "the host is not an IPv4 address"),
        ("1.2.3.4.5:1", "the host is not an IPv4 address"),
        ("-h:1", "the host is neither an IP address nor a name"),
        ("a..b:1", "the host is neither an IP address nor a name"),
        ("x" * 64 + ":1", "the host is neither an IP address nor a name"),
        ("user@h:1", "the host is neither an IP address nor a name"),
        ("unix:", "the path of the socket is missing"),
        ("unix://run/chat", "the path of the socket is missing"),
        ("unix:/a b", "write any other character as %20 for a space"),
        ("unix:/a?b", "write any other character as %20 for a space"),
        ("unix:/%00", "the path of a socket has no zero byte"),
        ("unix:/" + "x" * 107, "the path of a socket has at most 107 bytes"),
    ],
)
def test_an_address_that_can_never_work_is_refused_with_the_reason_and_a_valid_one(text, why):
    with pytest.raises(InvalidArgument, match=rf"{why}; use HOST:PORT such as .*\[::1\]:5051, or unix:/PATH") as caught:
        address.parse(text)
    said = str(caught.value)
    assert said.startswith(repr(text[:80]))
    assert said.isascii() or not text.isascii()
    assert said.isprintable()
    assert len(said) < 300


@given(st.text() | st.from_regex(r"\[?[\w.:%-]*\]?:[0-9]{0,6}"))
def test_any_text_is_an_address_or_refused(text):
    try:
        found = address.parse(text)
    except InvalidArgument:
        return
    assert address.parse(str(found)) == found
    assert found.target.isascii()


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1:5051", "127.9.9.9:1", "[::1]:5051", "localhost:5051", "LOCALHOST.:1", "unix:/tmp/x", "127.1:5",
     "[::ffff:127.0.0.1]:1", "dns:///127.0.0.1:1", "dns:///localhost:1", "0.0.0.0:1"],
)  # fmt: skip
def test_calls_that_stay_on_this_machine(text):
    assert address.parse(text).stays_here


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1:1", "chat.example:1", "localhost.example:1", "127.0.0.1.example:1", "x.localhost:1", "[fe80::1]:1"],
)
def test_calls_that_may_not(text):
    assert not address.parse(text).stays_here


def test_a_listening_host_is_written_as_others_can_call_it():
    assert address.listening("127.1") == "127.0.0.1"
    assert address.listening("LocalHost.") == "localhost"
    assert address.listening("::0") == "::"
    assert address.join("::", 5051) == "[::]:5051"


def test_the_variables_that_name_a_proxy_are_named_where_they_may_matter():
    environment = {"HTTPS_PROXY": "http://user:password@proxy:1", "http_proxy": "", "grpc_proxy": "x", "no_proxy": "*"}
    assert address.proxies(environment) == ["HTTPS_PROXY", "grpc_proxy"]
    said = address.without_proxy(address.parse("chat.example:1"), environment)
    assert said == "chitty connects directly and does not use the proxy of HTTPS_PROXY, grpc_proxy"
    assert not address.without_proxy(address.parse("localhost:1"), environment)
    assert not address.without_proxy(address.parse("chat.example:1"), {})
