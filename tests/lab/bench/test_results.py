"""What becomes of a run: its JSON, its ratios, its goals, its tables, plots and page."""

import itertools
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from chitty.core.errors import SettingsError
from chitty.lab.bench import limits, page, plot, plots, reach, results, tables, words
from chitty.lab.bench.plot import Line, Plot
from chitty.lab.bench.results import Figure, Machine, Point, Run, Sample, ratio
from chitty.lab.bench.usage import Usage, judge

DOCUMENT = Path(__file__).parents[3] / "docs/performance.md"
SVG = "{http://www.w3.org/2000/svg}"


def run(*points: Point) -> Run:
    machine = Machine("a processor", 2, "24 GiB", "Linux 6", {"python": "3"})
    return Run(machine, "2026-11-24T12:00:00Z", {"runs": 3, "seconds": 2.0, "quick": 0}, points=list(points))


def fanout(system: str, n: int, p: int, w: int, delivered: list[float], limit: str = "server", **more: float) -> Point:
    decoding = "bytes" if system == "nats" else "protobuf"
    where = {"participants": n, "publishers": p, "outstanding": w, "decoding": more.pop("decoding", decoding)}
    plain = {
        "published": 10.0,
        "pieces": 5.0,
        "bytes": 1e6,
        "p50": 1.0,
        "p99": 2.0,
        "server": 1.0,
        "publishing": 0.1,
        "subscribing": 0.5,
        "cpu_per_delivery": 3.0,
        **more,
    }
    return Point("fanout", system, where, [Sample({**plain, "delivered": value}, limit) for value in delivered])


def test_a_run_goes_through_json():
    before = run(fanout("chitty", 100, 10, 8, [1.5, 2.0]), Point("costs", "loopback", {}, [Sample({"bytes": 3e9})]))
    before.took["fanout"] = 12.5
    before.skipped["nats"] = "not installed"
    encoded = results.encode(before)
    assert results.decode(encoded, "x") == before
    assert results.encode(results.decode(encoded, "x")) == encoded
    assert encoded.count(b"\n") > len(before.points), "a line for each point, for a diff to compare"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"machine": 3}'])
def test_what_is_no_run_is_refused(data):
    with pytest.raises(SettingsError, match="x is not a run of the bench"):
        results.decode(data, "x")


def test_a_run_of_another_format_is_refused():
    other = run()
    other.format = 99
    with pytest.raises(SettingsError, match="format 99"):
        results.decode(results.encode(other), "x")


def test_a_figure_is_a_median_with_its_range():
    point = fanout("chitty", 3, 3, 8, [5.0, 1.0, 3.0])
    assert point.figure("delivered") == Figure(3.0, 1.0, 5.0)


def test_a_ratio_compares_runs_that_were_beside_each_other():
    slow_then_quick = fanout("chitty", 3, 3, 8, [100.0, 1000.0, 400.0])
    other = fanout("naive", 3, 3, 8, [10.0, 100.0, 40.0])
    assert ratio(slow_then_quick, other, "delivered") == Figure(10.0, 10.0, 10.0)
    assert ratio(slow_then_quick, None, "delivered") is None


@pytest.mark.parametrize(("value", "verdict"), [(19.0, "missed"), (20.0, "floor"), (49.9, "floor"), (50.0, "aim")])
def test_a_goal_is_judged_by_the_median(value, verdict):
    found = run(fanout("chitty", 100, 10, 256, [value, 0.1, 1e9]), fanout("naive", 100, 10, 256, [1.0] * 3))
    (first, *others) = reach.judge(found)
    assert first.verdict == verdict
    assert first.figure is not None
    assert first.figure.median == pytest.approx(value)
    assert {other.verdict for other in others} == {""}, "what was not measured is not judged"


@pytest.mark.parametrize(("kb", "verdict"), [(61, "missed"), (60, "floor"), (45, "aim")])
def test_smaller_is_better_for_memory(kb, verdict):
    sample = Sample({"server_memory": kb * 1000.0})
    found = run(Point("join", "wire", {"participants": 1000}, [sample]))
    assert [one.verdict for one in reach.judge(found) if one.figure] == [verdict]


@pytest.mark.parametrize(("limit", "verdict"), [("generator", "void"), ("server", "aim"), ("both", "aim")])
def test_a_comparison_is_void_where_the_generator_was_the_limit(limit, verdict):
    found = run(
        fanout("chitty", 100, 1, 64, [3.0], decoding="bytes"),
        fanout("nats", 100, 1, 64, [2.0], limit),
    )
    assert [one.verdict for one in reach.judge(found) if one.figure] == [verdict]


@pytest.mark.parametrize(
    ("server", "generator", "threaded", "limit"),
    [
        (Usage(0.95, 0.93), Usage(0.6, 0.5), False, "server"),
        (Usage(0.5, 0.4), Usage(0.95, 0.93), False, "generator"),
        (Usage(0.95, 0.93), Usage(0.95, 0.93), False, "both"),
        (Usage(0.3, 0.2), Usage(0.3, 0.2), False, "neither"),
        (Usage(0.3, 0.2), Usage(0.95, 0.93), True, "generator"),
    ],
)
def test_the_limit_is_the_side_that_was_busy_all_the_time(server, generator, threaded, limit):
    assert judge(server, [generator], threaded=threaded) == limit


def test_growth_is_a_part_that_is_fixed_and_one_for_each_participant():
    points = [
        fanout("chitty", n, min(n, 10), 8, [10.0], cpu_per_delivery=(40 + 0.3 * n) / n) for n in (3, 30, 100, 1000)
    ]
    (growth,) = limits.growth(run(*points))
    assert (growth.system, growth.fixed, growth.each) == ("chitty", pytest.approx(40), pytest.approx(0.3))


@pytest.mark.parametrize(
    ("value", "written"),
    [(1234567.0, "1,230,000"), (999.4, "999"), (45.67, "45.7"), (1.234, "1.23"), (0.0456, "0.0456")],
)
def test_numbers_have_three_digits_that_count(value, written):
    assert words.rough(value) == written


def test_a_plot_shows_every_point_within_its_paper_and_every_name():
    lines = [
        Line(f"<{at}> & co", [(x, Figure(at * x, at * x / 2, at * x * 2)) for x in (1, 10, 1000)]) for at in range(1, 7)
    ]
    root = ET.fromstring(plot.render(Plot("a & b", "about", "x", "y", lines)))
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert {line.name for line in lines} <= set(texts)
    marks = [one for one in root.iter() if one.get("class", "").startswith(("f", "hollow"))]
    assert len(marks) == 6 * 3 + 6, "each point, and one beside each name"
    for circle in root.iter(f"{SVG}circle"):
        assert 0 < float(circle.get("cx", "")) < plot.WIDTH
        assert 0 < float(circle.get("cy", "")) < plot.HEIGHT
    ends = sorted(
        float(one.get("y", "")) for one in root.iter(f"{SVG}text") if one.text in {line.name for line in lines}
    )
    assert min(later - earlier for earlier, later in itertools.pairwise(ends)) >= 14.9, "no name over another"


def test_a_plot_of_nothing_says_so():
    assert "nothing was measured" in plot.render(Plot("a", "b", "x", "y", [Line("empty", [])]))


def test_every_plot_of_a_run_is_xml_without_scripts_or_anything_from_elsewhere():
    late = [
        Point("latency", system, {"participants": n, "rate": rate}, [Sample({"p99": 1.0 * rate + n})])
        for system in ("chitty", "naive", "nats")
        for n in (3, 100, 1000)
        if (system, n) != ("naive", 1000)
        for rate in (1, 10, 100)
    ]
    found = run(*(fanout("chitty", n, min(n, 10), 8, [10.0 * n, 12.0 * n]) for n in (3, 30)), *late)
    drawn = plots.every(found)
    assert set(drawn) == {f"{name}.svg" for name in plots.PLOTS}
    for svg in drawn.values():
        ET.fromstring(svg)
        assert "script" not in svg
        assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]


def test_the_page_has_a_line_for_every_point_and_says_what_was_skipped():
    points = [fanout("chitty", n, min(n, 10), 8, [10.0 * n, 12.0 * n]) for n in (3, 30, 100)]
    found = run(*points, fanout("naive", 100, 10, 8, [7.0]))
    found.skipped["nats"] = "nats-server is not installed"
    written = page.render(found, "performance")
    assert written.count("| chitty |") == 3
    assert written.count("| naive |") == 1
    assert "nats was skipped" in written
    assert page.COMMAND in written
    for name in plots.PLOTS:
        assert f"(performance/{name}.svg)" in written


def test_tables_have_as_many_cells_as_columns():
    found = run(fanout("chitty", 3, 3, 8, [10.0]))
    for table in tables.every(found):
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_the_bench_itself_speaks_no_grpc(tmp_path):
    import subprocess  # noqa: PLC0415 - of this test alone

    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, chitty.lab.bench.measuring, chitty.lab.bench.show; print('grpc' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=DOCUMENT.parents[1],
    )
    assert said.stdout.strip() == "False"


@pytest.mark.skipif(not DOCUMENT.exists(), reason="no page has been made yet")
def test_the_page_is_what_its_run_renders_to():
    folder = DOCUMENT.with_suffix("")
    found = results.decode((folder / "run.json").read_bytes(), "run.json")
    assert not found.options["quick"]
    assert DOCUMENT.read_text() == page.render(found, folder.name), (
        "remake it: chitty bench --from its run.json --doc it"
    )
    for name, drawn in plots.every(found).items():
        assert (folder / name).read_text() == drawn
