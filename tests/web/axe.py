"""axe-core, run inside a page: what it finds against WCAG 2.2, levels A and AA."""

from importlib.resources import files

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
COLOURS = ["color-contrast", "link-in-text-block"]  # the rules whose answer depends on the scheme of colours
RUN = """async rules => (await axe.run(document, {runOnly: rules, resultTypes: ['violations']})).violations.flatMap(
    found => found.nodes.map(node => `${found.id}: ${node.target.join(' ')}: ${node.failureSummary}`))"""
WIDE = "document.documentElement.scrollWidth > innerWidth"
SIZES = {"wide": {"width": 1280, "height": 800}, "zoomed": {"width": 640, "height": 400}, "narrow": {"width": 320, "height": 640}}
ALL, SCHEME = {"type": "tag", "values": TAGS}, {"type": "rule", "values": COLOURS}
LOOKS = (("wide", "light", ALL), ("wide", "dark", SCHEME), ("narrow", "light", ALL), ("narrow", "dark", SCHEME))
LESS = (("wide", "light", ALL), ("narrow", "dark", ALL))


def audit(page, looks=LOOKS):
    """Everything that is wrong with a page, light and dark, 1280 and 320 px wide; and wider than the screen at 200 % too."""
    page.evaluate(AXE)
    wrong = []
    for width, size in SIZES.items():
        page.set_viewport_size(size)
        wrong += [f"{width}: the page is wider than the screen"] * page.evaluate(WIDE)
        for _, scheme, rules in (look for look in looks if look[0] == width):
            page.emulate_media(color_scheme=scheme)
            wrong += [f"{width}, {scheme}: {found}" for found in page.evaluate(RUN, rules)]
    return wrong


def audit_without_scripts(page, stand):
    """The same for a tab in which no script may run, not even axe: what it shows is put into the tab `stand`, without scripts."""
    shown = page.content()

    def answer(route):
        kind = route.request.resource_type
        if kind == "document":
            route.fulfill(body=shown, content_type="text/html; charset=utf-8")
        elif kind == "script":
            route.abort()
        else:
            route.continue_()

    stand.route("**/*", answer)
    stand.goto(page.url)
    wrong = audit(stand, LESS)
    stand.unroute("**/*")
    return wrong
