"""What other programs draw: ShiViz, Mermaid, Perfetto. Each is held to the rules of its reader."""

import itertools
import json
import re
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chitty.trace import mermaid, perfetto, shiviz
from chitty.trace.axis import Axis
from chitty.trace.selection import Wish
from tests.trace.drawing import VIOLATION, by_chance, chosen, saying
from tests.trace.simulating import calm

SEEDS = st.integers(0, 10_000)

# ShiViz's default expression (index.html), with JavaScript's `.`, which stops at more line ends than Python's.
_ANY = "[^\n\r\u2028\u2029]*"
SHIVIZ = re.compile(rf"(?P<event>{_ANY})\n(?P<host>\S*) (?P<clock>\{{{_ANY}\}})")
OBJECT = {"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString"}


def loaded(text: str) -> list[tuple[str, str, dict[str, int]]]:
    """Read a log as ShiViz does (js/model/parser.js, vectorTimestamp.js, modelGraph.js), or fail as it would."""
    found = [(m["event"], m["host"], json.loads(m["clock"])) for m in SHIVIZ.finditer(text.strip())]
    assert found, "does not capture any events"
    by_host: dict[str, dict[int, dict[str, int]]] = defaultdict(dict)
    for _, host, clock in found:
        assert host in clock, "local host is missing from timestamp"
        assert host not in OBJECT, "a key that every object has: the host would not be seen"
        by_host[host][clock[host]] = clock
    for host, events in by_host.items():
        assert sorted(events) == list(range(1, len(events) + 1)), f"clock of {host} must go 1, 2, 3"
    for _, _, clock in found:
        for other, count in clock.items():
            assert other in by_host, f"unrecognized host {other}"
            assert 1 <= count <= len(by_host[other]), "out of bounds"
    verify(by_host)
    return found


def verify(by_host: dict[str, dict[int, dict[str, int]]]) -> None:
    """Check that every clock is what its parents' clocks and its own tick give (stepThroughAndVerify)."""
    for host, events in by_host.items():
        for count, clock in events.items():
            expected = {host: count}
            parents = [by_host[other][at] for other, at in clock.items() if other != host]
            parents += [events[count - 1]] if count > 1 else []
            for parent in parents:
                for other, at in parent.items():
                    expected[other] = max(expected.get(other, 0), at)
            assert expected == clock, "impermissible vector clock"


@settings(max_examples=40)
@given(SEEDS)
def test_shiviz_loads_any_run(tmp_path_factory, seed):
    selection = chosen(by_chance(tmp_path_factory.mktemp("run"), seed))
    assert len(loaded(shiviz.render(selection))) == len(selection.events)


@settings(max_examples=25)
@given(SEEDS, st.integers(0, 20), st.sampled_from([(), ("alice",), ("bob", "carol")]))
def test_shiviz_loads_a_part_without_holes(tmp_path_factory, seed, first, who):
    selection = chosen(by_chance(tmp_path_factory.mktemp("run"), seed), Wish(first, None, who))
    assert len(loaded(shiviz.render(selection))) == len(selection.events)


@settings(max_examples=15)
@given(SEEDS)
def test_shiviz_orders_events_as_causality_does(tmp_path_factory, seed):
    selection = chosen(by_chance(tmp_path_factory.mktemp("run"), seed, 40))
    clocks = [(host, clock) for _, host, clock in loaded(shiviz.render(selection))]
    for one, (host, clock) in zip(selection.events, clocks, strict=True):
        for other, (_, later) in zip(selection.events, clocks, strict=True):
            if one is not other:
                assert selection.causality.before(one, other) == (later.get(host, 0) >= clock[host])


@pytest.mark.parametrize("text", ['x {"x": 1}', "two\nlines", "\u2028", '{"alice":1}', " "])
@pytest.mark.parametrize("name", ["alice", "constructor", "toString", "名前"])
def test_shiviz_is_not_misled_by_names_and_messages(tmp_path, name, text):
    selection = chosen(saying(tmp_path, name, text))
    found = loaded(shiviz.render(selection))
    assert len(found) == len(selection.events) == 10
    assert len({host for _, host, _ in found}) == 2


# One line of Mermaid's grammar for sequence diagrams, as far as it is used.
MERMAID = re.compile(
    r"    (%% [^\n{}]*|participant p\d+ as [^\s;:#]\S*|p\d+(-->>|->>|--x|-x)p\d+: [^;\n]+|Note over p\d+: [^;\n]+)"
)


def bare(line: str) -> str:
    return re.sub(r"#\d+;", "_", line)


@settings(max_examples=40)
@given(SEEDS)
def test_mermaid_has_every_message_once(tmp_path_factory, seed):
    selection = chosen(by_chance(tmp_path_factory.mktemp("run"), seed))
    first, *lines = mermaid.render(selection).rstrip("\n").split("\n")
    assert first == "sequenceDiagram"
    assert all(MERMAID.fullmatch(bare(line)) for line in lines)
    assert sum("->>" in line for line in lines) == sum(1 for _ in selection.causality.messages)


@settings(max_examples=60)
@given(st.text(min_size=1, max_size=128))
def test_mermaid_takes_messages_as_data(tmp_path_factory, text):
    lines = mermaid.render(chosen(saying(tmp_path_factory.mktemp("run"), "end", text))).rstrip("\n").split("\n")
    assert all(MERMAID.fullmatch(bare(line)) for line in lines[1:])
    assert not any(re.search(r"\bend\b", line, re.IGNORECASE) for line in lines)


def test_mermaid_shows_what_was_lost(tmp_path):
    told = mermaid.render(chosen(saying(tmp_path, "alice", "hello")))
    assert "p1-xp0: 7 receipt of publish, lost" in told or "p0-xp1: 7 receipt of publish, lost" in told


def test_mermaid_marks_what_breaks_the_clock_condition():
    assert "9 → 7 VIOLATION" in mermaid.render(chosen(VIOLATION))


def test_mermaid_warns_at_its_limits(tmp_path):
    assert not list(mermaid.warnings(chosen(VIOLATION), mermaid.render(chosen(VIOLATION))))
    calm(5, 3000).write(tmp_path)
    selection = chosen(tmp_path)
    (warning,) = mermaid.warnings(selection, mermaid.render(selection))
    assert "Mermaid draws at most 50,000" in warning
    assert "--from, --to or --participant" in warning


@settings(max_examples=25)
@given(SEEDS, st.sampled_from(list(Axis)))
def test_perfetto_binds_every_message_to_its_two_slices(tmp_path_factory, seed, axis):
    selection = chosen(by_chance(tmp_path_factory.mktemp("run"), seed))
    trace = json.loads(perfetto.render(selection, axis))["traceEvents"]
    slices: dict[int, list[tuple[int, int]]] = defaultdict(list)
    flows: dict[int, dict[str, dict]] = defaultdict(dict)
    for part in trace:
        assert part["ph"] in {"M", "X", "s", "f"}
        if part["ph"] == "X":
            assert part["dur"] > 0
            slices[part["pid"]].append((part["ts"], part["ts"] + part["dur"]))
        elif part["ph"] != "M":
            assert part["ph"] not in flows[part["id"]]
            flows[part["id"]][part["ph"]] = part
    assert sum(map(len, slices.values())) == len(selection.events)
    for track in slices.values():
        track.sort()
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(track))
    assert len(flows) == sum(1 for _ in selection.causality.messages)
    for ends in flows.values():
        assert set(ends) == {"s", "f"}
        assert ends["f"]["bp"] == "e"
        for part in ends.values():
            assert any(start <= part["ts"] < end for start, end in slices[part["pid"]])
    named = {part["pid"] for part in trace if part["ph"] == "M" and part["name"] == "process_name"}
    assert named == set(slices)
