"""The page in a real browser: what is seen, clicked, printed and read out."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.report import samples
from tests.report.browser import DESKTOP, PHONE, Reader, needs_browser
from tunekit.report import Report
from tunekit.report.model import Series

pytestmark = needs_browser

Read = Callable[..., Reader]
Write = Callable[[Report], Path]
ROUTES = ("#/", "#/job/pii-masking%401", "#/job/tickets%404", "#/job/summaries%406")
COMPARED = "#/compare/pii-masking%401,pii-masking%402,pii-masking%403"


def test_a_reader_goes_from_all_jobs_to_one_and_back(read: Read, written: Write) -> None:
    reader = read()
    page = reader.open(written(samples.team()))
    assert page.locator("h1").inner_text() == "Jobs"
    assert page.locator("table.jobs tbody tr").count() == 8
    page.get_by_role("link", name="pii-masking@2").click()
    page.locator("h1", has_text="pii-masking@2").wait_for()
    assert reader.headings() == [
        *("Advice", "Curves", "Scorecard", "Example rows", "Lineage", "Spec")
    ]
    assert page.title().startswith("pii-masking@2 ")
    assert page.evaluate("document.activeElement.tagName") == "H1"
    scores = page.locator("table.scores").inner_text()
    assert "93.0%" in scores
    assert "89.0% to 96.0%" in scores
    assert "+52.0% against the base model, p < 0.001" in scores
    assert "epochs: 2 would have done" in page.locator(".hints").inner_text()
    assert "4be1c0ffee5c, clean tree" in page.locator(".lineage").inner_text()
    # The model was tuned further: its child is one click away.
    page.locator(".lineage").get_by_role("link", name="pii-masking@3").click()
    page.locator("h1", has_text="pii-masking@3").wait_for()
    page.go_back()
    page.locator("h1", has_text="pii-masking@2").wait_for()
    assert reader.complaints == []


def test_jobs_are_found_sorted_and_filtered(read: Read, written: Write) -> None:
    page = read().open(written(samples.team()))
    names = page.locator("table.jobs tbody th a")
    page.get_by_label("Find").fill("team=privacy 3.5")
    assert names.all_inner_texts() == [
        *("pii-masking@5", "summaries@8", "pii-masking@2", "pii-masking@1")
    ]
    page.get_by_label("Find").fill("")
    page.get_by_label("State").select_option("Failed")
    assert names.all_inner_texts() == ["summaries@6"]
    assert page.locator(".found").inner_text() == "1 job of 8"
    page.get_by_label("State").select_option("All states")
    page.get_by_role("button", name="Score").click()
    assert names.all_inner_texts()[:3] == ["pii-masking@3", "pii-masking@2", "pii-masking@1"]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Score")
    page.get_by_role("button", name="Score").click()
    # Whoever has no score is last in either order.
    assert names.all_inner_texts()[:2] == ["tickets@4", "pii-masking@1"]


def test_picked_jobs_are_compared_by_what_differs(read: Read, written: Write) -> None:
    reader = read()
    page = reader.open(written(samples.team()))
    page.get_by_label("Compare pii-masking@1").check()
    page.get_by_label("Compare pii-masking@2").check()
    page.get_by_role("link", name="Compare them").click()
    table = page.locator("table.differences")
    rows = table.locator("tbody tr:not(.group) th").all_inner_texts()
    assert "tuning.epochs" in rows
    assert "tuning.adapter_size" not in rows
    assert table.locator("tr", has_text="tuning.epochs").locator("td").all_inner_texts() == [
        *("3", "4")
    ]
    assert "best" in table.locator("tr", has_text="Exact match").locator("td").nth(1).inner_text()
    page.get_by_label("Also show what is equal").check()
    assert "tuning.adapter_size" in table.inner_text()
    # Three curves over each other, each by a colour and a dash of its own.
    page.get_by_role("button", name="Add pii-masking@3").click()
    page.locator(".picked li").nth(2).wait_for()
    dashes = page.locator(".picked line").evaluate_all(
        "lines => lines.map(line => line.getAttribute('stroke-dasharray'))"
    )
    assert len(set(dashes)) == 3
    page.get_by_role("button", name="Remove pii-masking@1").click()
    page.locator(".picked li").nth(2).wait_for(state="detached")
    assert reader.complaints == []


def test_scores_of_other_rows_are_told_apart_and_none_is_best(read: Read, written: Write) -> None:
    reader = read()
    few = samples.scorecard("tuned", 0.97, 0.0, rows=5)
    base = samples.scorecard("base", 0.41, 0.2)
    jobs = (samples.job(1), samples.job(2, scorecards=(few, base)))
    page = reader.open(written(replace(samples.team(), jobs=jobs)), "#/job/pii-masking%402")
    assert "5 to 200 rows of test" in page.locator("table.scores caption").inner_text()
    assert "Tuned model, 5 rows" in page.locator("table.scores").inner_text()
    page = reader.open(
        written(replace(samples.team(), jobs=jobs)), "#/compare/pii-masking%401,pii-masking%402"
    )
    row = page.locator("table.differences tr", has_text="Exact match, tuned model")
    assert "different rows" in row.inner_text()
    assert "best" not in row.inner_text()
    assert reader.complaints == []


def test_charts_say_what_they_show(read: Read, written: Write) -> None:
    page = read().open(written(samples.team()), ROUTES[1])
    chart = page.locator("figure.chart").first
    assert chart.locator("h3").inner_text() == "Loss"
    legend = chart.locator(".legend").inner_text()
    assert "train (means of 9 points; band: lowest to highest)" in legend
    assert "validation" in legend
    spoken = chart.get_by_role("img").get_attribute("aria-label")
    assert spoken is not None
    assert "validation: 0.8094 at step 285, 0.0776 at step 1,425." in spoken
    # Something is drawn, and under the pointer the legend tells the value there.
    assert has_ink(page)
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    before = chart.locator(".reading").first.inner_text()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    assert chart.locator(".reading").first.inner_text() != before
    # The same as a table, for whoever can't see it; with the keyboard alone.
    summary = chart.locator("summary")
    summary.focus()
    page.keyboard.press("Enter")
    rows = chart.locator("table tbody tr")
    rows.nth(100).wait_for()
    assert "0.8094" in rows.filter(has_text="285").first.inner_text()


INK = """() => {
  const canvas = document.querySelector('.chart canvas');
  const all = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const root = getComputedStyle(document.documentElement);
  const wanted = root.getPropertyValue('--c1').trim();
  const rgb = [1, 3, 5].map(i => parseInt(wanted.slice(i, i + 2), 16));
  let found = 0;
  for (let i = 0; i < all.length; i += 4) {
    const isNear = rgb.every((part, j) => Math.abs(all[i + j] - part) < 3);
    if (isNear && all[i + 3] === 255) found += 1;
  }
  return found > 50;
}"""


def test_a_loss_may_be_seen_on_a_logarithmic_scale(read: Read, written: Write) -> None:
    reader = read()
    page = reader.open(written(samples.team()), ROUTES[1])
    assert has_ink(page)
    first = page.locator(".chart canvas").first.screenshot()
    switch = page.get_by_label("Logarithmic scale of Loss")
    was_logarithmic = switch.is_checked()
    switch.focus()
    page.keyboard.press("Space")
    assert switch.is_checked() != was_logarithmic
    assert has_ink(page)
    assert page.locator(".chart canvas").first.screenshot() != first
    assert reader.complaints == []


@pytest.mark.parametrize(("last", "is_logarithmic"), [(0.1, False), (1e-6, True)])
def test_a_loss_that_falls_far_is_drawn_on_a_logarithmic_scale(
    read: Read, written: Write, last: float, is_logarithmic: bool
) -> None:
    steps = range(1, 101)
    values = array("d", [last ** (step / 100) for step in steps])
    series = (Series("loss", "train", array("q", steps), values),)
    team = samples.team()
    jobs = tuple(replace(job, series=series) for job in team.jobs)
    page = read().open(written(replace(team, jobs=jobs)), ROUTES[1])
    assert page.get_by_label("Logarithmic scale of Loss").is_checked() == is_logarithmic


def has_ink(page: Any) -> bool:
    """Return whether the first chart has points in the colour of the first line."""
    page.wait_for_selector(".chart canvas")
    return bool(page.evaluate(INK))


def test_charts_are_drawn_again_for_the_other_scheme_and_for_paper(
    read: Read, written: Write
) -> None:
    reader = read(scheme="dark")
    page = reader.open(written(samples.team()), ROUTES[1])
    assert has_ink(page)
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(200)
    assert has_ink(page)
    page.emulate_media(color_scheme="dark", media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert has_ink(page)
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 30, 35)"
    assert not page.locator("nav").is_visible()
    assert len(page.pdf()) > 20_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(read: Read, written: Write, scheme: str, size: Any) -> None:
    reader = read(size, scheme)
    page = reader.open(written(samples.team()))
    for route in (*ROUTES, COMPARED):
        page.evaluate("where => { location.hash = where; }", route)
        page.wait_for_timeout(150)
        open_all(page)
        assert reader.accessibility_faults() == [], route
        assert reader.width_beyond() == 0, route


def open_all(page: Any) -> None:
    shut = page.locator("details:not([open]) > summary")
    while shut.count():
        shut.first.click()


def test_axe_can_find_something(read: Read, written: Write) -> None:
    reader = read()
    page = reader.open(written(samples.team()))
    page.evaluate(
        "document.querySelector('input[type=search]').closest('label').replaceWith("
        "document.querySelector('input[type=search]'))"
    )
    page.evaluate("document.querySelector('input[type=search]').removeAttribute('placeholder')")
    assert any(fault.startswith("label:") for fault in reader.accessibility_faults())


@pytest.mark.parametrize("route", ["#/", "job", "compare"])
def test_a_hostile_string_stays_text(read: Read, written: Write, route: str) -> None:
    reader = read()
    page = reader.open(written(samples.hostile()))
    if route == "job":
        page.locator("table.jobs tbody th a").last.click()
        page.wait_for_selector(".lineage")
        open_all(page)
    elif route == "compare":
        for box in page.locator("table.jobs input[type=checkbox]").all():
            box.check()
        page.get_by_role("link", name="Compare them").click()
        page.wait_for_selector("table.differences")
    text = page.locator("body").inner_text()
    assert "window.pwned=1</script><img src=x" in text
    # The mark that would turn the reading order round is spelt out.
    assert "\\u202eevil" in text
    assert "\u202e" not in text
    assert page.evaluate("window.pwned") is None
    assert page.locator("main img, main script").count() == 0
    assert reader.complaints == []
    # Nothing but the file itself was asked for.
    assert {url.partition("#")[0] for url in reader.requests} == {page.url.partition("#")[0]}


def test_the_policy_keeps_strangers_out(read: Read, written: Write) -> None:
    """What would run if a string ever became markup does not run after all."""
    reader = read()
    page = reader.open(written(samples.team()))
    page.evaluate(
        """() => {
          window.refused = [];
          const attempt = act => { try { act(); } catch { window.refused.push(true); } };
          const link = document.createElement('a');
          attempt(() => link.setAttribute('onclick', 'window.pwned = 3'));
          attempt(() => { document.body.innerHTML += '<p>markup</p>'; });
          document.body.append(link);
          link.click();
          return fetch('http://127.0.0.1:9/').catch(() => { window.offline = true; });
        }"""
    )
    assert page.evaluate("[window.pwned, window.refused.length, window.offline]") == [None, 2, True]
    assert any("Content Security Policy" in text for text in reader.complaints)


def test_five_hundred_jobs_are_quick_to_read(read: Read, written: Write) -> None:
    path = written(samples.large(500))
    assert path.stat().st_size < 1_000_000
    reader = read()
    page = reader.open(path)
    assert page.locator("table.jobs tbody tr").count() == 500
    drawn_ms = page.evaluate(
        "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    )
    assert drawn_ms < 5000
    page.get_by_label("Find").fill("sweep-123")
    page.get_by_role("link", name="sweep-123").click()
    assert has_ink(page)
    assert reader.complaints == []
