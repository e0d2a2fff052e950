"""A report is read as its readers do: by the text of its pages."""

import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pypdf
import pytest

from chitty import cli, journal
from chitty.core.errors import NotRunning
from chitty.trace import check, report
from chitty.trace.report import Cover, typeset
from chitty.wire import chitty_pb2
from tests.trace.drawing import by_chance, saying
from tests.trace.mutants import RUN
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
MARKUP = "#panic(1) #let x = [*b* _i_] $a^2$ <l> @r `raw` = no // gone /* gone */ \\ -- ... ~ 'q' http://x.y"


def text_of(pdf: Path) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(pdf).pages)


def spoken(folder: Path, name: str, text: str) -> Path:
    """Write a run in which one joins and says something, written as processes do."""
    for log in saying(folder, name, text).glob("*.log"):
        lines = log.read_text(encoding="utf-8").replace(json.dumps(text), journal.quote(text))
        log.write_text(lines, encoding="utf-8")
    return folder


def dense(text: str) -> str:
    """Text without what a line break may add or take away."""
    return re.sub(r"[\s\u200b\x00]", "", text)


@pytest.fixture(scope="module")
def pdf(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("report") / "report.pdf"
    report.write(RUN, target, Cover("The #1 chat", ("Ada *L*", "Ben"), "https://git.example.org/chat"))
    return target


@pytest.fixture(scope="module")
def read(pdf) -> str:
    return text_of(pdf)


def test_it_has_what_the_assignment_asks_for(pdf):
    outline = [entry.title for entry in pypdf.PdfReader(pdf).outline if not isinstance(entry, list)]
    assert outline == [
        "1 Architecture",
        "2 The choice of streaming",
        "3 RPC methods and messages",
        "4 How Lamport timestamps are calculated",
        "5 Source code",
        "6 The run",
        "7 A traced sequence of calls",
        "8 The verdict",
        "9 Requirements, and the log lines that document them",
        "A The interface: chitty.proto",
        "B The system logs",
    ]


def test_the_cover_says_what_it_was_told(pdf, read):
    assert "The #1 chat" in read
    assert "Ada *L*, Ben" in read
    links = {
        note.get_object()["/A"]["/URI"]
        for page in pypdf.PdfReader(pdf).pages
        for note in page.get("/Annots", [])
        if "/URI" in note.get_object().get("/A", {})
    }
    assert links == {"https://git.example.org/chat"}


def test_without_a_link_it_says_so(tmp_path):
    made = report.write(RUN, tmp_path / "r.pdf")
    assert any("--repo" in warning for warning in made.warnings)
    assert "Source code" not in text_of(tmp_path / "r.pdf")


def test_all_methods_and_messages_are_there(read):
    (service,) = chitty_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods:
        assert method.name in read
    for message in chitty_pb2.DESCRIPTOR.message_types_by_name.values():
        assert message.name in read
        for field in message.fields:
            assert field.name in read
    assert "bidirectional streaming" in read


def test_each_property_has_its_verdict(read):
    verdict = check.check(RUN)
    flat = dense(read)
    for finding in verdict.findings:
        assert dense(f"{finding.id}{finding.name}.{finding.sentence}{finding.cases}{finding.status}") in flat
    assert f"The verdict is {verdict.judgement}" in read


def test_the_logs_are_there_whole_and_in_order(read):
    appendix = dense(read[read.index("The logs of all processes, whole") :])
    for log in sorted(RUN.glob("*.log"), key=lambda log: (log.stem != "server", log.stem)):
        for number, line in enumerate(log.read_text(encoding="utf-8").split("\n")[:-1], 1):
            wanted = dense(f"{number}{line}")
            assert wanted in appendix, f"{log.name}:{number}"
            appendix = appendix[appendix.index(wanted) + len(wanted) :]


def test_a_cited_line_leads_to_its_place_in_the_appendix(pdf):
    reader = pypdf.PdfReader(pdf)
    pages = [page.extract_text() for page in reader.pages]
    first = next(number for number, page in enumerate(pages) if "RPC methods and messages" in page and number > 0)
    targets = set()
    for page in reader.pages[first:]:
        for note in page.get("/Annots", []):
            where = note.get_object().get("/Dest") or note.get_object().get("/A", {}).get("/D")
            if where is not None:
                targets.add(
                    reader.get_destination_page_number(reader.named_destinations[where])
                    if isinstance(where, str)
                    else reader.pages.index(where[0].get_object())
                )
    assert any("The system logs" in pages[target] for target in targets)


def test_markup_is_text(tmp_path):
    report.write(
        saying(tmp_path / "logs", "a#[x]*_$<b>@`", MARKUP), tmp_path / "r.pdf", Cover(MARKUP, (MARKUP,), "a#b")
    )
    flat = dense(text_of(tmp_path / "r.pdf"))
    said = dense(MARKUP)
    assert flat.count(said) >= 3 + 1  # on the cover, in the trace, in the logs
    assert dense("a#[x]*_$<b>@`.log") in flat or "participant=a#[x]*_$<b>@`" in flat
    assert dense('participant=a#[x]*_$<b>@` text="' + MARKUP.replace("\\", "\\\\")) in flat


def test_no_text_turns_a_line_around_or_controls_a_page(tmp_path):
    folder = spoken(tmp_path / "logs", "eve", "one")
    with (folder / "one.log").open("a", encoding="utf-8") as log:
        log.write("\x1b[31mred \u202e turned \x07 \ufeff\n")
    report.write(folder, tmp_path / "r.pdf")
    flat = dense(text_of(tmp_path / "r.pdf"))
    assert r"\u001b[31mred\u202eturned\u0007" in flat


def test_a_very_long_line_stays_on_the_page(tmp_path):
    folder = spoken(tmp_path / "logs", "eve", "😀" * 128)
    with (folder / "one.log").open("a", encoding="utf-8") as log:
        log.write("w" * 3000 + "\n")
    report.write(folder, tmp_path / "r.pdf")
    flat = dense(text_of(tmp_path / "r.pdf"))
    assert "w" * 3000 in flat
    assert r"\ud83d\ude00" * 128 in flat
    for page in pypdf.PdfReader(tmp_path / "r.pdf").pages:
        assert _rightmost(page) < page.mediabox.width - 28
        assert max(map(len, page.extract_text().splitlines())) < 260


@pytest.mark.parametrize(
    "said",
    [
        "👩\u200d👩\u200d👧" * 25,
        "a👩\u200d👩\u200d👧" * 21,
        "\U0001f3f4\U000e0067\U000e0062\U000e007f" * 32,
        "w\u2060" * 64,
        "\u0bbe" * 128,
    ],
    ids=["families", "families by letters", "flags", "word joiners", "marks with a width"],
)
def test_what_clings_together_stays_on_the_page(tmp_path, said):
    folder = spoken(tmp_path / "logs", "eve", said)
    with (folder / "one.log").open("a", encoding="utf-8") as log:
        log.write(f"{said * 8}\n" + "w\u00a0" * 800 + "\n")
    report.write(folder, tmp_path / "r.pdf")
    for page in pypdf.PdfReader(tmp_path / "r.pdf").pages:
        assert _rightmost(page) < page.mediabox.width - 28
        assert max(map(_printed, page.extract_text().splitlines())) < 260


def test_what_has_no_font_is_escaped_and_listed(tmp_path):
    made = report.write(spoken(tmp_path / "logs", "日本", "Ω≈ç Привет 語😀"), tmp_path / "r.pdf")
    assert [one.code for one in made.lacking] == ["U+65E5", "U+672C", "U+8A9E", "U+1F600"]
    flat = dense(text_of(tmp_path / "r.pdf"))
    assert r"participant=\u65e5\u672ctext" in flat
    assert r'text="Ω≈çПривет\u8a9e\ud83d\ude00"' in flat
    assert dense(r"U+1F600 grinning face \ud83d\ude00") in flat
    assert any("U+8A9E" in warning for warning in made.warnings)


@pytest.mark.parametrize("said", [MARKUP, "日本語 العربية हिन्दी עברית 😀👩‍👩‍👧 ꙮ 𓂀 e\u0301\u0302 \u0e01\u0e33 ﷽"])
def test_every_character_has_its_glyph(tmp_path, monkeypatch, said):
    """PDF/A forbids text without a glyph, and typst sees to it."""
    typst = pytest.importorskip("typst")

    class Strict:
        def __getattr__(self, name):
            return getattr(typst, name)

        def compile(self, *arguments, **options):
            return typst.compile(*arguments, **options, pdf_standards="a-2b")

    monkeypatch.setattr(typeset, "_typst", Strict)
    report.write(spoken(tmp_path / "logs", "日本", said), tmp_path / "r.pdf")


def test_the_same_logs_give_the_same_bytes(tmp_path):
    made = []
    for zone, folder in (("UTC", tmp_path), ("Asia/Kathmandu", ROOT)):
        target = tmp_path / f"{len(made)}.pdf"
        subprocess.run(
            [sys.executable, "-m", "chitty", "-q", "report", str(RUN), "-o", str(target)],
            check=True,
            cwd=folder,
            env={**os.environ, "TZ": zone, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(len(made))},
            timeout=PATIENCE,
        )
        made.append(target.read_bytes())
    assert made[0] == made[1]
    assert str(ROOT).encode() not in made[0]


def test_runs_by_chance_are_reported(tmp_path):
    for seed in range(4):
        folder = by_chance(tmp_path / str(seed), seed, steps=20 + 30 * seed)
        report.write(folder, tmp_path / "r.pdf")
        lines = sum(log.read_text().count("\n") for log in folder.glob("*.log*"))
        assert f"{lines} lines, nothing left out" in text_of(tmp_path / "r.pdf").replace("\n", " "), seed


def test_without_typst_it_says_how_to_install_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "typst", None)
    assert cli.run(["report", str(RUN), "-o", str(tmp_path / "r.pdf")]) == cli.FAILED
    assert "pip install 'typst" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("there", [True, False])
def test_a_directory_without_logs_is_an_error(tmp_path, capsys, there):
    folder = tmp_path / "none"
    if there:
        folder.mkdir()
    with pytest.raises(NotRunning, match="there are no"):
        report.write(folder, tmp_path / "r.pdf")
    assert cli.run(["report", str(folder), "-o", str(tmp_path / "r.pdf")]) == cli.NOT_RUNNING
    assert str(folder) in capsys.readouterr().err


def test_a_target_that_cannot_be_written_is_an_error(tmp_path, capsys):
    assert cli.run(["report", str(RUN), "-o", str(tmp_path / "no" / "r.pdf")]) == cli.FAILED
    assert "cannot write" in capsys.readouterr().err


def test_it_needs_no_network_and_no_system_fonts(pdf):
    fonts = {
        str(font.get_object()["/BaseFont"]).partition("+")[2]
        for page in pypdf.PdfReader(pdf).pages
        for font in page["/Resources"].get("/Font", {}).values()
    }
    assert fonts
    assert all(re.match(r"Libertinus|DejaVuSansMono|NewCM", font) for font in fonts), fonts


def _printed(line: str) -> int:
    """Return how many characters of a line have a width."""
    return sum(unicodedata.category(character) not in {"Cf", "Mn", "Cc"} for character in line)


def _rightmost(page: pypdf.PageObject) -> float:
    found = [0.0]

    def note(text, cm, tm, *_):
        if text.strip():
            found.append(cm[0] * tm[4] + cm[4])

    page.extract_text(visitor_text=note)
    return max(found)


def test_the_time_of_the_document_is_that_of_the_run(pdf, read):
    assert "The run of 23 November 2026" in read.replace("\n", " ")
    assert pypdf.PdfReader(pdf).metadata.creation_date.isoformat()[:19] == "2026-11-23T08:27:46"


def test_a_day_that_never_was_is_no_error(tmp_path):
    folder = spoken(tmp_path / "logs", "eve", "one")
    for log in folder.glob("*.log"):
        log.write_text(log.read_text().replace("2026-11-23", "2026-02-31"))
    report.write(folder, tmp_path / "r.pdf")
    assert "31 February 2026" in text_of(tmp_path / "r.pdf").replace("\n", " ")


def test_a_timestamp_that_is_not_as_calculated_is_marked(tmp_path, read):
    report.write(RUN.parent / "C3", tmp_path / "r.pdf")
    assert "≠" in text_of(tmp_path / "r.pdf")
    assert "≠" not in read
