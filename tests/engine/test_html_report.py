"""The page shows every photo and every name as it is, does what its controls say, and asks for nothing."""

import base64
import hashlib
import json
import os
import re
import shutil
import sys
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

import pytest
from makers.photos import save_photo

from dpiqa_desktop.engine.stars import Percentiles, Thresholds
from dpiqa_desktop.events import Failed, Scored
from dpiqa_desktop.html_report import write_html
from dpiqa_desktop.records import Results
from dpiqa_plugin.errors import ReportError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_posix = pytest.mark.skipif(os.name != "posix", reason="Windows forbids such names")

HOSTILE = {
    "<img src=x onerror=alert(1)>.jpg": "<img src=x onerror=alert(1)>.jpg",
    "</script><script>alert(1)</script>.jpg": None,  # a slash cannot be in a name: it becomes folders
    "\"quotes\" and 'quotes' & amp;.jpg": "\"quotes\" and 'quotes' & amp;.jpg",
    "100%25 #1 ?q=2.jpg": "100%25 #1 ?q=2.jpg",
    "javascript:alert(1).jpg": "javascript:alert(1).jpg",
    "👩‍🚀 相片.jpg": "👩‍🚀 相片.jpg",
    "new\nline.jpg": r"new\nline.jpg",
    "\u202egpj.exe.jpg": "\u202egpj.exe.jpg",
}
"""Names of files and how the page must show them; None for the last part of the path."""
if sys.platform == "linux":
    HOSTILE[os.fsdecode(b"caf\xe9.jpg")] = r"caf\xe9.jpg"


class Page(HTMLParser):
    """The tiles of a page as a browser that runs no script sees them."""

    def __init__(self, path):
        super().__init__()
        self.links, self.names, self.tags, self.attributes = [], [], [], []
        self._in_name = False
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "a" and "title" in attributes:
            self.links.append(attributes["href"])
        if attributes.get("class") == "name":
            self._in_name = True
            self.names.append("")

    def handle_endtag(self, tag):
        self._in_name = self._in_name and tag != "bdi"

    def handle_data(self, data):
        if self._in_name:
            self.names[-1] += data


def _report(scores, rule=None, failed=(), bursts=(), captured_at=None):
    """A report of photos by path and score."""
    results = Results("dpiqa_lite", lower_better=False)
    clock = captured_at or {}
    for event in [
        *failed,
        *(Scored(str(path), score, clock.get(str(path))) for path, score in scores.items()),
    ]:
        results.add(event)
    return results.report(rule or Thresholds(), bursts)


def _save_hostile(folder):
    paths = [folder / name for name in HOSTILE]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_photo(path)
    return paths


@needs_posix
def test_every_name_is_text_and_every_link_leads_to_its_file(tmp_path):
    paths = _save_hostile(tmp_path / "photos")
    (tmp_path / "reports").mkdir()
    scores = {path: 1 - index / 100 for index, path in enumerate(paths)}
    write_html(_report(scores), str(tmp_path / "reports" / "report.html"))
    page = Page(tmp_path / "reports" / "report.html")
    assert page.names == [shown or os.path.basename(name) for name, shown in HOSTILE.items()]
    targets = [os.path.join(os.fsencode(tmp_path), b"reports", unquote_to_bytes(link)) for link in page.links]
    assert [os.path.normpath(target) for target in targets] == [os.fsencode(path) for path in paths]
    assert page.tags.count("script") == 1
    assert page.tags.count("img") == len(paths)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(re.fullmatch(r"\.\./photos/[\w.~%/-]+", link) for link in page.links)


def test_the_policy_allows_this_script_and_style_and_nothing_else(tmp_path):
    write_html(_report({}), str(tmp_path / "report.html"))
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)[1]
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*)</{tag}>", source, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_what_could_not_be_scored_is_told_with_its_reason(tmp_path):
    failed = [Failed("a <b>.jpg", "the file is empty"), Failed("c\n.jpg", "is not a regular file")]
    write_html(_report({}, failed=failed), str(tmp_path / "report.html"))
    source = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<td><bdi>a &lt;b&gt;.jpg</bdi></td><td>the file is empty</td>" in source
    assert "<td><bdi>c\\n.jpg</bdi></td><td>is not a regular file</td>" in source


def test_a_photo_that_has_gone_gets_a_placeholder(tmp_path):
    there = save_photo(tmp_path / "there.jpg")
    write_html(_report({there: 0.5, tmp_path / "gone.jpg": 0.25}), str(tmp_path / "report.html"))
    page = Page(tmp_path / "report.html")
    assert page.names == ["there.jpg", "gone.jpg"]
    assert page.tags.count("img") == 1
    assert 'title="No such file or directory">no preview' in page.source


def test_more_photos_than_are_ahead_keep_their_order(tmp_path):
    photo = save_photo(tmp_path / "photo.jpg")
    scores = {tmp_path / f"{index:03d}.jpg": 1 - index / 200 for index in range(100)}
    for path in scores:
        os.link(photo, path)
    write_html(_report(scores, Percentiles()), str(tmp_path / "report.html"))
    assert Page(tmp_path / "report.html").names == [path.name for path in scores]


def test_a_report_that_cannot_be_written_leaves_the_old_one(tmp_path):
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ReportError, match=r"cannot write .*folder\.html"):
        write_html(_report({}), str(tmp_path / "folder.html"))
    assert os.listdir(tmp_path) == ["folder.html"]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver")
    driver = shutil.which("chromedriver")
    if not CHROMIUM or not driver:
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
        "--window-size=1200,900",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a report in the browser; by the end the page must not have complained or asked for anything."""

    def open_report(report):
        write_html(report, str(tmp_path / "report.html"))
        for log in ("browser", "performance"):
            browser.get_log(log)  # what earlier pages left
        browser.get((tmp_path / "report.html").as_uri())
        return browser

    yield open_report
    assert browser.get_log("browser") == []
    requests = [
        message["params"]
        for message in (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
        if message["method"] == "Network.requestWillBeSent"
    ]
    # The browser's own first page may still be loading its parts.
    asked = [
        request["request"]["url"] for request in requests if not request["documentURL"].startswith("chrome:")
    ]
    assert asked, "the log shows at least the page itself"
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert [url for url in asked if url.startswith("file")] == [(tmp_path / "report.html").as_uri()]


def _shown(browser):
    return browser.execute_script(
        "return [...document.querySelectorAll('#photos li')].filter(li => li.checkVisibility())"
        ".map(li => li.querySelector('.name').textContent)"
    )


def _find(browser, selector):
    return browser.find_element("css selector", selector)


def _choose(browser, order):
    _find(browser, f"#sort option[value={order}]").click()


@pytest.fixture
def holiday(tmp_path):
    """Five photos: two of a burst, one without a time, one with two stars."""
    scores = {"b/IMG_10.jpg": 0.9, "b/IMG_9.jpg": 0.7, "a/IMG_11.jpg": 0.5, "a/Été.jpg": 0.35, "a/x.jpg": 0.1}
    for name in scores:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save_photo(tmp_path / name, size=(640, 480))
    times = {"b/IMG_10.jpg": 300.0, "b/IMG_9.jpg": 100.5, "a/IMG_11.jpg": 100.25, "a/Été.jpg": 900.0}
    return _report(
        {tmp_path / name: score for name, score in scores.items()},
        failed=[Failed("zero.jpg", "the file is empty")],
        bursts=[[str(tmp_path / "b/IMG_9.jpg"), str(tmp_path / "b/IMG_10.jpg")]],
        captured_at={str(tmp_path / name): seconds for name, seconds in times.items()},
    )


def test_sorting(opened, holiday):
    page = opened(holiday)
    best_first = ["IMG_10.jpg", "IMG_9.jpg", "IMG_11.jpg", "Été.jpg", "x.jpg"]
    assert _shown(page) == best_first
    _choose(page, "worst")
    assert _shown(page) == best_first[::-1]
    _choose(page, "name")
    assert _shown(page) == ["Été.jpg", "IMG_9.jpg", "IMG_10.jpg", "IMG_11.jpg", "x.jpg"]
    _choose(page, "time")
    assert _shown(page) == ["IMG_11.jpg", "IMG_9.jpg", "IMG_10.jpg", "Été.jpg", "x.jpg"]
    _choose(page, "folder")
    assert _shown(page) == ["IMG_11.jpg", "Été.jpg", "x.jpg", "IMG_10.jpg", "IMG_9.jpg"]
    _choose(page, "best")
    assert _shown(page) == best_first


def test_filtering(opened, holiday):
    page = opened(holiday)
    _find(page, "#text").send_keys("e\u0301TÉ")  # as macOS and as others write it
    assert _shown(page) == ["Été.jpg"]
    assert _find(page, "#shown").text == "1 of 5 shown"
    _find(page, "#clear").click()
    assert len(_shown(page)) == 5
    _find(page, ".chip[data-stars='3']").click()
    _find(page, ".chip[data-stars='5']").click()
    assert _shown(page) == ["IMG_10.jpg", "IMG_11.jpg"]
    _find(page, "#text").send_keys("b/img")
    assert _shown(page) == ["IMG_10.jpg"]
    _find(page, "#clear").click()
    _find(page, "#bursts").click()
    assert _shown(page) == ["IMG_10.jpg", "IMG_11.jpg", "Été.jpg", "x.jpg"]
    _find(page, "#text").send_keys("nothing is called so")
    assert _find(page, "#shown").text == "No photo fits"


def test_the_histogram_filters_by_dragging_and_by_keyboard(opened, holiday):
    from selenium.webdriver import ActionChains, Keys

    page = opened(holiday)
    drawing = _find(page, "#histogram svg")
    # From the middle of the range of scores, which is 0.5, to its end.
    width = drawing.size["width"]
    ActionChains(page).move_to_element_with_offset(drawing, 2, 0).click_and_hold().move_by_offset(
        width // 2 - 4, 0
    ).release().perform()
    assert _shown(page) == ["IMG_10.jpg", "IMG_9.jpg", "IMG_11.jpg"]
    assert _find(page, "#range").text == "0.500 to 0.900"
    _find(page, "#clear").click()
    _find(page, "#low").send_keys(Keys.ARROW_RIGHT)
    assert _shown(page) == ["IMG_10.jpg", "IMG_9.jpg", "IMG_11.jpg", "Été.jpg"]
    _find(page, "#low").send_keys(Keys.END)
    assert _shown(page) == ["IMG_10.jpg"]  # the last bar stays: the thumbs do not meet
    assert _find(page, "#high").get_attribute("aria-valuetext") == "0.900"


def test_thumbnails_are_seen_under_the_policy(opened, holiday):
    page = opened(holiday)
    sizes = page.execute_async_script(
        "const done = arguments[0];"
        "Promise.all([...document.images].map(i => i.decode().then(() => [i.naturalWidth, i.naturalHeight])))"
        ".then(done)"
    )
    assert sizes == [[160, 120]] * 5


def test_a_photo_opens_by_keyboard(opened, browser, holiday):
    from selenium.webdriver import Keys

    page = opened(holiday)
    report = page.current_window_handle
    _find(page, "#photos a").send_keys(Keys.ENTER)
    page.switch_to.window(next(handle for handle in page.window_handles if handle != report))
    address = page.current_url
    page.close()
    page.switch_to.window(report)
    assert address.endswith("/b/IMG_10.jpg")


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_sticks_out_to_the_side(opened, holiday, width):
    page = opened(holiday)
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False},
    )
    try:
        assert page.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@needs_posix
def test_hostile_names_are_shown_and_do_nothing(opened, tmp_path):
    paths = _save_hostile(tmp_path / "photos")
    scores = {path: 1 - index / 100 for index, path in enumerate(paths)}
    page = opened(_report(scores, failed=[Failed(name, name) for name in HOSTILE]))
    assert _shown(page) == [shown or os.path.basename(name) for name, shown in HOSTILE.items()]
    assert page.execute_script("return document.images.length") == len(paths)
    cells = page.execute_script("return [...document.querySelectorAll('td')].map(td => td.textContent)")
    assert cells == [text for name, shown in HOSTILE.items() for text in [shown or name] * 2]
    links = page.execute_script("return [...document.querySelectorAll('#photos a')].map(a => a.href)")
    assert [unquote_to_bytes(link.removeprefix("file://")) for link in links] == [
        os.fsencode(p) for p in paths
    ]


@pytest.mark.parametrize("scores", [{}, {"a.jpg": 0.5}, {"a.jpg": 0.5, "b.jpg": 0.5}])
def test_runs_with_nothing_to_compare(scores, opened):
    page = opened(_report(scores, failed=[Failed("zero.jpg", "the file is empty")]))
    assert _shown(page) == list(scores)
    assert "the file is empty" in _find(page, "#failed").text
