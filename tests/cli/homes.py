"""What the home folder of the tests holds."""

PASSWORD = "correct horse battery staple"
CONTOSO = """\
namespace: contoso
relying_parties:
  - {name: orders, realm: https://orders.example/, token_format: jwt, rule_groups: [everything]}
  - {name: bills, realm: https://bills.example/, token_format: swt, managed: true, rule_groups: [everything]}
service_identities:
  - {name: worker, password: env:PASSWORD}
rule_groups:
  - {name: everything, rules: [{input: {issuer: LOCAL AUTHORITY}}]}
"""
