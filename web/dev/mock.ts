// Development only: a small stand-in for the server, to work on pages without one. Never part of a build.
// `npm run mock`, then `npm run dev`. Flags by environment: MOCK_FIRST=1 (no account yet), MOCK_EMPTY=1 (no apps).
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { account, app, apps, dependencies, functions, line, logs, metrics, versions, world } from './mock-data.ts';
import { terminalUpgrade } from './mock-terminal.ts';
import { lively, workspaceRoutes } from './mock-workspaces.ts';

type Answer = { status?: number; body?: unknown };
type Call = { method: string; path: string; query: URLSearchParams; body: Record<string, unknown> | null; match: string[] };
type Route = [method: string, pattern: RegExp, run: (call: Call) => Answer];

let signedIn = process.env['MOCK_FIRST'] !== '1' && process.env['MOCK_OUT'] !== '1';
let first = process.env['MOCK_FIRST'] === '1';
const shownApps = process.env['MOCK_EMPTY'] === '1' ? [] : apps;
let conflict = process.env['MOCK_CONFLICT'] === '1';

const page = (items: unknown[]): Answer => ({ body: { items } });
const fault = (status: number, code: string, message: string, details = {}): Answer => ({
  status, body: { error: { code, message, details, request_id: 'req_7f2k9' } },
});
const appOf = (call: Call) => [...shownApps, ...apps].find((item) => item.id === call.match[1]);
const fnOf = (call: Call) => functions.find((item) => item.name === decodeURIComponent(call.match[2] ?? ''));
const A = '/apps/([^/]+)';
const F = `${A}/functions/([^/]+)`;
const re = (pattern: string) => new RegExp(`^${pattern}$`);

function published(call: Call): Answer {
  const fn = fnOf(call);
  const source = String(call.body?.['source'] ?? fn?.source ?? '');
  if (source.includes('((')) {
    return fault(400, 'function.syntax', 'The source has a syntax error; nothing was published.', {
      diagnostics: [{ line: 11, column: 16, message: "Expected `)` but found `{`" }],
    });
  }
  if (!fn) return fault(404, 'function.not_found', 'There is no such function.');
  Object.assign(fn, { source, live_version: (fn.live_version ?? 0) + 1, changed: false, revision: fn.revision + 1 });
  const version = { ...versions[0], number: fn.live_version, live: true, message: call.body?.['message'] ?? '' };
  return { body: { version, phases: [{ name: 'compile', us: 900 }, { name: 'store', us: 2100 }, { name: 'swap', us: 1500 }], warnings: [] } };
}

function saved(call: Call): Answer {
  const fn = fnOf(call);
  if (!fn) return fault(404, 'function.not_found', 'There is no such function.');
  if (conflict) {
    conflict = false;
    Object.assign(fn, { revision: fn.revision + 5, source: fn.source.replace('comes too often', 'was here before'), updated_by: 'grace' });
    return fault(412, 'function.stale', 'Somebody else changed this function since you read it.');
  }
  Object.assign(fn, call.body, { revision: fn.revision + 1, changed: true });
  return { body: fn };
}

function ran(call: Call): Answer {
  const time = Date.now();
  return {
    body: {
      request_id: 'req_01j9x4k2m7', status: 200, headers: [['content-type', 'application/json; charset=utf-8'], ['request-id', 'req_01j9x4k2m7'], ['content-length', '64']],
      body: JSON.stringify({ message: 'Hello, Ada', visits: 1, app: 'a1b2c3d4e5', query: call.body?.['query'] }), base64: false, truncated: false,
      logs: [{ ...line(1, time), level: 'info', message: 'visit 1 of Ada' }], duration_us: 6_420,
      phases: [{ name: 'compile', us: 820 }, { name: 'pool', us: 310 }, { name: 'load', us: 2_900 }, { name: 'run', us: 2_390 }],
    },
  };
}

const routes: Route[] = [
  ['GET', re('/system'), () => ({ body: { version: '0.1.0', apps_domain: 'darter-apps.localhost', scheme: 'http', port: ':7070' } })],
  ['GET', re('/auth/methods'), () => ({ body: { signup: world.settings.signup, first, mail: false, providers: first ? [] : [{ id: 'github', name: 'GitHub' }, { id: 'campus', name: 'Campus' }] } })],
  ['POST', re('/auth/signin'), (call) => call.body?.['password'] === 'wrong' ? fault(401, 'auth.wrong', 'The name or the password is wrong.') : ((signedIn = true), { body: account })],
  ['POST', re('/auth/signup'), () => ((signedIn = true), (first = false), { status: 201, body: account })],
  ['POST', re('/auth/signout'), () => ((signedIn = false), { status: 204 })],
  ['GET', re('/me'), () => (signedIn ? { body: account } : fault(401, 'auth.required', 'Sign in first.'))],
  ['PATCH', re('/me'), (call) => ({ body: Object.assign(account, call.body) })],
  ['GET', re('/me/sessions'), () => page(world.sessions)],
  ['GET', re('/me/tokens'), () => page(world.tokens)],
  ['POST', re('/me/tokens'), (call) => ({ status: 201, body: { token: { ...world.tokens[0], ...call.body, id: 'to_2' }, secret: 'dat_9fK2mQ7xZr4tYb8nWc1vLs6pHd3gJk5a' } })],
  ['GET', re('/me/identities'), () => page(world.identities)],
  ['GET', re('/me/audit|/audit'), () => page(world.audit)],
  ['GET', re('/apps'), (call) => page(shownApps.filter((item) => (call.query.get('state') === 'recycled') === (item.state === 'recycled')))],
  ['POST', re('/apps'), (call) => ({ status: 201, body: (shownApps.unshift(app('n3w4p5p6x7', String(call.body?.['name']))), shownApps[0]) })],
  ['GET', re(A), (call) => (appOf(call) ? { body: appOf(call) } : fault(404, 'app.not_found', 'There is no app with this id, or it is not yours.'))],
  ['PATCH', re(A), (call) => ({ body: Object.assign(appOf(call) ?? {}, call.body) })],
  ['POST', re(`${A}/(start|stop|restart|restore)`), (call) => ({ body: Object.assign(appOf(call) ?? {}, { state: call.match[2] === 'stop' ? 'stopped' : 'running' }) })],
  ['GET', re(`${A}/instances`), () => page(world.instances)],
  ['GET', re(`${A}/members`), () => page(world.members)],
  ['GET', re(`${A}/audit`), () => page(world.audit)],
  ['GET', re(`${A}/domains`), () => page(world.domains)],
  ['GET', re(`${A}/functions`), (call) => page(call.match[1] === 'a1b2c3d4e5' ? functions : [])],
  ['POST', re(`${A}/functions`), (call) => ({ status: 201, body: (functions.push({ ...functions[0]!, ...(call.body as object), id: `fn_${functions.length}`, live_version: null }), functions.at(-1)) })],
  ['GET', re(F), (call) => (fnOf(call) ? { body: fnOf(call) } : fault(404, 'function.not_found', 'There is no such function.'))],
  ['PATCH', re(F), saved],
  ['POST', re(`${F}/publish`), published],
  ['POST', re(`${F}/run`), ran],
  ['POST', re(`${F}/rollback`), () => ({ body: { version: versions[1], phases: [], warnings: [] } })],
  ['GET', re(`${F}/versions`), (call) => page(fnOf(call)?.live_version ? versions : [])],
  ['GET', re(`${F}/versions/(\\d+)`), (call) => ({ body: versions.find((item) => String(item.number) === call.match[3]) })],
  ['GET', re(`${A}/environment`), () => page(world.variables)],
  ['GET', re(`${A}/secrets`), () => page(world.secrets)],
  ['GET', re(`${A}/dependencies`), () => ({ body: dependencies })],
  ['PUT', re(`${A}/dependencies`), (call) => ({ status: 202, body: Object.assign(dependencies, call.body, { install: { ...dependencies.install, state: 'running', phase: 'download', output: [] } }) })],
  ['GET', re(`${A}/logs`), (call) => page(logs.filter((item) => !call.query.get('text') || item.message.includes(call.query.get('text') ?? '')).slice(-200).reverse())],
  ['GET', re(`${A}/metrics`), (call) => ({ body: metrics(call.query.get('range') ?? 'day') })],
  ...workspaceRoutes,
  ['GET', re('/invitations'), () => page(world.invitations)],
  ['POST', re('/invitations'), () => ({ status: 201, body: { invitation: world.invitations[0], code: 'inv-7k2m-9fq4', url: 'http://darter.localhost:7070/sign-up?invitation=inv-7k2m-9fq4' } })],
  ['GET', re('/admin/accounts'), () => page(world.accounts)],
  ['GET', re('/admin/settings'), () => ({ body: world.settings })],
  ['GET', re('/admin/doctor'), () => page(world.walls)],
];

function stream(response: ServerResponse, path: string): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let index = 1_000;
  const workspace = /^\/workspaces\/([^/]+)\/events$/.exec(path)?.[1];
  const install = path.endsWith('/events');
  const tell = () => {
    index += 1;
    if (workspace) response.write(`event: workspace\ndata: ${JSON.stringify(lively(workspace))}\n\n`);
    else if (install) response.write(`event: output\ndata: ${JSON.stringify(`fetched package ${index - 1000} of 14`)}\n\n`);
    else response.write(`event: log\ndata: ${JSON.stringify(line(index, Date.now()))}\n\n`);
  };
  tell();
  const timer = setInterval(tell, 900);
  response.on('close', () => clearInterval(timer));
}

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://mock');
  const path = url.pathname.replace('/api/v1', '');
  if (path.endsWith('/stream') || path.endsWith('/events')) return stream(response, path);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : null;
  let answer: Answer = ['GET', 'POST', 'PUT', 'PATCH'].includes(request.method ?? '') ? fault(404, 'server.no_route', `The mock has no ${request.method} ${path}.`) : { status: 204 };
  for (const [method, pattern, run] of routes) {
    const match = pattern.exec(path);
    if (method === request.method && match) {
      answer = run({ method, path, query: url.searchParams, body, match: [...match] });
      break;
    }
  }
  response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' });
  const raw = (answer.body as { raw?: string } | undefined)?.raw;
  response.end(raw ?? (answer.body === undefined ? undefined : JSON.stringify(answer.body)));
}

createServer((request, response) => void handle(request, response)).on('upgrade', terminalUpgrade).listen(Number(process.env['MOCK_PORT'] ?? 7171), '127.0.0.1');
