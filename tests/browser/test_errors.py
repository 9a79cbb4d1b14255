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
