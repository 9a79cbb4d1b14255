"""Write a SOAP message that asks for a token over WS-Trust 1.3, good for five minutes and for one use.

python trust_request.py ENDPOINT NAME PASSWORD REALM [Bearer|SymmetricKey]
"""

import sys
import uuid
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

TRUST = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
MESSAGE = """<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing">
  <s:Header>
    <a:Action s:mustUnderstand="1">{trust}/RST/Issue</a:Action>
    <a:MessageID>urn:uuid:{message_id}</a:MessageID>
    <a:To s:mustUnderstand="1">{endpoint}</a:To>
    <wsse:Security s:mustUnderstand="1"
        xmlns:wsse="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
        xmlns:wsu="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd">
      <wsu:Timestamp><wsu:Created>{created}</wsu:Created><wsu:Expires>{expires}</wsu:Expires></wsu:Timestamp>
      <wsse:UsernameToken>
        <wsse:Username>{name}</wsse:Username><wsse:Password>{password}</wsse:Password>
      </wsse:UsernameToken>
    </wsse:Security>
  </s:Header>
  <s:Body>
    <t:RequestSecurityToken xmlns:t="{trust}">
      <t:RequestType>{trust}/Issue</t:RequestType>
      <t:KeyType>{trust}/{key_type}</t:KeyType>
      <wsp:AppliesTo xmlns:wsp="http://schemas.xmlsoap.org/ws/2004/09/policy">
        <a:EndpointReference><a:Address>{realm}</a:Address></a:EndpointReference>
      </wsp:AppliesTo>
    </t:RequestSecurityToken>
  </s:Body>
</s:Envelope>
"""


def message(endpoint: str, name: str, password: str, realm: str, key_type: str = "Bearer") -> str:
    """The message, made now."""
    now = datetime.now(UTC)
    return MESSAGE.format(
        trust=TRUST,
        message_id=uuid.uuid4(),
        created=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        expires=f"{now + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}",
        endpoint=escape(endpoint),
        name=escape(name),
        password=escape(password),
        realm=escape(realm),
        key_type=key_type,
    )


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    print(message(*sys.argv[1:]))
