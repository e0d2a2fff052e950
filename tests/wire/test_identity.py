import secrets

import pytest

from chitty.core.errors import UnknownSession
from chitty.wire import identity


def test_a_session_is_128_bits_of_the_systems_chance(monkeypatch):
    asked = []
    real = secrets.token_hex
    monkeypatch.setattr(identity.secrets, "token_hex", lambda size: asked.append(size) or real(size))
    made = {identity.new_session() for _ in range(100)}
    assert asked == [16] * 100, "16 bytes of `secrets`"
    assert len(made) == 100
    assert all(len(session) == 32 for session in made)


def test_the_public_identity_is_a_hash_that_does_not_lead_back():
    session = identity.new_session()
    incarnation = identity.incarnation_of(session)
    assert len(incarnation) == 16
    assert incarnation not in session
    assert identity.authenticate(identity.credentials(session)) == incarnation


@pytest.mark.parametrize("session", ["", "short", "a" * 21, "a" * 129, "a" * 31 + " ", "a" * 31 + "/", "a" * 31 + "\n"])
def test_what_is_too_short_or_no_session_is_refused_and_never_repeated(session):
    with pytest.raises(UnknownSession) as refused:
        identity.authenticate(identity.credentials(session))
    assert len(session) < 5 or session not in str(refused.value)
    assert "\n" not in str(refused.value)
