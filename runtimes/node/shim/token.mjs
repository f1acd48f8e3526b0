// JSON Web Tokens of an app's users: HS256, HS384, HS512 with the app's own secret. Asymmetric ones and `none` are refused.

const { createRequire } = process.getBuiltinModule('node:module');


// Loading crypto costs milliseconds; most apps never verify a token.
const load = createRequire(import.meta.url);

const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };
const HEADER = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');

function sign(text, secret, hash) {
  return load('node:crypto').createHmac(hash, secret).update(text).digest();
}

/**
 * Signs a payload. `iat` is added unless it is there.
 * @param {object | string} payload
 * @param {string} secret
 */
export function makeToken(payload, secret) {
  if (typeof secret !== 'string' || secret === '') throw new Error('A token needs a secret: SERVER_SECRET is empty.');
  const claims = typeof payload === 'object' && payload !== null ? { ...payload, iat: payload.iat ?? Math.floor(Date.now() / 1000) } : payload;
  const text = `${HEADER}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
  return `${text}.${sign(text, secret, 'sha256').toString('base64url')}`;
}

/**
 * The payload of a token, or null when it is not valid (any more).
 * @param {string} token
 * @param {string} secret
 */
export function parseToken(token, secret) {
  if (typeof token !== 'string' || token === '' || typeof secret !== 'string' || secret === '') return null;
  const parts = token.split('.');
  if (parts.length !== 3) return null;
  try {
    const hash = HASHES[JSON.parse(Buffer.from(parts[0], 'base64url').toString()).alg];
    if (hash === undefined) return null;
    const given = Buffer.from(parts[2], 'base64url');
    const right = sign(`${parts[0]}.${parts[1]}`, secret, hash);
    if (given.length !== right.length || !load('node:crypto').timingSafeEqual(given, right)) return null;
    const payload = JSON.parse(Buffer.from(parts[1], 'base64url').toString());
    const now = Math.floor(Date.now() / 1000);
    if (payload !== null && typeof payload === 'object') {
      if (payload.exp !== undefined && !(typeof payload.exp === 'number' && now < payload.exp)) return null;
      if (payload.nbf !== undefined && !(typeof payload.nbf === 'number' && now >= payload.nbf)) return null;
    }
    return payload;
  } catch {
    return null;
  }
}

/** The token of an `Authorization: Bearer` header, or ''. */
export function bearer(authorization) {
  const match = /^Bearer\s+(\S+)$/i.exec(authorization ?? '');
  return match === null ? '' : match[1];
}
