"""What a participant may be called, and what it may say."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chitty.core.errors import InvalidArgument
from chitty.core.names import MAX_NAME, MAX_TEXT, check_text, fold, normalise

COMBINING_ACUTE = "\u0301"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one picture on a screen, five code points


# Texts: 1 to 128 code points, counted as they are given.


@pytest.mark.parametrize(
    "character",
    ["a", "é", "語", "\U0001f600", COMBINING_ACUTE, "\u200d", "\x00", "\n", "\u202e", " "],
    ids=lambda character: f"U+{ord(character):04X}",
)
def test_a_message_may_have_128_code_points_and_not_one_more(character: str) -> None:
    assert check_text(character * 128) == character * 128
    with pytest.raises(InvalidArgument, match="129 characters: at most 128") as refused:
        check_text(character * 129)
    assert refused.value.field == "text"


def test_code_points_are_counted_and_not_what_a_screen_makes_of_them() -> None:
    assert check_text(FAMILY * 25 + "abc") == FAMILY * 25 + "abc"
    with pytest.raises(InvalidArgument, match="130 characters"):
        check_text(FAMILY * 26)


def test_a_message_is_not_normalised() -> None:
    decomposed = ("e" + COMBINING_ACUTE) * 64
    assert check_text(decomposed) == decomposed
    with pytest.raises(InvalidArgument, match="130 characters"):
        check_text(("e" + COMBINING_ACUTE) * 65)


def test_an_empty_message_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="empty") as refused:
        check_text("")
    assert refused.value.field == "text"


@pytest.mark.parametrize("text", ["\ud800", "ab\udfffc", "\ud83d\ude00"], ids=ascii)
def test_a_lone_surrogate_is_no_text(text: str) -> None:
    with pytest.raises(InvalidArgument, match="lone surrogate at position") as refused:
        check_text(text)
    assert refused.value.field == "text"


@given(st.text(min_size=1, max_size=MAX_TEXT))
def test_any_other_text_is_returned_as_it_is(text: str) -> None:
    assert check_text(text) is text


# Names: 1 to 32 code points after NFC.


@pytest.mark.parametrize(
    "name", ["a", "7", "alice", "Alice-2_b.c", "ålice", "玉子", "Ωmega", "ªb", "a" * MAX_NAME, "\U0001d49c" * MAX_NAME]
)
def test_letters_and_digits_make_a_name(name: str) -> None:
    assert normalise(name) == name


@pytest.mark.parametrize("letter", ["a", "ß", "é", "\U0001d49c"], ids=lambda letter: f"U+{ord(letter):04X}")
def test_a_name_may_have_32_code_points_and_not_one_more(letter: str) -> None:
    assert normalise(letter * 32) == letter * 32
    with pytest.raises(InvalidArgument, match="33 characters: at most 32") as refused:
        normalise(letter * 33)
    assert refused.value.field == "participant"


def test_code_points_of_a_name_are_counted_after_normalisation() -> None:
    decomposed = "e" + COMBINING_ACUTE
    assert normalise(decomposed * 32) == "é" * 32
    with pytest.raises(InvalidArgument, match="33 characters"):
        normalise(decomposed * 33)


def test_a_name_of_any_length_is_refused_before_its_normal_form_is_sought() -> None:
    """Sorting hundreds of thousands of marks that follow one another would take minutes."""
    marks = (COMBINING_ACUTE + "\u0323") * 200_000
    with pytest.raises(InvalidArgument, match="400001 characters"):
        normalise("a" + marks)


def test_the_longest_decomposed_name_is_accepted() -> None:
    omega = "\u1fa7"  # omega with three marks: no letter of NFC falls into more
    decomposed = unicodedata.normalize("NFD", omega) * 32
    assert len(decomposed) == 128
    assert normalise(decomposed) == omega * 32


@pytest.mark.parametrize("first", "-_.")
def test_a_name_begins_with_a_letter_or_a_digit(first: str) -> None:
    with pytest.raises(InvalidArgument, match="must begin with a letter or a digit"):
        normalise(f"{first}alice")
    assert normalise(f"a{first}lice") == f"a{first}lice"


@pytest.mark.parametrize(
    "character",
    [
        *" \t\n\r\v\f\0\x1b\x7f\x85\u00a0\u2003\u2028\u2029\u3000",  # what breaks a line, a word or a terminal
        *"/\\:;%[]=#\"'`$&|<>(){}*?!,@~^+",  # what means something in a path, an ini file or a shell
        *"\u200b\u200c\u200d\u200e\u200f\u202a\u202d\u202e\u2066\u2069\ufeff\u00ad",  # what is not seen, or turns
        *"\U0001f600½²€",
        "q" + COMBINING_ACUTE,  # no letter of its own: it stays a mark
        "\ud800",
    ],
    ids=ascii,
)
def test_other_characters_are_refused_wherever_they_stand(character: str) -> None:
    for name in (character, f"{character}lice", f"al{character}ice", f"alice{character}"):
        with pytest.raises(InvalidArgument) as refused:
            normalise(name)
        assert refused.value.field == "participant"
        assert str(refused.value).isprintable(), "an error is shown on a terminal"


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="the name is empty"):
        normalise("")


@pytest.mark.parametrize("name", ["server", "hub", "all", "Server", "HUB", "aLL", "\u017ferver"])
def test_names_of_processes_are_reserved_in_any_case(name: str) -> None:
    with pytest.raises(InvalidArgument, match="reserved"):
        normalise(name)


@pytest.mark.parametrize("name", ["servers", "hub2", "al", "alice-hub"])
def test_names_that_only_resemble_them_are_not(name: str) -> None:
    assert normalise(name) == name


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("alice", "ALICE"),
        ("straße", "STRASSE"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("\u212bngström", "ångström"),  # the sign of the unit is the letter, after NFC
        ("cafe" + COMBINING_ACUTE, "CAFÉ"),
        ("\u01f0ack", "j\u030cack"),
    ],
)
def test_names_that_differ_in_case_only_are_the_same(one: str, other: str) -> None:
    assert fold(normalise(one)) == fold(normalise(other))


@pytest.mark.parametrize(("one", "other"), [("alice", "alicé"), ("alice", "alice2"), ("a.b", "a-b"), ("\u0131", "i")])
def test_other_names_are_not(one: str, other: str) -> None:
    assert fold(normalise(one)) != fold(normalise(other))


@given(st.text(max_size=MAX_NAME + 2))
def test_what_is_accepted_is_a_word_and_stays_one(name: str) -> None:
    try:
        accepted = normalise(name)
    except InvalidArgument:
        return
    assert normalise(accepted) == accepted
    assert fold(fold(accepted)) == fold(accepted)
    assert unicodedata.is_normalized("NFC", accepted)
    assert 1 <= len(accepted) <= MAX_NAME
    assert accepted.isprintable()
    assert accepted.split() == [accepted]


@given(st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=MAX_NAME))
def test_any_letters_and_digits_are_accepted_if_they_fit(name: str) -> None:
    composed = unicodedata.normalize("NFC", name)
    # Some letters fall apart under NFC into a letter and a mark, and the mark is none.
    marks = [character for character in composed if unicodedata.category(character).startswith("M")]
    if not marks and fold(composed) not in {"all", "hub", "server"}:
        assert normalise(name) == composed
