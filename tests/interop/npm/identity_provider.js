// An identity provider with npm `wsfed` and `saml`: reads {"version", "options", "user"} on standard input and writes
// {"wresult"} or {"error"}.
'use strict';

const saml = require('saml');
const wsfed = require('wsfed');

function answer(value) {
  process.stdout.write(JSON.stringify(value));
}

// SAML 1.1 by the middleware of `wsfed`, which writes the whole response.
function saml11({ options, query, user }) {
  const middleware = wsfed.auth({
    ...options,
    getPostURL: (realm, reply, req, done) => done(null, reply),
    responseHandler: (res, address, context, wresult) => answer({ wresult, address, context }),
  });
  middleware({ query, user }, {}, (error) => answer({ error: String(error) }));
}

// SAML 2.0 by `saml`, in the same response.
function saml20({ options, query }) {
  const more = { ...options, lifetimeInSeconds: 600, audiences: query.wtrealm };
  saml.Saml20.create(more, (error, assertion) => {
    if (error) return answer({ error: String(error) });
    const trust = 'http://schemas.xmlsoap.org/ws/2005/02/trust';
    answer({
      wresult:
        `<t:RequestSecurityTokenResponse xmlns:t="${trust}"><t:RequestedSecurityToken>${assertion}` +
        '</t:RequestedSecurityToken></t:RequestSecurityTokenResponse>',
    });
  });
}

const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));
({ saml11, saml20 })[input.version](input);
