"""Pictures of figures: sound SVG, in proportion, named, with nothing in it that could run."""

import xml.etree.ElementTree as ET

from plugin_sync.charts import Chart, Series, bars, sparkline, strip

EVIL = '"><script>alert(1)</script>'


def parsed(svg):
    assert "<script" not in svg
    assert "style=" not in svg
    return ET.fromstring(svg)


def test_bars_are_stacked_in_proportion():
    chart = Chart("Exchanges", ("1 May", "2 May"), (Series("in", (10, 0)), Series("out", (5, 3))))
    assert (chart.sums, chart.highest, chart.total, chart.series[1].total) == ((15, 3), 15, 18, 8)
    svg = parsed(bars(chart))
    assert (svg.get("role"), svg.get("aria-label"), svg.get("viewBox")) == ("img", "Exchanges", "0 0 2 96")
    first, second = svg.findall("g")
    assert [t.text for t in svg.iter("title")] == ["1 May: in 10; out 5", "2 May: out 3"]
    low, high = first.findall("rect")
    assert (low.get("class"), high.get("class")) == ("ps-c0", "ps-c1")
    assert abs(float(low.get("height")) - 2 * float(high.get("height"))) < 0.1
    assert abs(float(high.get("y")) + float(high.get("height")) - float(low.get("y"))) < 0.1
    assert [r.get("class") for r in second.findall("rect")] == ["ps-c1"]


def test_what_is_little_can_be_seen():
    svg = parsed(bars(Chart("x", ("a", "b"), (Series("n", (1_000_000, 1)),))))
    assert min(float(r.get("height")) for r in svg.iter("rect")) >= 2


def test_nothing_gives_empty_pictures():
    chart = Chart("x", ("a",), (Series("n", (0,)),))
    assert (chart.highest, chart.total) == (0, 0)
    assert not list(parsed(bars(chart)).iter("rect"))
    assert Chart("x", (), ()).highest == 0
    parsed(bars(Chart("x", (), ())))
    parsed(sparkline("x", ()))
    parsed(strip("x", ()))


def test_a_line_goes_up_with_its_values():
    points = parsed(sparkline("Jacmel", (0, 5, 10))).find("polyline").get("points")
    assert points == "0,22 50,12 100,2"


def test_a_strip_tells_failures_by_their_size_too():
    svg = parsed(strip("The last", [("good", True), ("", False)]))
    marks = list(svg.iter("rect"))
    assert [title.text for title in svg.iter("title")] == ["good"]
    assert [m.get("class") for m in marks] == ["ps-c0", "ps-c2"]
    assert float(marks[0].get("height")) > 2 * float(marks[1].get("height"))


def test_names_stay_text():
    for svg in (bars(Chart(EVIL, (EVIL,), (Series(EVIL, (1,)),))), sparkline(EVIL, (1,)), strip(EVIL, [(EVIL, True)])):
        root = parsed(svg)
        assert root.get("aria-label") == EVIL
        assert all(t.text.startswith(EVIL) for t in root.iter("title"))
