// The public API's shapes as the console uses them: the generated ones, narrowed where a field is one of a few words.
// Times are milliseconds since 1970, sizes bytes, durations microseconds where a name ends in `_us`.
import type * as G from './generated';

export type {
  Account, AdminAccount, AuditEntry, AuthMethods, Bucket, CreatedInvitation, CreateFunction, CreateInvitation, Day, Domain, Environment,
  FoundPackage, FunctionMetrics, FunctionSummary, Identity, Invitation, Metrics, Phase, Provider, Publish, Published, Secret, Session, Settings, Snapshot,
  SignIn, SignUp, SignUpMode, Start, System, UpdateAccount as UpdateMe, UpdateAdminAccount, UpdateFunction, UpdateSettings,
  Variable, Version, VersionSource, Wall,
} from './generated';
export type Fn = G.Function;

/** `T` with other types for some of the fields that it has: a field that is gone is a fault of the compiler. */
type Narrow<T, N extends { [K in keyof N]: K extends keyof T ? unknown : never }> = Omit<T, keyof N> & N;

export type Page<T> = { items: T[]; next?: string | null };

export type TokenScope = 'read' | 'write' | 'admin';
export type Token = Narrow<G.Token, { scopes: TokenScope[] }>;
export type CreateToken = Narrow<G.CreateToken, { scopes: TokenScope[] }>;
export type CreatedToken = Narrow<G.CreatedToken, { token: Token }>;

export type AppState = 'running' | 'stopping' | 'stopped' | 'recycled';
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
export type App = Narrow<G.App, { state: AppState; role: Role; actions: AppAction[]; limits: AppLimits }>;
export type Member = Narrow<G.Member, { role: Role }>;
export type InstanceState = 'starting' | 'active' | 'idle' | 'frozen' | 'stopping';
export type Instance = Narrow<G.Instance, { state: InstanceState }>;

export type Diagnostic = { line: number; column: number; message: string };
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogLine = Narrow<G.LogLine, { source: 'function' | 'platform'; level: LogLevel }>;
export type LogQuery = NonNullable<G.LogSearchData['query']>;
export type RunRequest = G.RunRequest;
export type RunResult = Narrow<G.RunResult, { headers: [string, string][]; logs: LogLine[] }>;

export type MetricsRange = 'hour' | 'day' | 'week';
export type InstallState = 'running' | 'installed' | 'failed' | 'interrupted';
export type Install = Narrow<G.Install, { state: InstallState }>;
export type Dependencies = Narrow<G.Dependencies, { install?: Install | null }>;

export type WorkspaceKind = 'named' | 'temporary';
export type WorkspaceDepth = 'light' | 'full';
export type WorkspaceDesired = 'awake' | 'asleep' | 'recycled';
export type WorkspaceState =
  | 'stopped' | 'queued' | 'starting' | 'pausing' | 'running' | 'frozen' | 'reclaimed' | 'stopping' | 'failed';
export type WorkspaceAction =
  | 'open' | 'start' | 'stop' | 'restart' | 'keep' | 'rename' | 'update' | 'snapshot' | 'clone' | 'delete' | 'restore' | 'purge';
export type WorkspaceLimits = { cpu_millis: number; memory_bytes: number; pids: number; disk_bytes: number };
export type WorkspaceRest = { freeze_after_ms: number; freeze_open_after_ms: number; stop_after_ms: number; jobs_most_ms: number };
export type WorkspaceUsage = G.Usage;
export type WorkspaceNext = G.Next;
export type Reason = G.Reason;
export type Offer = Narrow<G.Offer, { action: WorkspaceAction }>;
/** Named apart from an app's start, whose name in the description of the API it shares. */
export type WorkspaceStart = { from: string; phases: G.Phase[]; total_us: number };
export type Trouble = G.Trouble;
export type Observed = Narrow<G.Observed, { state: WorkspaceState; start?: WorkspaceStart | null; trouble?: Trouble | null }>;
export type Workspace = Narrow<
  G.Workspace,
  {
    kind: WorkspaceKind;
    depth: WorkspaceDepth;
    role: Role;
    desired: WorkspaceDesired;
    observed: Observed;
    actions: Offer[];
    limits: WorkspaceLimits;
    rest: WorkspaceRest;
  }
>;
export type CreateWorkspace = Narrow<G.CreateWorkspace, { kind?: WorkspaceKind; depth?: WorkspaceDepth }>;
export type UpdateWorkspace = Narrow<
  G.UpdateWorkspace,
  { kind?: WorkspaceKind; depth?: WorkspaceDepth; limits?: WorkspaceLimits; rest?: WorkspaceRest }
>;

export type PortVisibility = 'private' | 'signed_in' | 'public';
export type PortProtocol = 'http' | 'https';
export type Port = Narrow<G.Port, { visibility: PortVisibility; protocol: PortProtocol }>;
export type PortShare = G.PortShare;
export type FileKind = 'file' | 'directory' | 'link' | 'other';
export type FolderEntry = Narrow<G.FolderEntry, { type: FileKind }>;
export type FolderList = Narrow<G.FolderList, { entries: FolderEntry[] }>;
export type FileChange = G.FileChange;
