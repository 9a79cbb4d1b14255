"""The page that brings a token: prepared once, and for every form what the template makes of it."""

from collections.abc import Iterator

import pytest
from flask import Flask
from lxml import html

from sts.core.addresses import origin_of
from sts.protocols.wsfed import PostForm
from sts.web.sign_in_pages import post_page

HOSTILE = "\"'><script>alert(1)</script>&amp; %s %(value)s %% {{ 7*7 }} \u2028 \U0001f600 \\1"


@pytest.fixture
def app() -> Iterator[Flask]:
    """Where the templates are."""
    found = Flask("sts.web", static_folder=None)
    with found.app_context():
        yield found


def _main(tree: html.HtmlElement) -> bytes:
    main = tree.find(".//main")
    assert main is not None
    return bytes(html.tostring(main, with_tail=False))


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("https://orders.example/signin", (("wa", "wsignin1.0"), ("wresult", '<t:A b="c">d</t:A>'), ("wctx", "rm=0"))),
        ("https://orders.example/a?x=%41&y='z'", (("wa", HOSTILE),)),
        ("https://orders.example/signin", ((HOSTILE, HOSTILE), ("%(fields)s", "%(host)s"))),
        ("https://orders.example/signin", ()),
    ],
)
def test_prepared_page_is_what_the_template_makes(app: Flask, action: str, fields: tuple[tuple[str, str], ...]) -> None:
    form = PostForm(action, fields)
    page = html.document_fromstring(post_page(form).get_data(as_text=True))
    rendered = app.jinja_env.get_template("post.html").render(form=form, host=origin_of(action), style="", script="")
    wanted = html.document_fromstring(rendered)
    for tree in (page, wanted):
        assert tree.xpath("//form/@action") == [action]
        assert [(each.get("name"), each.get("value")) for each in tree.findall(".//input")] == list(fields)
        assert not tree.xpath("//main//script")
    written, template = (_main(tree) for tree in (page, wanted))
    assert written == template


def test_prepared_page_carries_the_style_and_script_whose_hashes_its_policy_names(app: Flask) -> None:
    page = post_page(PostForm("https://orders.example/signin", ()))
    text = page.get_data(as_text=True)
    tree = html.document_fromstring(text)
    assert "%%" not in str(tree.findtext(".//style"))
    assert "submit()" in str(tree.findtext(".//script"))
    assert "form-action https://orders.example;" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
