"""One class per cause. The message is for the caller, `detail` for the log; neither ever holds a secret.

`code` is the number that Azure Access Control Service used for the cause, where it had one. HTTP statuses, OAuth
error names and SOAP faults are chosen in `sts.protocols`, from the class.
"""

from collections.abc import Sequence
from typing import ClassVar, Final

NO_CREDENTIAL: Final = 0  # in place of the number of one


class StsError(Exception):
    """Anything that the service refuses, with a sentence for the caller and one for the log."""

    code: ClassVar[str] = "ACS50000"
    needs_operator: ClassVar[bool] = False  # an alarm in the log: it stays so until a person acts

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.caller: str | None = None  # for the log: whose credentials held before this was refused

    @property
    def codes(self) -> str:
        """The code and the message, as callers see them."""
        return f"{self.code}: {self.message}"


class BadRequest(StsError):
    """The message does not have the protocol's shape."""

    code = "ACS90013"


class MissingField(BadRequest):
    """A required field is not there."""

    code = "ACS90011"

    def __init__(self, name: str) -> None:
        super().__init__(f"The required field '{name}' is missing.")


class MethodNotAllowed(BadRequest):
    """The HTTP method is not one of this address's."""

    def __init__(self, *allowed: str) -> None:
        super().__init__(f"this address answers {' and '.join(allowed)} only")
        self.allowed = allowed


class InvalidScope(BadRequest):
    """The request does not say for whom the token is, or for more than one."""


class InvalidTimeRange(BadRequest):
    """A token is asked for with a lifetime that cannot be."""


class UnsupportedGrant(StsError):
    """The grant type is not one of this endpoint's."""

    code = "ACS70003"


class UnsupportedCoding(BadRequest):
    """The body is compressed, or encoded otherwise for its transport, which is not undone here (RFC 9110, 8.4)."""


class PayloadTooLarge(StsError):
    """The message is larger than any real one."""

    code = "ACS90013"


class InsecureTransport(StsError):
    """The message came over plain http where TLS is required."""

    code = "ACS90013"


class InvalidReply(BadRequest):
    """The address that an answer should go to is not registered for the relying party, or may not be used."""

    code = "ACS50011"


class InvalidState(BadRequest):
    """An answer that belongs to no sign-in which this browser began here; one answer for every reason."""

    code = "ACS20001"

    def __init__(self, *, detail: str) -> None:
        super().__init__(
            "This sign-in was not begun in this browser, took too long or is finished already; begin again.",
            detail=detail,
        )


class NotWsFederation(BadRequest):
    """The message is none of WS-Federation's."""

    code = "ACS20012"


class InvalidSignInRequest(BadRequest):
    """A WS-Federation sign-in request that cannot be read; `inner` says what is wrong with it."""

    code = "ACS20000"

    def __init__(self, inner: BadRequest) -> None:
        super().__init__("There was an error processing a WS-Federation sign-in request.", detail=inner.detail)
        self.inner = inner

    @property
    def codes(self) -> str:
        """The codes and messages of both, chained as ACS did."""
        return f"{super().codes} {self.inner.codes}"


class InvalidSignInResponse(BadRequest):
    """A WS-Federation sign-in response that cannot be read or trusted; one answer for every reason."""

    code = "ACS20001"

    def __init__(self, *, detail: str) -> None:
        super().__init__("There was an error processing a WS-Federation sign-in response.", detail=detail)


class TooManyRequests(StsError):
    """Too many failures from this source or for this name; try later."""

    code = "ACS90055"

    def __init__(self, message: str, *, retry_after: int, detail: str | None = None) -> None:
        super().__init__(message, detail=detail)
        self.retry_after = retry_after


class NamespaceNotFound(StsError):
    """No such namespace."""

    code = "ACS50001"


class RelyingPartyNotFound(StsError):
    """No enabled relying party has this realm."""

    code = "ACS50001"


class FormatNotOffered(StsError):
    """The relying party's token format cannot be delivered by this protocol."""


class KeyNotOffered(StsError):
    """A relying party takes no tokens that are bound to such a key."""


class UnableToRenew(StsError):
    """A token cannot be renewed by whoever asks, or not any more (WS-Trust 1.3, 11)."""


class AuthenticationFailed(StsError):
    """The caller is not who it says; one answer for every reason, the reason in `detail`."""

    code = "ACS50012"

    def __init__(self, *, detail: str) -> None:
        super().__init__("Authentication failed.", detail=detail)


class InvalidToken(StsError):
    """A token that cannot be read or trusted. Readers raise the subclass of their format."""

    code = "ACS50008"


class InvalidSamlToken(InvalidToken):
    """A SAML assertion that is not valid."""

    code = "ACS50008"


class InvalidEncryptedToken(InvalidToken):
    """An encrypted token that is refused, for whatever reason: before, while or after it was decrypted.

    One answer for all of them, the reason in `detail`: the difference would be an oracle for its content.
    `decrypted_by` is for the log as well: the credential whose key fitted, NO_CREDENTIAL where none of ours did, None
    where none was tried.
    """

    code = "ACS50008"

    def __init__(self, *, detail: str, decrypted_by: int | None = None) -> None:
        super().__init__("The encrypted token is not valid.", detail=detail)
        self.decrypted_by = decrypted_by


class InvalidSwtToken(InvalidToken):
    """A simple web token that is not valid."""

    code = "ACS50009"


class InvalidJwtToken(InvalidToken):
    """A JSON web token that is not valid."""

    code = "ACS50027"


class InvalidSignature(InvalidToken):
    """The signature does not verify under any trusted key."""

    code = "ACS50006"


class InvalidAudience(InvalidToken):
    """The token is for somebody else."""

    code = "ACS50010"


class ReplayedToken(InvalidToken):
    """The token was used before; `decrypted_by` is the credential that opened it, None where it came plain."""

    code = "ACS50013"

    def __init__(self, message: str, *, detail: str | None = None, decrypted_by: int | None = None) -> None:
        super().__init__(message, detail=detail)
        self.decrypted_by = decrypted_by


class AccessDenied(StsError):
    """The rules give this caller no claim for this relying party."""

    code = "ACS60001"


class MayNotAct(AccessDenied):
    """Whoever asks may not obtain tokens for somebody else."""


class MissingClaim(AccessDenied):
    """A claim that the caller cannot do without is none that the rules make."""


class RulesFailed(StsError):
    """The rules do not come to an end, or the input is too large."""

    code = "ACS60000"


class IssuingFailed(StsError):
    """No token can be issued for this relying party until a person acts; the message says how."""


class NoSigningCertificate(IssuingFailed):
    """No certificate may sign."""

    code = "ACS50004"


class NoSigningKey(IssuingFailed):
    """No symmetric key may sign."""

    code = "ACS50003"


class NoIssuingAuthority(IssuingFailed):
    """No tenant CA certificate may issue."""

    code = "ACS50004"


class NoEncryptionCertificate(IssuingFailed):
    """Encryption is required and there is no valid certificate to encrypt to."""

    code = "ACS50005"


class UnwritableClaim(IssuingFailed):
    """A claim holds what the token format cannot carry."""


class MetadataUnavailable(StsError):
    """Federation metadata cannot be signed."""

    code = "ACS20002"
    needs_operator = True


class StoreUnavailable(StsError):
    """The database is away and the operation needs it."""

    code = "ACS60021"


class ClockInDoubt(StsError):
    """The clock cannot be believed just now; nothing that cannot be taken back is done by it."""


class KeyUnreadable(StsError):
    """A stored secret does not open under the master key."""

    needs_operator = True


class OperatorError(StsError):
    """An operator's command is refused."""

    code = "ACS80001"


class NotFound(OperatorError):
    """The named thing does not exist."""


class Conflict(OperatorError):
    """The state of things forbids it (a primary cannot be deleted, a name is taken)."""


class StaleVersion(Conflict):
    """The thing was changed since the caller saw it (If-Match, RFC 9110, 13.1.1)."""


class InvalidCertificate(OperatorError):
    """A certificate or key file that is not acceptable."""


class InvalidConfiguration(OperatorError):
    """A configuration file or the settings have faults; all of them are listed."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class MasterKeyError(OperatorError):
    """The master key is missing, wrong, or readable by others; the service does not start."""


class InvalidMetadata(OperatorError):
    """A partner's metadata document that cannot be read, or that must not be believed."""

    code = "ACS20003"


class PartnerUnreachable(OperatorError):
    """A partner's metadata document cannot be fetched, or must not be."""

    code = "ACS90005"


class AuditBroken(OperatorError):
    """The audit trail was altered; `sequence` is its first broken record."""

    def __init__(self, sequence: int, fault: str) -> None:
        super().__init__(f"audit record {sequence} {fault}")
        self.sequence = sequence
