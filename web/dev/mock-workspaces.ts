// Development only: the mock's workspaces, one in every state. MOCK_WORKSPACES=empty|full|absent|failed shows the others.
import type * as T from '../src/lib/api/types.ts';

const now = Date.now();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const GIB = 1 << 30;
export const mode = process.env['MOCK_WORKSPACES'] ?? '';

const limits: T.WorkspaceLimits = { cpu_millis: 2_000, memory_bytes: 2 * GIB, pids: 1_024, disk_bytes: 5 * GIB };
const rest: T.WorkspaceRest = { freeze_after_ms: 5 * MINUTE, freeze_open_after_ms: 30 * MINUTE, stop_after_ms: 2 * HOUR, jobs_most_ms: 12 * HOUR };
const usage = (memory: number, disk: number, over: Partial<T.WorkspaceUsage> = {}): T.WorkspaceUsage => ({
  at: now, cpu_usec: 8_400_000, memory_bytes: memory * GIB, memory_peak_bytes: memory * 1.3 * GIB, pids: 74, disk_bytes: disk * GIB,
  disk_limit_bytes: limits.disk_bytes, out_of_memory: 0, ...over,
});
const phases = (...parts: [string, number][]) => parts.map(([name, us]) => ({ name, us }));
const pooled: T.WorkspaceStart = { from: 'pool', phases: phases(['pool', 320], ['home', 4_100], ['mount', 1_900], ['claim', 6_400], ['editor', 81_000]), total_us: 93_720 };
const next = (state: string, at: number, key: string, params: Record<string, unknown>): T.WorkspaceNext => ({ state, at: now + at, reason: { key, params } });

const ACTIONS: T.WorkspaceAction[] = ['open', 'start', 'stop', 'restart', 'keep', 'snapshot', 'clone', 'rename', 'update', 'delete', 'restore', 'purge'];
const OWNER: T.WorkspaceAction[] = ['rename', 'update', 'delete', 'restore', 'purge'];

function offers(item: T.Workspace): T.Offer[] {
  const down = ['stopped', 'failed'].includes(item.observed.state);
  const bin = item.desired === 'recycled';
  return ACTIONS.map((action) => {
    const key =
      item.role === 'viewer' || (item.role === 'editor' && OWNER.includes(action)) ? 'role'
      : ['restore', 'purge'].includes(action) ? (bin ? '' : 'not_recycled')
      : bin ? 'recycled'
      : ['stop', 'restart', 'keep'].includes(action) && down ? 'asleep'
      : action === 'start' && !down ? 'awake' : '';
    return { action, allowed: !key, reason: key ? { key, params: key === 'role' ? { role: item.role } : {} } : null };
  });
}

function workspace(id: string, name: string, state: T.WorkspaceState, over: Partial<T.Workspace> = {}): T.Workspace {
  const made: T.Workspace = {
    id, name, kind: 'named', environment: 'vscode', depth: 'full', role: 'owner', desired: state === 'stopped' ? 'asleep' : 'awake',
    observed: { state, since: now - 3 * MINUTE, start: state === 'queued' ? null : pooled }, actions: [], limits, rest,
    activity: { input_at: now - 60_000, connections: state === 'running' ? 2 : 0, terminals: state === 'running' ? 1 : 0, jobs: [] },
    addresses: { editor: `http://ada-${id}.darter-apps.localhost:7070`, port: `http://{{port}}-${id}.darter-apps.localhost:7070` },
    revision: 3, created_at: now - 200 * HOUR, updated_at: now - HOUR, used_at: now - 20 * MINUTE, ...over,
  };
  made.observed = { ...made.observed, state, ...over.observed };
  made.actions = offers(made);
  return made;
}

const seen = (state: T.WorkspaceState, over: Partial<T.Observed>): T.Observed => ({ state, since: now - 4_000, ...over });

export const workspaces: T.Workspace[] = mode === 'empty' ? [] : [
  workspace('k3m9x2q7ab', 'Thesis', 'running', { usage: usage(0.31, 1.2), next: next('frozen', 27 * MINUTE, 'open_but_quiet', { after_ms: 30 * MINUTE }) }),
  workspace('b8n4v6c1za', 'Climate data', 'frozen', { environment: 'jupyter', usage: usage(0.64, 4.8), next: next('stopped', 96 * MINUTE, 'frozen_for_long', { after_ms: 2 * HOUR }) }),
  workspace('c5t7y2u9wq', 'Compiler exercise', 'starting', { environment: 'go', observed: seen('starting', { start: { from: 'empty', phases: phases(['sandbox', 9_200], ['attendant', 3_400], ['home', 5_100]), total_us: 17_700 } }) }),
  workspace('d1f3g5h7jk', 'Class 7b · sorting', 'queued', { environment: 'java', depth: 'light', observed: seen('queued', { queue: { place: 3, estimate_ms: 4_000 } }) }),
  workspace('e2r4t6y8ui', 'Website', 'stopped', { depth: 'light', used_at: now - 140 * HOUR }),
  workspace('f9d8s7a6po', 'Scratch', 'stopped', { kind: 'temporary', depth: 'light', next: next('purged', 20 * HOUR, 'temporary', { after_ms: 24 * HOUR }) }),
  workspace('g6h5j4k3lm', 'Big model', 'failed', {
    environment: 'jupyter', used_at: now - 4 * MINUTE,
    observed: seen('failed', { trouble: {
      code: 'workspace.editor_crashed', message: 'The editor ended three times within a minute, last with exit code 1. Its last lines are below; open the workspace to try again.',
      at: now - 60_000,
      last_lines: ['[I 14:02:11] Serving notebooks from local directory: /home/user', 'Traceback (most recent call last):', '  File "/home/user/.jupyter/jupyter_lab_config.py", line 3', 'SyntaxError: unterminated string literal (detected at line 3)'],
    } }),
  }),
  workspace('h7u6y5t4re', 'Training run', 'running', {
    environment: 'jupyter', usage: usage(1.9, 2.2, { out_of_memory: 2, memory_peak_bytes: 2 * GIB }), keep_until: now + 100 * MINUTE,
    activity: { input_at: now - 90 * MINUTE, connections: 0, terminals: 1, jobs: [{ pid: 812, name: 'python3 train.py' }] },
    next: next('frozen', 100 * MINUTE, 'kept', { keep_until_at: now + 100 * MINUTE }),
  }),
  workspace('i4o3p2l1kj', 'Grace’s notebook', 'running', { role: 'viewer', environment: 'rust-1', usage: usage(0.4, 0.2) }),
];
export const bin: T.Workspace[] = mode === 'empty' ? [] : [
  workspace('j2w3e4r5ty', 'Old attempt', 'stopped', { desired: 'recycled', recycled_at: now - 50 * HOUR, next: next('purged', 640 * HOUR, 'recycled', { after_ms: 720 * HOUR }) }),
];

type Call = { query: URLSearchParams; body: Record<string, unknown> | null; match: string[] };
type Answer = { status?: number; body?: unknown };
type Route = [method: string, pattern: RegExp, run: (call: Call) => Answer];
const fault = (status: number, code: string, message: string, details = {}): Answer => ({ status, body: { error: { code, message, details, request_id: 'req_7f2k9' } } });
const all = () => [...workspaces, ...bin];
const of = (call: Call) => all().find((item) => item.id === call.match[1]);
const W = '/workspaces/([^/]+)';
const re = (pattern: string) => new RegExp(`^${pattern}$`);
const on = (run: (item: T.Workspace, call: Call) => Answer) => (call: Call) => {
  const item = of(call);
  return item ? run(item, call) : fault(404, 'workspace.not_found', 'There is no workspace with this id, or you are not a member of it. Check the id and which account you use.');
};
const become = (state: T.WorkspaceState, desired: T.WorkspaceDesired) => on((item) => {
  Object.assign(item, { desired, observed: { ...item.observed, state, since: Date.now() }, next: null, usage: state === 'running' ? usage(0.2, 1) : null });
  item.actions = offers(item);
  return { body: item };
});

function list(call: Call): Answer {
  if (mode === 'absent') return fault(503, 'workspace.not_offered', 'This server runs no workspaces. Ask its operator.');
  if (mode === 'failed') return fault(500, 'server.internal', 'Something went wrong on the server. Try again; if it stays, give the operator the request id.');
  return { body: { items: call.query.get('desired') === 'recycled' ? bin : workspaces } };
}

function create(call: Call): Answer {
  if (mode === 'full') return fault(409, 'workspace.quota_reached', 'You own 10 workspaces and may own 10. Delete one that is not needed, or ask the operator for more.', { owned: 10, limit: 10 });
  const made = workspace(`n${Math.random().toString(36).slice(2, 11)}`, String(call.body?.['name']), 'starting', call.body as Partial<T.Workspace>);
  workspaces.unshift(made);
  return { status: 201, body: made };
}

const entry = (name: string, type: T.FileKind, size = 4_096, age = HOUR): T.FolderEntry => ({ name, type, size, modified_ms: now - age, mode: 0o644 });
const folders: Record<string, T.FolderEntry[]> = {
  '/home/user': [
    entry('thesis', 'directory'), entry('figures', 'directory', 4_096, 50 * HOUR), entry('.config', 'directory'), entry('.bashrc', 'file', 3_771, 900 * HOUR), entry('analysis.py', 'file', 1_834, 12 * MINUTE),
    entry('notes.txt', 'file', 412), entry('data.csv', 'file', 48_213_004, 70 * HOUR), entry('latest', 'link', 0), { name: '', name_b64: '/3Nr', type: 'file', size: 3, modified_ms: now, mode: 0o644 },
  ],
  '/home/user/thesis': [entry('chapter-2.md', 'file', 21_004), entry('chapter-10.md', 'file', 18_230), entry('logo.png', 'file', 81_222)],
};
const python = `import csv\nfrom pathlib import Path\n\n\ndef mean(values: list[float]) -> float:\n    """The mean, or zero when there is nothing."""\n    return sum(values) / len(values) if values else 0.0\n\n\nwith Path("data.csv").open() as file:\n    rows = list(csv.DictReader(file))\n\nprint(f"{len(rows)} rows, mean {mean([float(row['t']) for row in rows]):.2f} °C")\n`;
const ports: T.Port[] = mode === 'bare' ? [] : [
  { port: 3000, visibility: 'private', protocol: 'http', listening: true, address: '127.0.0.1', program: 'node', url: 'http://3000-k3m9x2q7ab.darter-apps.localhost:7070' },
  { port: 8000, visibility: 'public', protocol: 'http', listening: true, address: '0.0.0.0', program: 'python3', url: 'http://8000-k3m9x2q7ab.darter-apps.localhost:7070' },
  { port: 8443, visibility: 'signed_in', protocol: 'https', listening: false, address: '', program: '', url: 'http://8443-k3m9x2q7ab.darter-apps.localhost:7070' },
];
const shares: T.PortShare[] = mode === 'bare' ? [] : [{ id: 'sh_1', port: 3000, created_at: now - 3 * HOUR, expires_at: now + 21 * HOUR }];
const portOf = (call: Call) => ports.find((port) => String(port.port) === call.match[2]);

function share(call: Call): Answer {
  const made = { id: `sh_${shares.length + 1}`, port: Number(call.match[2]), created_at: Date.now(), expires_at: Date.now() + Number(call.body?.['for_ms']) };
  shares.push(made);
  return { status: 201, body: { ...made, url: `http://${made.port}-k3m9x2q7ab.darter-apps.localhost:7070/.darter/share?key=Zr4tYb8nWc1vLs6pHd3gJk5aQ7xM2m` } };
}

function cloned(item: T.Workspace, call: Call): Answer {
  const made = workspace(`c${Math.random().toString(36).slice(2, 11)}`, String(call.body?.['name']), 'stopped', { environment: item.environment, depth: item.depth });
  workspaces.push(made);
  return { status: 201, body: made };
}

export const workspaceRoutes: Route[] = [
  ['POST', re(`${W}/open`), on((item) => ({ body: { url: item.addresses.editor, expires_at: now + MINUTE } }))],
  ['POST', re(`${W}/clone`), on(cloned)],
  ['GET', re(`${W}/folder`), (call) => {
    const entries = folders[call.query.get('path') ?? ''];
    return entries ? { body: { entries, more: false } } : fault(404, 'file.not_found', 'There is nothing at this path.');
  }],
  ['GET', re(`${W}/files`), (call) => ({ body: call.query.get('path')?.endsWith('.png') ? { raw: 'PNG\0\0' } : { raw: python } })],
  ['PUT', re(`${W}/files`), () => ({ status: 204 })],
  ['POST', re(`${W}/files`), () => ({ status: 204 })],
  ['GET', re(`${W}/ports`), () => ({ body: { items: ports } })],
  ['PUT', re(`${W}/ports/(\\d+)`), (call) => ({ body: Object.assign(portOf(call) ?? {}, call.body) })],
  ['POST', re(`${W}/ports/(\\d+)/shares`), share],
  ['GET', re(`${W}/shares`), () => ({ body: { items: shares } })],
  ['GET', re('/workspaces'), list],
  ['POST', re('/workspaces'), create],
  ['GET', re(W), on((item) => ({ body: item }))],
  ['PATCH', re(W), on((item, call) => ({ body: Object.assign(item, call.body, { revision: item.revision + 1 }) }))],
  ['POST', re(`${W}/(?:start|restart)`), become('starting', 'awake')],
  ['POST', re(`${W}/stop`), become('stopped', 'asleep')],
  ['POST', re(`${W}/keep`), on((item, call) => {
    const until = call.body?.['for_ms'] === 0 ? null : Date.now() + 2 * HOUR;
    return { body: Object.assign(item, { keep_until: until, next: until ? { ...item.next, at: until, reason: { key: 'kept', params: { keep_until_at: until } } } : null }) };
  })],
];

/** The workspace now: its numbers move, so that graphs live. */
export function lively(id: string): T.Workspace | undefined {
  const item = all().find((one) => one.id === id);
  if (item?.usage) {
    const wave = Math.sin(Date.now() / 9_000) * 0.5 + 0.5;
    const ms = Date.now() - item.usage.at;
    item.usage = {
      ...item.usage, at: Date.now(), cpu_usec: item.usage.cpu_usec + Math.round(ms * 1_000 * (0.1 + wave * Math.random())),
      memory_bytes: Math.min(item.limits.memory_bytes, Math.round(item.usage.memory_bytes * (0.98 + Math.random() * 0.04))),
    };
  }
  return item;
}
