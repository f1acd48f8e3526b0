// The public API's shapes as the console uses them. Only data; the server's words are the truth (docs/reference).
// Times are milliseconds since 1970, sizes bytes, durations microseconds where a name ends in `_us`.

export type Page<T> = { items: T[]; next?: string | null };

export type SignUpMode = 'open' | 'invitation' | 'closed';
export type Provider = { id: string; name: string };
export type AuthMethods = { signup: SignUpMode; first: boolean; providers: Provider[]; mail: boolean };
export type SignUp = { username: string; email: string; password: string; display_name?: string; invitation?: string };
export type SignIn = { login: string; password: string };
export type System = { version: string; apps_domain: string; scheme: string; port: string };

export type Account = {
  id: string;
  username: string;
  email: string;
  display_name: string;
  administrator: boolean;
  avatar_url?: string | null;
  has_password: boolean;
  created_at: number;
};
export type Session = {
  id: string;
  current: boolean;
  created_at: number;
  last_used_at: number;
  expires_at: number;
  user_agent: string;
  address: string;
};
export type TokenScope = 'read' | 'write' | 'admin';
export type Token = {
  id: string;
  name: string;
  scopes: TokenScope[];
  hint: string;
  created_at: number;
  expires_at?: number | null;
  last_used_at?: number | null;
};
export type CreateToken = { name: string; scopes: TokenScope[]; expires_at?: number | null };
export type CreatedToken = { token: Token; secret: string };
export type Identity = { provider: string; label: string; created_at: number };
export type Invitation = { id: string; email?: string | null; uses_left: number; created_at: number; expires_at: number };
export type CreateInvitation = { email?: string; uses?: number; hours?: number };
export type CreatedInvitation = { invitation: Invitation; code: string; url: string };

export type AppState = 'running' | 'stopped' | 'recycled';
export type Role = 'viewer' | 'editor' | 'owner';
export type AppAction = 'start' | 'stop' | 'restart' | 'delete' | 'restore' | 'purge' | 'edit' | 'rename';
export type AppLimits = {
  cpu_millis: number;
  memory_bytes: number;
  pids: number;
  disk_bytes: number;
  instances_min: number;
  instances_max: number;
  concurrency: number;
  queue: number;
  freeze_after_ms: number;
  stop_after_ms: number;
  total_timeout_ms: number;
  idle_timeout_ms: number;
  loop_timeout_ms: number;
  request_body_bytes: number;
  rate_app: number;
  rate_client: number;
};
export type Day = { calls: number[]; errors: number[] };
export type App = {
  id: string;
  name: string;
  state: AppState;
  role: Role;
  url: string;
  functions: number;
  limits: AppLimits;
  actions: AppAction[];
  revision: number;
  created_at: number;
  updated_at: number;
  recycled_at?: number | null;
  day?: Day | null;
};
export type Domain = { host: string; verified: boolean; challenge: string; created_at: number };
export type Member = {
  account: string;
  username: string;
  display_name: string;
  avatar_url?: string | null;
  role: Role;
  since: number;
};
export type InstanceState = 'starting' | 'active' | 'idle' | 'frozen' | 'stopping';
export type Instance = {
  id: string;
  state: InstanceState;
  since: number;
  next_state?: string | null;
  next_at?: number | null;
  in_flight: number;
  requests_total: number;
  memory_bytes: number;
  memory_peak_bytes: number;
  cpu_usec: number;
};

export type FunctionSummary = {
  id: string;
  name: string;
  description: string;
  methods: string[];
  live_version?: number | null;
  changed: boolean;
  updated_at: number;
  updated_by: string;
  url: string;
};
export type Fn = FunctionSummary & { source: string; revision: number; created_at: number };
export type CreateFunction = { name: string; description?: string; methods?: string[]; source?: string };
export type UpdateFunction = { name?: string; description?: string; methods?: string[]; source?: string };
export type Publish = { message?: string; source?: string };
export type Version = {
  number: number;
  live: boolean;
  author: string;
  message: string;
  digest: string;
  source_bytes: number;
  created_at: number;
  url: string;
};
export type VersionSource = Version & { source: string };
export type Phase = { name: string; us: number };
export type Published = { version: Version; phases: Phase[]; warnings: string[] };
export type Diagnostic = { line: number; column: number; message: string };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogLine = {
  cursor: string;
  time: number;
  source: 'function' | 'platform';
  level: LogLevel;
  function: string;
  version: number;
  request_id: string;
  message: string;
};
export type LogQuery = {
  function?: string;
  version?: number;
  request_id?: string;
  level?: LogLevel;
  since?: number;
  until?: number;
  text?: string;
  cursor?: string;
  limit?: number;
};
export type RunRequest = {
  source?: string;
  method?: string;
  query?: string;
  headers?: Record<string, string>;
  body?: string;
  user?: unknown;
};
export type RunResult = {
  request_id: string;
  status: number;
  headers: [string, string][];
  body: string;
  base64: boolean;
  truncated: boolean;
  logs: LogLine[];
  duration_us: number;
  phases: Phase[];
};

export type MetricsRange = 'hour' | 'day' | 'week';
export type FunctionMetrics = {
  function: string;
  calls: number;
  errors: number;
  p50_us: number;
  p95_us: number;
  p99_us: number;
  starts: number;
};
export type Bucket = { time: number; calls: number; errors: number; p50_us: number; p95_us: number; p99_us: number };
export type Start = { time: number; from: string; phases: Phase[] };
export type Metrics = { since: number; step: number; functions: FunctionMetrics[]; series: Bucket[]; starts: Start[] };

export type Variable = { name: string; value: string; updated_at: number };
export type Secret = { name: string; updated_at: number; updated_by: string };
export type InstallState = 'running' | 'installed' | 'failed' | 'interrupted';
export type Install = {
  id: string;
  state: InstallState;
  phase: string;
  message?: string | null;
  output: string[];
  started_at: number;
  ended_at?: number | null;
};
export type Dependencies = {
  packages: Record<string, string>;
  installed: Record<string, string>;
  digest?: string | null;
  bytes: number;
  install?: Install | null;
  built_in: Record<string, string>;
};

export type Settings = { signup: SignUpMode; apps_per_account: number };
export type AdminAccount = {
  id: string;
  username: string;
  email: string;
  administrator: boolean;
  disabled: boolean;
  apps: number;
  created_at: number;
  last_seen_at?: number | null;
};
export type UpdateAdminAccount = { administrator?: boolean; disabled?: boolean };
export type Wall = { name: string; standing: boolean; required: boolean; detail: string; what_to_do: string };
export type AuditEntry = {
  id: string;
  time: number;
  actor: string;
  actor_name: string;
  operation: string;
  object: string;
  app?: string | null;
  address: string;
  request_id: string;
  details: unknown;
};
