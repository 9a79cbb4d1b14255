"""What people and applications see when a sign-in is refused."""

from pathlib import Path

import pytest

from tests.browser.demo import Demo
from tests.browser.visitor import Visitor

CLOSED = """
namespace: demo
relying_parties:
  - name: Closed
    realm: {sample}/closed/
    reply: ["{sample}/orders/"]
    {error_url}
    token_format: saml20
    identity_providers: [local]
    rule_groups: [closed]
rule_groups:
  - name: closed
    rules: [{{input: {{issuer: nobody}}}}]
"""


@pytest.fixture
def closed(demo: Demo, tmp_path: Path) -> str:
    """An application whose rules let nobody in; answers the address at which people sign in to it."""
    file = tmp_path / "closed.yaml"
    error_url = f"error_url: {demo.orders}error"
    file.write_text(CLOSED.format(sample=demo.sample_url, error_url=error_url))
    demo.sts("apply", str(file))
    return f"{demo.base_url}/demo/v2/wsfederation?wa=wsignin1.0&wtrealm={demo.sample_url}/closed/&wctx=here"


def test_unknown_application_is_told_on_a_page_with_the_code(visitor: Visitor, demo: Demo) -> None:
    visitor.statuses.add(400)
    visitor.go(f"{demo.base_url}/demo/v2/wsfederation?wa=wsignin1.0&wtrealm=https://unknown.example/")
    assert visitor.heading == "This application is not known here"
    assert "ACS50001" in visitor.page.get_by_role("alert").inner_text()
    assert visitor.page.get_by_text("Trace ID").is_visible()
    visitor.picture("refused")


def test_application_is_told_at_its_error_address(visitor: Visitor, demo: Demo, closed: str) -> None:
    visitor.statuses |= {400, 403}
    visitor.go(closed)
    visitor.type("alice")
    visitor.arrive(f"{demo.orders}error")
    assert visitor.heading == "Orders: not signed in"
    assert visitor.page.get_by_role("alert").inner_text().startswith("ACS")
    assert visitor.page.get_by_role("row", name="context here").is_visible()


@pytest.mark.parametrize(
    "details",
    [
        *("", "x", "[]", '"a"', "1", "null", "{}", '{"errors": null}', '{"errors": 1}', '{"errors": "ab"}'),
        *('{"errors": [{}]}', '{"errors": [[]]}', '{"errors": [null]}', '{"errors": {"a": 1}}'),
        *('{"errors": [], "a": "\\ud800"}', "[" * 60_000, "1" * 5_000),
    ],
)
def test_error_address_of_the_application_refuses_what_no_token_service_writes(
    visitor: Visitor, demo: Demo, details: str
) -> None:
    answer = visitor.context.request.post(f"{demo.orders}error", form={"ErrorDetails": details})
    assert (answer.status, "ErrorDetails is not what the token service writes." in answer.text()) == (400, True)


def test_error_address_of_the_application_shows_what_it_is_told(visitor: Visitor, demo: Demo) -> None:
    details = '{"errors": [{"errorCode": "ACS20001", "errorMessage": "<b>no</b>"}], "context": null}'
    answer = visitor.context.request.post(f"{demo.orders}error", form={"ErrorDetails": details})
    assert (answer.status, "ACS20001: &lt;b&gt;no&lt;/b&gt;" in answer.text()) == (403, True)
    assert visitor.context.request.post(f"{demo.sample_url}/nothing/error").status == 404
