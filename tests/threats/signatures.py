"""Signs assertions as an identity provider would, honest or not: every part of the signature can be another."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lxml import etree

from sts.crypto.xmldsig import Expected
from tests.crypto.identities import NOW, private_key

DS = "http://www.w3.org/2000/09/xmldsig#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
SAML20 = "urn:oasis:names:tc:SAML:2.0:assertion"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
ENVELOPED = f'<ds:Transform Algorithm="{DS}enveloped-signature"/>'
EXCLUSIVE_TRANSFORM = f'<ds:Transform Algorithm="{EXCLUSIVE}"/>'

ASSERTION = (
    f'<saml:Assertion xmlns:saml="{SAML20}" ID="_a" IssueInstant="2026-11-21T22:00:00.000Z" Version="2.0">'
    "<saml:Issuer>https://idp.example/</saml:Issuer>"
    "<saml:Subject><saml:NameID>alice@corp.example</saml:NameID></saml:Subject></saml:Assertion>"
)
EXPECTED = Expected(f"{{{SAML20}}}Assertion", "ID", NOW)


def rsa_sha256(data: bytes) -> bytes:
    """Sign as the honest identity provider."""
    return private_key("rsa2048").sign(data, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Recipe:
    """The parts of a signature; the defaults make one that verifies."""

    sign: Callable[[bytes], bytes] = rsa_sha256
    method: str = RSA_SHA256
    c14n: str = EXCLUSIVE
    c14n_children: str = ""
    uri: str = "#_a"
    transforms: str = ENVELOPED + EXCLUSIVE_TRANSFORM
    digest: str = "sha256"
    digest_method: str = SHA256
    key_info: str = ""


def signed(recipe: Recipe, assertion: str = ASSERTION) -> bytes:
    """Sign the assertion, with digest and signature right for what the recipe says."""
    data = canonical(assertion, recipe.transforms.rpartition('Algorithm="')[2].partition('"')[0])
    digest = b64encode(hashlib.new(recipe.digest, data).digest()).decode()
    signed_info = (
        f'<ds:SignedInfo xmlns:ds="{DS}">'
        f'<ds:CanonicalizationMethod Algorithm="{recipe.c14n}">{recipe.c14n_children}</ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{recipe.method}"/>'
        f'<ds:Reference URI="{recipe.uri}"><ds:Transforms>{recipe.transforms}</ds:Transforms>'
        f'<ds:DigestMethod Algorithm="{recipe.digest_method}"/><ds:DigestValue>{digest}</ds:DigestValue>'
        "</ds:Reference></ds:SignedInfo>"
    )
    value = b64encode(recipe.sign(canonical(signed_info, recipe.c14n))).decode()
    signature = (
        f'<ds:Signature xmlns:ds="{DS}">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>'
        f"{recipe.key_info}</ds:Signature>"
    )
    return _inserted(signature, assertion).encode()


def _inserted(signature: str, assertion: str) -> str:
    """After the Issuer, as SAML 2.0 has it, or last, as SAML 1.1 has it."""
    issuer = re.search("</(saml:)?Issuer>", assertion)
    position = issuer.end() if issuer else assertion.rindex("</")
    return assertion[:position] + signature + assertion[position:]


def canonical(text: str, algorithm: str) -> bytes:
    """The canonical form under one of the two algorithms; comments stay where the algorithm says so."""
    return etree.tostring(
        etree.fromstring(text),
        method="c14n",
        exclusive=algorithm.startswith(EXCLUSIVE),
        with_comments=algorithm.endswith("WithComments"),
    )
