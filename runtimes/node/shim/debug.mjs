// Laf's debug run: a request that brings its own code, signed with a develop token, and gets its log lines back.

import { app } from './app.mjs';
import { answerPlain } from './answer.mjs';
import { headersOf } from './head.mjs';
import { adopt, dispatch } from './invoke.mjs';
import { parseToken } from './token.mjs';

const { gunzipSync, gzipSync } = process.getBuiltinModule('node:zlib');

const MAX_CODE = 4 << 20;
const MAX_LOGS = 32 << 10;

/** Runs the function that the headers carry, under the name in the path. */
export async function run(invocation, name) {
  const headers = headersOf(invocation.fields);
  const token = parseToken(headers['x-laf-develop-token'], app.secret);
  if (token?.type !== 'develop') return answerPlain(invocation, 403, 'permission denied: invalid develop token');
  const definition = read(headers, name);
  if (definition === undefined) return answerPlain(invocation, 400, 'x-laf-debug-data is not base64 of gzipped JSON with source.compiled in it');
  const since = performance.now();
  invocation.scope.logs = [];
  invocation.debugHead = () => debugHead(invocation.scope.logs, since);
  return dispatch(adopt(invocation, app.graph.detached(definition)));
}

function read(headers, name) {
  try {
    const packed = headers['x-laf-debug-data'];
    const text = packed === undefined ? decodeURIComponent(headers['x-laf-func-data']) : gunzipSync(Buffer.from(packed, 'base64'), { maxOutputLength: MAX_CODE }).toString();
    const data = JSON.parse(text);
    if (typeof data.source?.compiled !== 'string') return undefined;
    return { name, version: 0, code: data.source.compiled, map: null, methods: Array.isArray(data.methods) ? data.methods : [], imports: [] };
  } catch {
    return undefined;
  }
}

function debugHead(logs, since) {
  const lines = [...logs];
  let packed = pack(lines);
  while (packed.length > MAX_LOGS && lines.length > 0) {
    lines.splice(0, Math.ceil(lines.length / 2));
    packed = pack(['… earlier lines are cut', ...lines]);
  }
  return `\nx-laf-debug-logs\n${packed}\nx-laf-debug-time-usage\n${Math.round(performance.now() - since)}`;
}

function pack(lines) {
  return gzipSync(JSON.stringify(lines)).toString('base64');
}
