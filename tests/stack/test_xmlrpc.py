import xmlrpc.client
from string import printable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty.stack import xmlrpc as ours

# XML has no way to write most control characters, and makes CR LF one: only JSON and slugs travel as text.
text = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(printable[:95] + "\n\t"))
plain = text | st.integers(-(2**31), 2**31 - 1) | st.booleans()
values = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=8)


@given(st.lists(values))
def test_a_call_is_read_by_the_standard_library_as_it_was_meant(arguments):
    assert xmlrpc.client.loads(ours.call("supervisor.x", arguments)) == (tuple(arguments), "supervisor.x")


@given(values)
def test_an_answer_of_the_standard_library_is_read_as_it_was_meant(value):
    written = xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True)
    assert ours.answer(written.encode()) == value


def test_bytes_travel_as_such():
    ((sent,), _) = xmlrpc.client.loads(ours.call("x", [b"\x00\xff\r\n" * 100]))
    assert sent.data == b"\x00\xff\r\n" * 100


def test_a_value_without_a_type_is_text():
    assert ours.answer(b"<methodResponse><params><param><value>a b</value></param></params></methodResponse>") == "a b"


def test_a_fault_has_its_code_and_text():
    written = xmlrpc.client.dumps(xmlrpc.client.Fault(70, "NOT_RUNNING: <bob>"), methodresponse=True)
    with pytest.raises(ours.Failed, match="NOT_RUNNING: <bob>") as caught:
        ours.answer(written.encode())
    assert caught.value.code == 70


@pytest.mark.parametrize("body", [b"", b"<methodResponse>", b"<html/>", b"\xff"])
def test_what_is_no_answer_is_told(body):
    with pytest.raises(ValueError, match="supervisord's answer"):
        ours.answer(body)
