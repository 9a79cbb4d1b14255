// A relying party with passport-wsfed-saml2: reads {"options", "wresult"} on standard input and writes what it makes
// of them, {"user"} or {"refused"}.
'use strict';

const { Strategy } = require('passport-wsfed-saml2');

// passport-wsfed-saml2 takes a JWT as the whole of `wresult`: take it out of its BinarySecurityToken first.
function unwrapJwt(req, res, next) {
  const token = /<wsse:BinarySecurityToken[^>]*>([^<]*)</.exec((req.body && req.body.wresult) || '');
  if (token) req.body.wresult = Buffer.from(token[1], 'base64').toString('ascii');
  next();
}

function signIn({ options, wresult }, answer) {
  const strategy = new Strategy(options, (profile, done) => done(null, profile));
  const req = { method: 'POST', body: { wa: 'wsignin1.0', wresult }, headers: {} };
  strategy.success = (user) => answer({ user });
  strategy.fail = (reason) => answer({ refused: String((reason && reason.message) || reason) });
  strategy.error = (error) => answer({ refused: error.message });
  strategy.redirect = (address) => answer({ redirected: address });
  if (!options.jwt) return strategy.authenticate(req, {});
  unwrapJwt(req, null, () => strategy.authenticate(req, {}));
}

const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
signIn(input, (answer) => process.stdout.write(JSON.stringify(answer)));
