"""The same pages without scripts, without a mouse, in the dark; and what everybody needs of a page."""

from pathlib import Path
from urllib.parse import quote

import pytest

from tests.browser.conftest import Visitors
from tests.browser.demo import Demo
from tests.browser.visitor import Visitor

AUDIT = """() => {
  const faults = [], all = s => [...document.querySelectorAll(s)];
  const say = (what, e) => faults.push(`${what}: ${e ? e.outerHTML.slice(0, 80) : ''}`);
  if (!document.documentElement.lang) say('no language');
  if (!document.title.trim()) say('no title');
  if (all('h1').length != 1) say('not one main heading');
  if (all('main').length != 1) say('no main part');
  all('input:not([type=hidden])').filter(e => !e.labels.length).forEach(e => say('no label', e));
  all('img:not([alt])').forEach(e => say('no alternative text', e));
  all('iframe:not([title])').forEach(e => say('no title', e));
  all('a, button').filter(e => !e.innerText.trim()).forEach(e => say('no name', e));
  all('[tabindex]').filter(e => e.tabIndex > 0).forEach(e => say('an order of its own', e));
  const rgb = text => text.match(/[0-9.]+/g).map(Number);
  const paper = e => {
    for (let at = e; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3]) return found;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
  };
  const light = colour => colour.slice(0, 3).map(c => c / 255)
    .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  all('h1, h2, p, a, li, label, button, input, dt, dd, th, td, code').filter(e => e.offsetParent).forEach(e => {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(paper(e))];
    if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) say('too little contrast', e);
  });
  return faults;
}"""


def test_everything_works_without_scripts_by_buttons(visitors: Visitors, demo: Demo) -> None:
    visitor = visitors(java_script_enabled=False)
    visitor.sign_in_without_scripts(demo.orders)
    assert visitor.heading == "Orders: welcome, bob"
    visitor.follow("Sign out everywhere")
    assert visitor.heading == "You are being signed out"
    visitor.follow("Continue")
    visitor.follow("Continue")
    visitor.arrive(demo.orders)
    assert visitor.page.get_by_text("Nobody is signed in here").is_visible()


def test_keyboard_is_enough(visitor: Visitor, demo: Demo) -> None:
    visitor.go(demo.orders)
    visitor.reach("Sign in")
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_role("heading", name="Sign in to Orders").wait_for()
    visitor.reach("An account here")
    assert visitor.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    visitor.page.keyboard.press("Enter")
    visitor.page.get_by_label("Password").wait_for()
    visitor.page.keyboard.type("alice")  # the form has the focus already
    visitor.page.keyboard.press("Tab")
    visitor.page.keyboard.type(demo.password("alice"))
    visitor.page.keyboard.press("Enter")
    visitor.arrive(demo.orders)
    assert visitor.heading == "Orders: welcome, alice"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_what_everybody_needs(visitors: Visitors, demo: Demo, scheme: str) -> None:
    visitor = visitors(color_scheme=scheme)
    visitor.statuses |= {400, 401}
    service = f"{demo.base_url}/demo/v2/wsfederation"
    realm = quote(demo.orders, safe="")
    addresses = [
        f"{demo.base_url}/",
        demo.orders,
        f"{service}?wa=wsignin1.0&wtrealm={realm}",
        f"{service}?wa=wsignin1.0&wtrealm={realm}&whr=somebody@nowhere.example",
        f"{service}?wa=wsignin1.0&wtrealm={realm}&whr=local",
        f"{service}?wa=wsignin1.0&wtrealm=unknown",
        f"{service}?wa=wsignout1.0",
    ]
    for address in addresses:
        visitor.go(address)
        assert (address, visitor.page.evaluate(AUDIT)) == (address, [])
    visitor.sign_in(demo.orders, "An account here", "alice")
    assert visitor.page.evaluate(AUDIT) == []


LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmützenfabrikantenvereinigung"
LONG_NAMES = f"""
namespace: long
identity_providers:
  - {{name: here, kind: local, display_name: {LONG}}}
  - {{name: there, kind: local, display_name: There, email_domains: [there.example]}}
relying_parties:
  - {{name: {"warehouse_" * 6}, realm: "https://long.example/", token_format: jwt,
     reply: ["https://long.example/"], identity_providers: [here, there]}}
"""


def test_pages_fit_a_telephone(visitors: Visitors, demo: Demo, tmp_path: Path) -> None:
    file = tmp_path / "long.yaml"
    file.write_text(LONG_NAMES, encoding="utf-8")
    demo.sts("apply", str(file))
    visitor = visitors(viewport={"width": 320, "height": 640})
    visitor.statuses.add(400)
    service = f"{demo.base_url}/long/v2/wsfederation?wa=wsignin1.0&wtrealm="
    pages = (f"{service}https://long.example/", f"{service}https://long.example/&whr=here", f"{service}{LONG * 5}")
    for address in (f"{demo.base_url}/", demo.orders, f"{demo.orders}sign-in", *pages):
        visitor.go(address)
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320
    visitor.sign_in(demo.orders, "The partner", "bob")
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320
