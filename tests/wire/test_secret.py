import contextlib
import hmac

import pytest

from chitty.core.errors import SettingsError, WrongSecret
from chitty.wire import secret

SECRET = "correct-horse-battery-staple"


def test_it_is_in_the_environment_or_in_a_file_and_the_file_that_is_named_counts(tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert secret.read("", {}) == ""
    assert secret.read("", {"CHITTY_SECRET": ""}) == ""
    assert secret.read("", {"CHITTY_SECRET": SECRET}) == SECRET
    assert secret.read(file, {}) == SECRET
    assert secret.read(file, {"CHITTY_SECRET": "another"}) == SECRET


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot read the secret .*: No such file or directory; .*openssl rand"),
        (b"", "is empty: .*openssl rand"),
        (b" \n\n", "is empty"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"two words-s3cr3t", "cannot travel"),
        ("gr\u00fc\u00dfe-s3cr3t".encode(), "cannot travel"),
        (b"s3cr3t\x00s3cr3t", "cannot travel"),
        (b"s3cr3t" * 200, "cannot travel"),
    ],
)
def test_a_file_of_no_use_is_told_and_what_is_in_it_is_not(tmp_path, content, says):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=says) as refused:
        secret.read(file)
    assert str(file) in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_environment_of_no_use_is_told_and_what_is_in_it_is_not():
    with pytest.raises(SettingsError, match="the secret in CHITTY_SECRET cannot travel") as refused:
        secret.read("", {"CHITTY_SECRET": "s3cr3t s3cr3t"})
    assert "s3cr3t" not in str(refused.value)


def test_who_carries_it_passes():
    secret.check(SECRET, [("user-agent", "x"), *secret.metadata(SECRET)])
    assert secret.metadata("") == ()


@pytest.mark.parametrize("sent", [None, [], [("authorization", SECRET)], [("x-chitty-secrets", SECRET)]])
def test_who_carries_none_is_told_how_to(sent):
    with pytest.raises(WrongSecret, match=r"carries none: set CHITTY_SECRET .* --secret-file"):
        secret.check(SECRET, sent)


@pytest.mark.parametrize("wrong", ["", SECRET[:-1], SECRET + "x", SECRET.upper(), b"\xff", "é"])
def test_who_carries_another_is_told_so_and_neither_is_repeated(wrong):
    with pytest.raises(WrongSecret, match="not that of the service") as refused:
        secret.check(SECRET, [("x-chitty-secret", wrong)])
    assert SECRET not in str(refused.value)


def test_only_the_first_guess_of_a_call_counts():
    with pytest.raises(WrongSecret):
        secret.check(SECRET, [("x-chitty-secret", "guess"), ("x-chitty-secret", SECRET)])


def test_the_comparison_takes_the_same_time_whatever_is_sent(monkeypatch):
    compared = []

    real = hmac.compare_digest

    def compare(one, other):
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(secret.hmac, "compare_digest", compare)
    for sent in ("x", SECRET, SECRET + "x" * 400):
        compared.clear()
        with contextlib.suppress(WrongSecret):
            secret.check(SECRET, secret.metadata(sent))
        ((one, other),) = compared
        assert len(one) == len(other) == 32, "hashes are compared, so that not even the length shows"
