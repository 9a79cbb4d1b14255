"""Somebody at a browser, who notices every fault that it reports."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page

from tests.browser.demo import Demo

LIMIT = 20_000  # milliseconds for any one step, on a machine that does other things
WIDTH, HEIGHT = 900, 640  # of the window
TALLEST = 900  # of a picture
TELL = "addEventListener('securitypolicyviolation', e => console.error('policy', e.violatedDirective, e.blockedURI))"


@dataclass
class Visitor:
    """A person with a browser of their own."""

    context: BrowserContext
    demo: Demo
    pictures: Path | None
    statuses: set[int] = field(default_factory=set)  # of refusals that the test wants to see
    _faults: list[str] = field(default_factory=list)
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        self.context.set_default_timeout(LIMIT)
        self.context.add_init_script(TELL)
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self._faults.append(str(error.error)))
        self.page = self.context.new_page()

    @property
    def faults(self) -> list[str]:
        """What the browser complained about, without the refusals that the test wants to see."""
        wanted = tuple(f"Failed to load resource: the server responded with a status of {s} " for s in self.statuses)
        return [fault for fault in self._faults if not (wanted and fault.startswith(wanted))]

    @property
    def heading(self) -> str:
        """The heading of the page."""
        return self.page.locator("h1").inner_text()

    @property
    def claims(self) -> list[tuple[str, str]]:
        """What the sample application shows of the token."""
        rows = self.page.get_by_role("table", name="What the token says").locator("tbody tr")
        return [(row.locator("th").inner_text(), row.locator("td").inner_text()) for row in rows.all()]

    @property
    def checks(self) -> list[str]:
        """What the sample application says it verified."""
        return self.page.get_by_role("list", name="What was verified").get_by_role("listitem").all_inner_texts()

    @property
    def token(self) -> str:
        """The token as the sample application shows it."""
        return self.page.locator("pre").inner_text()

    def go(self, address: str) -> None:
        """Type an address."""
        self.page.goto(address)

    def follow(self, name: str) -> None:
        """Follow a link."""
        self.page.get_by_role("link", name=name, exact=True).click()

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def type(self, name: str, password: str | None = None) -> None:
        """Fill in the form for name and password, and send it."""
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password or self.demo.password(name))
        self.press("Sign in")

    def arrive(self, address: str) -> None:
        """Wait until the browser is at an address."""
        self.page.wait_for_url(address)

    def sign_in(self, application: str, provider: str, name: str) -> None:
        """Sign in to a sample application, by the account of a person at an identity provider."""
        self.go(application)
        self.follow("Sign in")
        self.follow(provider)
        self.type(name)
        self.arrive(application)

    def sign_in_without_scripts(self, application: str) -> None:
        """Sign in by the partner, pressing every button that a script would press."""
        self.go(application)
        self.follow("Sign in")
        self.follow("The partner")
        self.type("bob")
        self.press("Continue")  # from the partner to the service
        self.press("Continue")  # from the service to the application
        self.arrive(application)

    def reach(self, name: str) -> None:
        """Press Tab until what has this name has the focus."""
        for _ in range(20):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.innerText") == name:
                return
        raise AssertionError(f"the keyboard does not reach '{name}'")

    def picture(self, name: str) -> None:
        """Keep a picture for the documents, if pictures are wanted."""
        if self.pictures is not None:
            self.page.mouse.move(0, 0)
            height = self.page.evaluate("Math.ceil(document.body.getBoundingClientRect().height)")
            self.page.screenshot(
                path=self.pictures / f"{name}.png",
                clip={"x": 0, "y": 0, "width": WIDTH, "height": min(height, TALLEST)},
                full_page=True,
                caret="hide",
            )

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._faults.append(message.text)

    def leave(self) -> None:
        """Close the browser."""
        try:
            self.context.close()
        except Error as error:
            self._faults.append(str(error))
