"""The report in a real browser: headless Chromium, driven through its DevTools protocol."""

import itertools
import shutil

import pytest
from helpers.compare import make_compared_study
from helpers.devtools import Browser
from helpers.study import make_study

from dnalm.report.report import write_report

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: the report is not seen in a browser"
)
PHONE, DESK = (390, 844), (1400, 900)
#: An element whose box ends beyond the window, unless something around it scrolls.
OVERFLOWING = """[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, .card, pre, .hidden, .skip")
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
HEADINGS = "[...document.querySelectorAll('h1, h2, h3, h4, h5, h6')].map(e => Number(e.tagName[1]))"
FIRST_COLUMN = "[...document.querySelectorAll('#table-{0} tbody tr')].map(row => row.cells[0].textContent)"
CLICK = "document.querySelectorAll('#table-{0} thead button')[{1}].click()"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    config, results, genomes, captions, names = make_study(tmp_path_factory.mktemp("study"), contig="long_" * 40)
    path = results / "report.html"
    write_report(config, results, genomes, captions, names, path)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def opened(browser, url, request):
    browser.size(*request.param)
    browser.scheme("light")
    browser.open(url)
    return browser


def events(browser, *methods):
    return [event["params"] for event in browser.events if event.get("method") in methods]


def test_no_complaint_and_no_request_but_the_file_and_its_data(opened, url):
    opened.evaluate("new Promise(done => setTimeout(done, 200))")
    opened.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert events(opened, "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded") == []
    asked = [event["request"]["url"] for event in events(opened, "Network.requestWillBeSent")]
    assert url in asked
    assert [address for address in asked if address != url and not address.startswith("data:")] == []


def test_the_policy_stops_what_would_leave_the_page(browser, url):
    browser.open(url)
    assert browser.evaluate("fetch('https://example.org/').then(() => 'sent', () => 'refused')") == "refused"
    browser.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.org/x.png'}))")
    browser.evaluate("new Promise(done => setTimeout(done, 100))")
    assert any("Content Security Policy" in event["entry"]["text"] for event in events(browser, "Log.entryAdded"))


def test_every_figure_is_seen_and_described(opened):
    found = opened.evaluate("""[...document.images].map(i => ({natural: i.naturalWidth, alt: i.alt,
        width: i.getBoundingClientRect().width, seen: i.checkVisibility()}))""")
    assert len(found) == 6
    assert all(image["natural"] > 0 and image["width"] > 100 and image["seen"] for image in found)
    assert all(image["alt"].startswith("What ") for image in found)


def test_the_page_fits_the_window(opened):
    opened.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert opened.evaluate(OVERFLOWING) == []
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_headings_come_in_order(opened):
    levels = opened.evaluate(HEADINGS)
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_tables_are_sorted_by_a_click_and_holes_stay_at_the_end(browser, url):
    browser.size(*DESK)
    browser.open(url)
    assert browser.evaluate(FIRST_COLUMN.format("benchmarks")) == ["pretrain", "genome", "quick"]
    for column, order in ((1, ["quick", "genome", "pretrain"]), (1, ["pretrain", "genome", "quick"])):
        browser.evaluate(CLICK.format("benchmarks", column))
        assert browser.evaluate(FIRST_COLUMN.format("benchmarks")) == order
    for order in (["genome", "pretrain", "quick"], ["pretrain", "genome", "quick"]):
        browser.evaluate(CLICK.format("benchmarks", 2))
        assert browser.evaluate(FIRST_COLUMN.format("benchmarks")) == order
    assert browser.evaluate("document.querySelectorAll('#table-benchmarks th[aria-sort]').length") == 1


def test_dark_pages_are_dark_and_figures_stay_on_white(browser, url):
    colours = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.open(url)
        colours[scheme] = browser.evaluate("""["body", ".card"].map(
            name => getComputedStyle(document.querySelector(name)).backgroundColor.match(/\\d+/g).map(Number))""")
    assert min(colours["light"][0]) > 230
    assert max(colours["dark"][0]) < 60
    assert colours["light"][1] == colours["dark"][1] == [255, 255, 255]


def test_print_shows_the_tables_that_are_folded_on_screen(browser, url):
    seen = "document.querySelector('#table-bits-per-base-orders').checkVisibility()"
    browser.scheme("light")
    browser.open(url)
    assert not browser.evaluate(seen)
    browser.scheme("light", media="print")
    assert browser.evaluate(seen)
    browser.scheme("light")


def test_the_skip_link_is_the_first_stop_of_the_keyboard(browser, url):
    browser.size(*DESK)
    browser.scheme("light")
    browser.open(url)
    for kind in ("rawKeyDown", "keyUp"):
        browser("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
    assert browser.evaluate("document.activeElement.className") == "skip"
    assert browser.evaluate("document.activeElement.getBoundingClientRect().left >= 0")


def test_without_script_everything_is_there(browser, url):
    browser("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(url)
    browser("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.evaluate("document.querySelectorAll('thead button').length") == 0
    assert browser.evaluate("document.querySelectorAll('table').length") > 15
    assert "self-trained Pyrodigal finds 38" in browser.evaluate("document.querySelector('#summary').innerText")


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_a_comparison_fits_the_window_and_has_an_outline(browser, tmp_path, size):
    config, results, genomes, captions, names = make_compared_study(tmp_path)
    write_report(config, results, genomes, captions, names, results / "report.html")
    browser.size(*size)
    browser.scheme("light")
    browser.open((results / "report.html").as_uri())
    browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser.evaluate(OVERFLOWING) == []
    levels = browser.evaluate(HEADINGS)
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert browser.evaluate("document.querySelectorAll('#comparison img').length") == 2
