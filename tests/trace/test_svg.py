"""A diagram as SVG: well-formed whatever it is made of, and readable without colours."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chitty.core.errors import StackError
from chitty.trace import html, png, svg
from chitty.trace.axis import Axis
from chitty.trace.diagram import draw
from tests.trace.drawing import VIOLATION, by_chance, drawn, saying
from tests.trace.simulating import calm

NS = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(1)</script>&amp;]]>\"' <b onload=x>"


def parsed(rendered: str) -> ET.Element:
    return ET.fromstring(rendered)


def titles(root: ET.Element) -> list[str]:
    return [title.text or "" for title in root.iter(f"{NS}title")]


@pytest.mark.parametrize("axis", Axis)
def test_every_event_has_its_dot_its_timestamp_and_its_whole_text(tmp_path, axis):
    diagram = drawn(by_chance(tmp_path, 3), axis)
    groups = [one for one in parsed(svg.render(diagram)).iter(f"{NS}g") if one.get("class", "").startswith("e ")]
    assert len(groups) == len(diagram.dots)
    for dot, group in zip(diagram.dots, groups, strict=True):
        assert group.findtext(f"{NS}title") == dot.title
        label = group.find(f"{NS}text")
        assert label is not None
        assert dot.stamp in "".join(label.itertext())
        assert label.get("transform") is None


def test_labels_have_a_halo_behind_them():
    assert ".e text { fill: #1d2129; paint-order: stroke; stroke: #ffffff" in svg.STYLE


@settings(max_examples=80)
@given(st.text(min_size=1, max_size=128))
def test_messages_are_data_never_markup(tmp_path_factory, text):
    root = parsed(svg.render(drawn(saying(tmp_path_factory.mktemp("run"), "alice", text))))
    assert {element.tag.removeprefix(NS) for element in root.iter()} <= {
        *("svg", "title", "style", "defs", "marker", "path", "g", "use", "text", "tspan", "rect", "circle")
    }


def test_names_and_messages_that_look_like_markup_are_shown_as_they_are(tmp_path):
    root = parsed(svg.render(drawn(saying(tmp_path, "<b>&", HOSTILE))))
    assert root.find(f".//{NS}script") is None
    assert any(HOSTILE in title for title in titles(root))
    assert any(title == "<b>&" for title in titles(root))


@pytest.mark.parametrize("text", ["\u202eevil", "a\x00b", "\ufffe", "\ud800x", "zeile\u2028zwei"])
def test_what_could_turn_a_line_around_or_end_it_is_escaped(tmp_path, text):
    rendered = svg.render(drawn(saying(tmp_path, "alice", text)))
    parsed(rendered)
    assert "\\u" in rendered
    assert "\u202e" not in rendered


def test_right_to_left_text_is_isolated_from_the_timestamp(tmp_path):
    rendered = svg.render(drawn(saying(tmp_path, "alice", "שבת")))
    assert "\u2068שבת\u2069" in rendered


def test_operations_differ_in_luminance_and_in_shape():
    def lightness(colour: str) -> float:
        channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 116 * sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)) ** (1 / 3) - 16

    dark, middle, light = sorted(lightness(colour) for colour in (svg.PUBLISH, svg.JOIN, svg.LEAVE))
    assert middle - dark >= 12
    assert light - middle >= 12
    shapes = {path.get("id"): path.get("d") for path in ET.fromstring(svg.DEFS).iter("path") if path.get("id")}
    assert len({shapes[f"{op}-filled"] for op in ("join", "publish", "leave")}) == 3


def test_a_violation_is_red_rises_and_is_told_in_whole():
    rendered = draw(VIOLATION).data.decode()
    root = parsed(rendered)
    wrong = [one for one in root.iter(f"{NS}path") if "wrong" in one.get("class", "").split() and one.get("data-s")]
    assert len(wrong) == 1
    start, end = (tuple(map(float, pair.split())) for pair in wrong[0].get("d", "")[1:].split("L"))
    assert end[1] < start[1]
    told = " ".join(one.text or "" for one in root.iter(f"{NS}text") if one.get("class") == "breach")
    assert "C2 violated: expected received after Lamport time 9" in told
    assert "server.log:8, bob.log:5" in told
    assert sum("ring" in one.get("class", "") for one in root.iter(f"{NS}circle")) == 3


def test_the_picture_in_the_documents_is_what_the_tool_makes():
    assert (VIOLATION.parent / "violation.svg").read_bytes() == draw(VIOLATION).data


def test_the_same_logs_give_the_same_bytes(tmp_path):
    by_chance(tmp_path, 9)
    assert draw(tmp_path).data == draw(tmp_path).data


def test_ten_thousand_events_are_drawn_whole(tmp_path):
    calm(10, 10_000).write(tmp_path)
    diagram = drawn(tmp_path)
    assert len(diagram.dots) >= 10_000
    assert svg.render(diagram).count('class="e ') == len(diagram.dots)


def test_a_png_is_the_drawing_at_twice_its_size(tmp_path):
    pytest.importorskip("resvg_py")
    data, warnings = png.render(drawn(VIOLATION))
    assert not warnings
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width = int(parsed(svg.render(drawn(VIOLATION))).get("width", "0"))
    assert int.from_bytes(data[16:20]) == 2 * width


def test_a_png_says_what_no_font_has(tmp_path: Path):
    pytest.importorskip("resvg_py")
    _, warnings = png.render(drawn(saying(tmp_path, "eve", "caf\u00e9 \u0378\u0379\u200d <&")))  # not assigned
    assert warnings == ["no font has U+0378 U+0379: drawn as a box; install a font, or write SVG or HTML"]


def test_the_size_of_a_drawing_is_known_before_it_is_made(tmp_path: Path):
    calm(10, 5_000).write(tmp_path)
    diagram = drawn(tmp_path)
    for renderer in (svg, html):
        size = len(renderer.render(diagram).encode())
        assert 0.85 * size < renderer.expected_size(diagram) < 1.15 * size


def test_a_png_that_no_viewer_shows_is_refused_with_what_helps(tmp_path: Path):
    pytest.importorskip("resvg_py")
    calm(3, 3000).write(tmp_path)
    with pytest.raises(StackError, match=r"--from, --to or --participant"):
        png.render(drawn(tmp_path))


def test_png_without_its_library_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "resvg_py", None)
    with pytest.raises(StackError, match=r"pip install 'resvg-py>="):
        png.render(drawn(VIOLATION))
