// Development only: the mock server's world. Shapes are the console's own types, so a wrong one does not compile.
import type * as T from '../src/lib/api/types.ts';

const now = Date.now();
const MINUTE = 60_000;
const HOUR = 3_600_000;
let seed = 7;
export const random = () => ((seed = (seed * 16807) % 2147483647) - 1) / 2147483646;

export const limits: T.AppLimits = {
  cpu_millis: 1_000, memory_bytes: 256 << 20, pids: 64, disk_bytes: 64 << 20, instances_min: 0, instances_max: 1,
  concurrency: 100, queue: 500, freeze_after_ms: 30_000, stop_after_ms: 600_000, total_timeout_ms: 60_000,
  idle_timeout_ms: 60_000, loop_timeout_ms: 5_000, request_body_bytes: 10 << 20, rate_app: 20_000, rate_client: 20_000,
};

function day(peak: number, bad: number): T.Day {
  const calls = Array.from({ length: 96 }, (_, index) => {
    const wave = Math.max(0, Math.sin(((index - 22) / 96) * Math.PI * 1.6));
    return Math.round(peak * wave * (0.6 + random() * 0.7));
  });
  return { calls, errors: calls.map((value) => (random() < bad ? Math.round(value * random() * 0.25) : 0)) };
}

export function app(id: string, name: string, over: Partial<T.App> = {}): T.App {
  return {
    id, name, state: 'running', role: 'owner', url: `http://${id}.darter-apps.localhost:7070`, functions: 0, limits,
    actions: ['start', 'stop', 'restart', 'delete', 'edit', 'rename'], revision: 1,
    created_at: now - 40 * 24 * HOUR, updated_at: now - 12 * MINUTE, day: { calls: Array(96).fill(0), errors: Array(96).fill(0) }, ...over,
  };
}

export const apps: T.App[] = [
  app('a1b2c3d4e5', 'Guestbook', { functions: 7, day: day(220, 0.18) }),
  app('q7w8e9r0t1', 'Image resizer', { functions: 3, day: day(1800, 0.04) }),
  app('z4x5c6v7b8', 'Homework checker', { functions: 12, day: day(64, 0.3) }),
  app('m2n3b4v5c6', 'Telegram bot', { functions: 2, day: day(12, 0) }),
  app('p9o8i7u6y5', 'Weather proxy', { functions: 1, state: 'stopped', actions: ['start', 'delete', 'edit', 'rename'] }),
  app('l1k2j3h4g5', 'Old prototype', { functions: 4, state: 'recycled', recycled_at: now - 50 * HOUR, actions: ['restore', 'purge'] }),
];

export const hello = `import cloud from '@lafjs/cloud'
import { greet } from '@/api/greet'

interface Visitor {
  name: string
  visits: number
}

const visitors = new Map<string, Visitor>()

// Module state lives between calls, as long as the instance does.
export default async function (ctx: FunctionContext) {
  const name = String(ctx.query.name ?? 'world')
  const known = visitors.get(name) ?? { name, visits: 0 }
  known.visits += 1
  visitors.set(name, known)
  console.log('visit', known.visits, 'of', name)

  if (known.visits > 100) {
    throw new Error(\`\${name} comes too often\`)
  }
  return { message: greet(name), visits: known.visits, app: cloud.appid }
}
`;

const NAMES = ['hello', 'api/greet', 'api/users', 'api/users/avatar', 'jobs/nightly', '__interceptor__', '__init__'];
export const functions: T.Fn[] = NAMES.map((name, index) => ({
  id: `fn_${index}`, name, description: index === 0 ? 'Greets a visitor and counts the visits' : '', methods: ['GET', 'POST'],
  live_version: index === 4 ? null : 3 + index, changed: index === 2 || index === 4, updated_at: now - index * HOUR, updated_by: 'ada',
  url: `http://a1b2c3d4e5.darter-apps.localhost:7070/${name}`, source: index === 0 ? hello : `export default async function (ctx: FunctionContext) {\n  return '${name}'\n}\n`,
  revision: 10 + index, created_at: now - 20 * 24 * HOUR,
}));

export const account: T.Account = {
  id: 'ac_1', username: 'ada', email: 'ada@example.org', display_name: 'Ada Lovelace', administrator: true, avatar_url: null,
  has_password: true, created_at: now - 90 * 24 * HOUR,
};

const MESSAGES: [T.LogLevel, string][] = [
  ['info', 'visit 3 of Ada'],
  ['info', 'visit 41 of Grace'],
  ['debug', "cache miss for 'api/users?page=2', asking the upstream"],
  ['warn', 'the upstream took 1,840 ms; the limit is 2,000'],
  ['info', '{ order: 4711, state: "paid", items: [ { sku: "A-1", count: 2 }, { sku: "B-9", count: 1 } ] }'],
  ['error', "Error: Grace comes too often\n    at default (hello.ts:19:11)\n    at async invoke (api/users.ts:8:3)"],
];
export function line(index: number, time: number): T.LogLine {
  const [level, message] = MESSAGES[Math.floor(random() * MESSAGES.length)] ?? ['info', ''];
  return {
    cursor: String(index).padStart(12, '0'), time, source: 'function', level, message, version: 3,
    function: NAMES[Math.floor(random() * 4)] ?? 'hello', request_id: `req_${Math.floor(random() * 1e12).toString(36)}`,
  };
}
export const logs: T.LogLine[] = Array.from({ length: 400 }, (_, index) => line(index, now - (400 - index) * 7_300));

export function metrics(range: string): T.Metrics {
  const step = range === 'hour' ? MINUTE : range === 'day' ? 15 * MINUTE : 2 * HOUR;
  const length = range === 'hour' ? 60 : range === 'day' ? 96 : 84;
  const since = now - length * step;
  const series = Array.from({ length }, (_, index) => {
    const wave = Math.max(0.04, Math.sin(((index - 8) / length) * Math.PI * 1.3));
    const calls = Math.round(900 * wave * (0.7 + random() * 0.5));
    const p50 = 1_400 + random() * 900;
    return {
      time: since + index * step, calls, errors: random() < 0.15 ? Math.round(calls * random() * 0.08) : 0,
      p50_us: p50, p95_us: p50 * (2.4 + random()), p99_us: p50 * (5 + random() * 6),
    };
  });
  const starts = Array.from({ length: 9 }, (_, index) => ({
    time: now - index * 47 * MINUTE, from: index % 3 === 0 ? 'stopped' : 'frozen',
    phases: index % 3 === 0
      ? [{ name: 'pool', us: 320 }, { name: 'mount', us: 900 }, { name: 'runtime', us: 1_900 + random() * 800 }, { name: 'load', us: 1_800 }]
      : [{ name: 'thaw', us: 700 + random() * 500 }],
  }));
  return {
    since, step, series, starts,
    functions: NAMES.slice(0, 5).map((name, index) => ({
      function: name, calls: Math.round(48_000 / (index + 1) ** 1.6), errors: index === 2 ? 310 : index, p50_us: 1_500 + index * 700,
      p95_us: 4_200 + index * 3_000, p99_us: 12_000 + index * 18_000, starts: 9 - index,
    })),
  };
}

export const versions: T.VersionSource[] = [3, 2, 1].map((number) => ({
  number, live: number === 3, author: number === 2 ? 'grace' : 'ada', digest: `sha256:${number}f3a9`,
  message: ['First version', 'Counts the visits', 'Refuses visitors who come too often'][number - 1] ?? '',
  source_bytes: 640, created_at: now - (4 - number) * 9 * HOUR, url: `http://v${number}--a1b2c3d4e5.darter-apps.localhost:7070/hello`,
  source: number === 3 ? hello.replace('100', '50') : number === 2 ? hello.replace(/\n {2}if[\s\S]*?\n {2}}\n/, '\n') : "export default async function (ctx: FunctionContext) {\n  return 'Hello'\n}\n",
}));

export const dependencies: T.Dependencies = {
  packages: { zod: '^4.0.0', nanoid: '^5.0.0', sharp: '^0.34.0' },
  installed: { zod: '4.1.12', nanoid: '5.1.6', sharp: '0.34.4' },
  digest: 'sha256:77aa', bytes: 31_400_000,
  install: { id: 'in_1', state: 'installed', phase: 'store', message: null, output: ['added 14 packages in 3s'], started_at: now - 3 * HOUR, ended_at: now - 3 * HOUR + 6_000 },
  built_in: { '@lafjs/cloud': '1.0.0', axios: '1.12.2', dayjs: '1.11.18', ejs: '3.1.10', express: '4.21.2', jsonwebtoken: '9.0.2', lodash: '4.17.21', mongodb: '5.9.2', multer: '2.0.2', nodemailer: '7.0.9', pako: '2.1.0', validator: '13.15.15', ws: '8.18.3' },
};

export const world = {
  variables: [
    { name: 'GREETING', value: 'Hello', updated_at: now - 5 * HOUR },
    { name: 'UPSTREAM_URL', value: 'https://api.example.org/v2/very/long/path/that/does/not/fit', updated_at: now - 30 * HOUR },
  ] as T.Variable[],
  secrets: [{ name: 'STRIPE_KEY', updated_at: now - 80 * HOUR, updated_by: 'ada' }] as T.Secret[],
  domains: [
    { host: 'guests.example.org', verified: true, challenge: 'darter-4f9a2c', created_at: now - 100 * HOUR },
    { host: 'www.example.org', verified: false, challenge: 'darter-77b1de', created_at: now - HOUR },
  ] as T.Domain[],
  members: [
    { account: 'ac_1', username: 'ada', display_name: 'Ada Lovelace', role: 'owner', since: now - 900 * HOUR },
  ] as T.Member[],
  instances: [{
    id: 'in_7k2m', state: 'idle', since: now - 14_000, next_state: 'frozen', next_at: now + 16_000, in_flight: 0, requests_total: 18_220,
    memory_bytes: 61 << 20, memory_peak_bytes: 84 << 20, cpu_usec: 41_000_000,
  }] as T.Instance[],
  sessions: [
    { id: 'se_1', current: true, created_at: now - 5 * HOUR, last_used_at: now, expires_at: now + 700 * HOUR, user_agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36', address: '127.0.0.1' },
    { id: 'se_2', current: false, created_at: now - 90 * HOUR, last_used_at: now - 20 * HOUR, expires_at: now + 600 * HOUR, user_agent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1', address: '192.168.1.20' },
  ] as T.Session[],
  tokens: [{ id: 'to_1', name: 'laptop', scopes: ['read', 'write'], hint: 'dat_9fK2', created_at: now - 300 * HOUR, expires_at: now + 900 * HOUR, last_used_at: now - 2 * HOUR }] as T.Token[],
  identities: [{ provider: 'github', label: 'ada-l', created_at: now - 200 * HOUR }] as T.Identity[],
  invitations: [{ id: 'iv_1', email: 'grace@example.org', uses_left: 1, created_at: now - HOUR, expires_at: now + 160 * HOUR }] as T.Invitation[],
  accounts: [
    { id: 'ac_1', username: 'ada', email: 'ada@example.org', administrator: true, disabled: false, apps: 5, created_at: now - 900 * HOUR, last_seen_at: now },
    { id: 'ac_2', username: 'grace', email: 'grace@example.org', administrator: false, disabled: false, apps: 2, created_at: now - 400 * HOUR, last_seen_at: now - 30 * HOUR },
    { id: 'ac_3', username: 'mallory', email: 'mallory@example.org', administrator: false, disabled: true, apps: 0, created_at: now - 100 * HOUR, last_seen_at: null },
  ] as T.AdminAccount[],
  settings: { signup: 'open', apps_per_account: 20 } as T.Settings,
  walls: [
    { name: 'namespaces', standing: true, required: true, detail: 'user, pid, mount, net, ipc, uts, cgroup', what_to_do: '' },
    { name: 'cgroup', standing: true, required: true, detail: 'v2: cpu, memory, pids, freezer', what_to_do: '' },
    { name: 'seccomp', standing: true, required: true, detail: 'allow-list of 210 calls', what_to_do: '' },
    { name: 'landlock', standing: false, required: false, detail: 'the kernel has no Landlock', what_to_do: 'Boot a kernel from 5.13 on with CONFIG_SECURITY_LANDLOCK=y and “landlock” in the lsm= parameter.' },
  ] as T.Wall[],
  audit: ['function.publish', 'app.update', 'secret.set', 'token.create', 'session.create'].map((operation, index) => ({
    id: `au_${index}`, time: now - index * 83 * MINUTE, actor: 'ac_1', actor_name: 'ada', operation, object: index === 0 ? 'a1b2c3d4e5/hello' : 'a1b2c3d4e5',
    app: 'a1b2c3d4e5', address: '127.0.0.1', request_id: `req_${index}9fk2`, details: index === 0 ? { version: 3 } : {},
  })) as T.AuditEntry[],
};
