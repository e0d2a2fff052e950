"""A diagram as a page, in a real browser: what lights up, what is found, what stays in sight, and that it is alone."""

import json
from pathlib import Path

import pytest

from chitty.trace.diagram import Format, draw
from tests.browser import CHROMIUM, Browser
from tests.trace.drawing import VIOLATION, by_chance, chosen, saying

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: `apt-get install chromium`")

DOWN, RIGHT, LEFT, ESCAPE, TAB, ENTER = 40, 39, 37, 27, 9, 13


@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


@pytest.fixture
def page(browser, tmp_path):
    def opened(folder: Path, fragment: str = "") -> Browser:
        file = tmp_path / "diagram.html"
        file.write_bytes(draw(folder, Format.HTML).data)
        browser.errors.clear()
        browser.requested.clear()
        browser.open(file, fragment)
        return browser

    yield opened
    assert browser.errors == []


def kinds(browser: Browser) -> list[str]:
    return browser.run(
        "dots.map((dot) => ['self', 'past', 'future', 'dim'].filter((k) => dot.classList.contains(k)).join())"
    )


def test_it_opens_without_a_network(page):
    browser = page(VIOLATION)
    assert {url.partition(":")[0] for url in browser.requested} == {"file"}
    assert len(browser.requested) == 1
    assert browser.run("document.querySelectorAll('#body .e').length") == 27


@pytest.mark.parametrize("seed", [3, 11, 40])
def test_the_page_knows_happens_before_as_the_logs_have_it(page, tmp_path, seed):
    folder = by_chance(tmp_path / "run", seed, 80)
    selection = chosen(folder)
    assert len(selection.history.hubs) > 1
    browser = page(folder)
    found = browser.run("events.map((_, a) => events.map((_, b) => before(a, b) ? 1 : 0))")
    expected = [[int(selection.causality.before(one, other)) for other in selection.events] for one in selection.events]
    assert found == expected


def test_pointing_at_an_event_lights_its_past_and_future_and_dims_the_rest(page):
    browser = page(VIOLATION)
    selection = chosen(VIOLATION)
    at = next(i for i, event in enumerate(selection.events) if event.kind == "ack" and event.process == "alice")
    browser.point(f"#e{at} use")
    for event, kind in zip(selection.events, kinds(browser), strict=True):
        expected = (
            *("past" for _ in [0] if selection.causality.before(event, selection.events[at])),
            *("future" for _ in [0] if selection.causality.before(selection.events[at], event)),
            *("self" for _ in [0] if event is selection.events[at]),
            "dim",
        )
        assert kind == expected[0]
    assert float(browser.run("getComputedStyle(document.querySelector('.e.dim text')).fillOpacity")) < 0.3
    assert browser.run("document.getElementById('told').textContent").startswith("alice: gets the receipt")
    browser.point("h1")
    assert set(kinds(browser)) == {""}


def test_keys_go_about_in_the_drawing(page):
    browser = page(VIOLATION)
    selection = chosen(VIOLATION)
    sends = [i for i, event in enumerate(selection.events) if event.kind == "send" and event.says.op == "publish"]
    browser.run(f"focus({sends[0]})")
    assert kinds(browser)[sends[0]] == "self"
    browser.press("ArrowRight", code=RIGHT)
    assert "hub: receives publish of alice" in browser.run("document.activeElement.querySelector('title').textContent")
    browser.press("ArrowDown", code=DOWN)
    assert "hub: broadcasts publish" in browser.run("document.activeElement.querySelector('title').textContent")
    browser.press("ArrowRight", code=RIGHT)
    browser.press("ArrowLeft", code=LEFT)
    assert "hub: broadcasts publish" in browser.run("document.activeElement.querySelector('title').textContent")
    assert browser.run("location.hash").startswith("#e=")
    browser.press("Escape", code=ESCAPE)
    assert set(kinds(browser)) == {""}


def test_tab_enters_the_drawing_once(page):
    browser = page(VIOLATION)
    assert browser.run("document.querySelectorAll('#body .e[tabindex=\"0\"]').length") == 1
    browser.run("document.querySelector('summary').focus()")
    for _ in range(6):
        browser.press("Tab", code=TAB)
        if browser.run("document.activeElement.classList.contains('e')"):
            break
    assert browser.run("document.activeElement.id") == "e0"


def test_an_address_leads_to_its_event(page):
    browser = page(VIOLATION, "#e=9")
    assert browser.run("document.activeElement.id") == "e9"


def test_search_finds_texts_and_goes_from_one_to_the_next(page):
    browser = page(VIOLATION)
    browser.run("search.focus()")
    for letter in "WHO IS":
        browser.press(letter, text=letter)
    assert browser.run("document.getElementById('count').textContent") == "4 found"
    assert browser.run("document.querySelectorAll('.e.hit').length") == 4
    browser.press("Enter", code=ENTER, text="\r")
    assert browser.run("document.getElementById('count').textContent") == "1 of 4"
    assert browser.run("document.querySelector('.e.self').classList.contains('hit')") is True


def test_filtering_by_participant_closes_the_gap(page):
    browser = page(VIOLATION)
    before = browser.run("body.getBoundingClientRect().width")
    first = browser.run("document.querySelector('#heads .lane').getCTM().e")
    browser.run("document.querySelector('#lanes input').click()")
    assert browser.run("[...document.querySelectorAll('#heads .lane:not(.hidden)')].map((l) => l.textContent)") == [
        "hubhub",
        "bobbob",
    ]
    assert browser.run("body.getBoundingClientRect().width") == before - 150
    assert browser.run("document.querySelectorAll('#heads .lane')[1].getCTM().e") == first
    assert browser.run("dots.filter((d) => !d.classList.contains('hidden')).length") == 18
    gone = browser.run(
        "data.arrows.map(([s, t, path], i) => [path.some(([l]) => l === 0), arrows[i].matches('.hidden')])"
    )
    assert all(touches == is_hidden for touches, is_hidden in gone)
    browser.run("document.getElementById('all').click()")
    assert browser.run("document.querySelectorAll('#body .hidden').length") == 0
    assert browser.run("body.getBoundingClientRect().width") == before


def test_moving_the_lanes_and_back_gives_the_drawing_that_was(page):
    browser = page(VIOLATION)
    paths = "[...document.querySelectorAll('#body .a')].map((a) => a.getAttribute('d').match(/[\\d.-]+/g).map(Number))"
    before = browser.run(paths)
    browser.run("place()")
    for one, other in zip(before, browser.run(paths), strict=True):
        assert one == pytest.approx(other, abs=0.11)


def test_heads_stay_in_sight_and_zoom_goes_with_them(page, tmp_path):
    browser = page(by_chance(tmp_path / "run", 3, 200))
    top = browser.run("heads.getBoundingClientRect().top")
    browser.run("paper.scrollTop = 900")
    browser.settle()
    assert browser.run("paper.scrollTop") == 900
    assert browser.run("heads.getBoundingClientRect().top") == top
    was = browser.run("[heads.getBoundingClientRect().width, body.getBoundingClientRect().width]")
    browser.run("document.getElementById('in').click()")
    now = browser.run("[heads.getBoundingClientRect().width, body.getBoundingClientRect().width]")
    assert now == pytest.approx([1.2 * one for one in was])
    assert browser.run("document.getElementById('zoomed').textContent") == "120 %"


def test_violations_are_listed_and_lead_to_their_witnesses(page):
    browser = page(VIOLATION)
    listed = browser.run("[...document.querySelectorAll('#violations button')].map((b) => b.textContent)")
    assert [text[:2] for text in listed] == ["C2", "C3"]
    browser.run("document.querySelector('#violations button').click()")
    one = browser.run("document.activeElement.querySelector('title').textContent")
    browser.run("document.querySelector('#violations button').click()")
    other = browser.run("document.activeElement.querySelector('title').textContent")
    assert {one.split(":")[0], other.split(":")[0]} == {"hub", "bob"}
    assert browser.run("document.querySelectorAll('#body .ring').length") == 3


def test_dark_follows_the_reader(page):
    browser = page(VIOLATION)
    colours = {}
    for scheme in ("light", "dark"):
        browser.emulate(scheme)
        browser.settle()
        colours[scheme] = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.emulate("light")
    assert colours == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 30)"}


def test_names_and_messages_are_data(page, tmp_path):
    text = '</title></script><script>window.broken = 1</script><img src=x onerror="window.broken = 1">'
    browser = page(saying(tmp_path / "run", "<img/src=x>", text))
    assert browser.run("window.broken") is None
    assert browser.run("document.querySelectorAll('img').length") == 0
    browser.run("focus(events.length - 1)")
    assert text in browser.run("document.getElementById('told').textContent")


def test_data_cannot_end_its_script(tmp_path):
    page = draw(saying(tmp_path, "</script>", "</script>"), Format.HTML).data.decode()
    data = page.split('id="data">')[1].split("</script>")[0]
    assert len(json.loads(data)["events"]) == 10
