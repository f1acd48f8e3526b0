// Every operation of the public API that the console uses, by name. Pages call these and nothing else.
// Paths, methods and shapes come from the generated client; here is only what a page passes and what it gets.
import * as sdk from './generated/sdk.gen';
import type {
  AuthProviderStartData,
  AppExportData,
  DependencyEventsData,
  LanguageConnectData,
  LogTailData,
  FileArchiveData,
  FileReadData,
  SnapshotReadData,
  WorkspaceEventsData,
  WorkspaceTerminalData,
} from './generated/types.gen';
import { address, ifMatch, once } from './request';
import type * as T from './types';

export * from './types';
export { ApiError } from './error';

/** Answers in the console's words: the same shapes, with the values of the fields that are one of a few. */
const as = <R>(answer: Promise<unknown>) => answer as Promise<R>;
const done = async (answer: Promise<unknown>): Promise<void> => void (await answer);

const filled = <Q extends object>(query: Q): Q =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined && value !== '')) as Q;

/** An answer with the tag that a later change sends along. */
async function tagged<R>(answer: Promise<unknown>): Promise<{ content: R; tag: string | undefined }> {
  const { data, response } = (await answer) as { data: R; response: Response };
  return { content: data, tag: response.headers.get('ETag') ?? undefined };
}

/** A body that is sent as it is. */
const bytes = (content: Blob) => ({
  body: content as never,
  bodySerializer: null,
  headers: { 'Content-Type': 'application/octet-stream' },
});

export const api = {
  system: () => sdk.systemGet(),
  authMethods: () => sdk.authMethods(),
  signUp: (body: T.SignUp) => sdk.authSignup({ body }),
  signIn: (body: T.SignIn) => sdk.authSignin({ body }),
  signOut: () => done(sdk.authSignout()),
  forgotPassword: (login: string) => done(sdk.authPasswordForgot({ body: { login } })),
  resetPassword: (token: string, password: string) => done(sdk.authPasswordReset({ body: { token, new: password } })),
  providerStart: (provider: string, return_to: string, bind = false) =>
    address<AuthProviderStartData>({
      url: '/api/v1/auth/providers/{provider}/start',
      path: { provider },
      query: { return_to, ...(bind ? { bind } : {}) },
    }),

  me: () => sdk.meGet(),
  updateMe: (body: T.UpdateMe) => sdk.meUpdate({ body }),
  setAvatar: (image: Blob) =>
    sdk.meAvatarSet({ body: image as never, bodySerializer: null, headers: { 'Content-Type': image.type } }),
  removeAvatar: () => sdk.meAvatarDelete(),
  changePassword: (current: string | undefined, password: string) =>
    done(sdk.mePasswordChange({ body: current === undefined ? { new: password } : { current, new: password } })),
  sessions: () => sdk.sessionList(),
  endSession: (session: string) => done(sdk.sessionDelete({ path: { session } })),
  endOtherSessions: () => done(sdk.sessionDeleteOthers()),
  tokens: () => as<T.Page<T.Token>>(sdk.tokenList()),
  createToken: (body: T.CreateToken) => as<T.CreatedToken>(sdk.tokenCreate({ body, headers: once() })),
  deleteToken: (token: string) => done(sdk.tokenDelete({ path: { token } })),
  sshKeys: () => sdk.sshKeyList(),
  addSshKey: (public_key: string, name: string) => sdk.sshKeyCreate({ body: name ? { public_key, name } : { public_key } }),
  removeSshKey: (key: string) => done(sdk.sshKeyDelete({ path: { key } })),
  identities: () => sdk.identityList(),
  unbindIdentity: (provider: string) => done(sdk.identityDelete({ path: { provider } })),
  myAudit: (cursor?: string) => sdk.auditOwn({ query: { cursor } }),

  apps: (state?: T.AppState) => as<T.Page<T.App>>(sdk.appList({ query: { state, limit: 200 } })),
  createApp: (name: string) => as<T.App>(sdk.appCreate({ body: { name }, headers: once() })),
  importApp: (file: Blob) => as<T.App>(sdk.appImport({ body: file as never, bodySerializer: null })),
  app: (app: string) => as<T.App>(sdk.appGet({ path: { app } })),
  updateApp: (app: string, revision: number, body: { name?: string; limits?: T.AppLimits }) =>
    as<T.App>(sdk.appUpdate({ path: { app }, body, headers: ifMatch(revision) })),
  deleteApp: (app: string) => done(sdk.appDelete({ path: { app } })),
  startApp: (app: string) => as<T.App>(sdk.appStart({ path: { app } })),
  stopApp: (app: string) => as<T.App>(sdk.appStop({ path: { app } })),
  restartApp: (app: string) => as<T.App>(sdk.appRestart({ path: { app } })),
  restoreApp: (app: string) => as<T.App>(sdk.appRestore({ path: { app } })),
  purgeApp: (app: string) => done(sdk.appPurge({ path: { app } })),
  exportUrl: (app: string) => address<AppExportData>({ url: '/api/v1/apps/{app}/export', path: { app } }),
  instances: (app: string) => as<T.Page<T.Instance>>(sdk.appInstances({ path: { app } })),
  members: (app: string) => as<T.Page<T.Member>>(sdk.appMembers({ path: { app } })),
  appAudit: (app: string, cursor?: string) => sdk.auditApp({ path: { app }, query: { cursor } }),
  domains: (app: string) => sdk.domainList({ path: { app } }),
  createDomain: (app: string, host: string) => sdk.domainCreate({ path: { app }, body: { host }, headers: once() }),
  deleteDomain: (app: string, host: string) => done(sdk.domainDelete({ path: { app, host } })),
  verifyDomain: (app: string, host: string) => sdk.domainVerify({ path: { app, host } }),

  functions: (app: string, cursor?: string) => sdk.functionList({ path: { app }, query: { cursor, limit: 200 } }),
  createFunction: (app: string, body: T.CreateFunction) => sdk.functionCreate({ path: { app }, body, headers: once() }),
  function: (app: string, name: string) => sdk.functionGet({ path: { app, name } }),
  updateFunction: (app: string, name: string, revision: number, body: T.UpdateFunction) =>
    sdk.functionUpdate({ path: { app, name }, body, headers: ifMatch(revision) }),
  deleteFunction: (app: string, name: string) => done(sdk.functionDelete({ path: { app, name } })),
  publish: (app: string, name: string, body: T.Publish, revision?: number) =>
    sdk.functionPublish({ path: { app, name }, body, headers: revision === undefined ? {} : ifMatch(revision) }),
  versions: (app: string, name: string, cursor?: string) =>
    sdk.functionVersions({ path: { app, name }, query: { cursor, limit: 100 } }),
  version: (app: string, name: string, number: number) => sdk.functionVersion({ path: { app, name, number } }),
  rollback: (app: string, name: string, version: number) => sdk.functionRollback({ path: { app, name }, body: { version } }),
  run: (app: string, name: string, body: T.RunRequest, signal?: AbortSignal) =>
    as<T.RunResult>(sdk.functionRun({ path: { app, name }, body, signal })),
  languageUrl: (app: string) => address<LanguageConnectData>({ url: '/api/v1/apps/{app}/lsp', path: { app } }),

  environment: (app: string) => sdk.variableList({ path: { app } }),
  setVariable: (app: string, name: string, value: string) => sdk.variableSet({ path: { app, name }, body: { value } }),
  deleteVariable: (app: string, name: string) => done(sdk.variableDelete({ path: { app, name } })),
  secrets: (app: string) => sdk.secretList({ path: { app } }),
  setSecret: (app: string, name: string, value: string) => sdk.secretSet({ path: { app, name }, body: { value } }),
  deleteSecret: (app: string, name: string) => done(sdk.secretDelete({ path: { app, name } })),
  dependencies: (app: string) => as<T.Dependencies>(sdk.dependencyGet({ path: { app } })),
  setDependencies: (app: string, packages: Record<string, string>) =>
    as<T.Dependencies>(sdk.dependencySet({ path: { app }, body: { packages } })),
  searchPackages: (app: string, text: string) => sdk.dependencySearch({ path: { app }, query: { text } }),
  cancelInstall: (app: string) => done(sdk.dependencyCancel({ path: { app } })),
  installEventsUrl: (app: string) =>
    address<DependencyEventsData>({ url: '/api/v1/apps/{app}/dependencies/install/events', path: { app } }),

  logs: (app: string, query: T.LogQuery, signal?: AbortSignal) =>
    as<T.Page<T.LogLine>>(sdk.logSearch({ path: { app }, query: filled(query), signal })),
  logStreamUrl: (app: string, query: T.LogQuery) =>
    address<LogTailData>({ url: '/api/v1/apps/{app}/logs/stream', path: { app }, query: filled(query) }),
  metrics: (app: string, range: T.MetricsRange) => sdk.metricsGet({ path: { app }, query: { range } }),

  workspaces: (desired?: T.WorkspaceDesired) =>
    as<T.Page<T.Workspace>>(sdk.workspaceList({ query: filled({ desired, limit: 200 }) })),
  createWorkspace: (body: T.CreateWorkspace) => as<T.Workspace>(sdk.workspaceCreate({ body, headers: once() })),
  workspace: (workspace: string) => as<T.Workspace>(sdk.workspaceGet({ path: { workspace } })),
  updateWorkspace: (workspace: string, revision: number, body: T.UpdateWorkspace) =>
    as<T.Workspace>(sdk.workspaceUpdate({ path: { workspace }, body, headers: ifMatch(revision) })),
  startWorkspace: (workspace: string) => as<T.Workspace>(sdk.workspaceStart({ path: { workspace } })),
  stopWorkspace: (workspace: string) => as<T.Workspace>(sdk.workspaceStop({ path: { workspace } })),
  restartWorkspace: (workspace: string) => as<T.Workspace>(sdk.workspaceRestart({ path: { workspace } })),
  keepWorkspace: (workspace: string, for_ms?: number) => as<T.Workspace>(sdk.workspaceKeep({ path: { workspace }, body: { for_ms } })),
  deleteWorkspace: (workspace: string) => as<T.Workspace>(sdk.workspaceDelete({ path: { workspace } })),
  restoreWorkspace: (workspace: string) => as<T.Workspace>(sdk.workspaceRestore({ path: { workspace } })),
  purgeWorkspace: (workspace: string) => done(sdk.workspacePurge({ path: { workspace } })),
  workspaceEventsUrl: (workspace: string) =>
    address<WorkspaceEventsData>({ url: '/api/v1/workspaces/{workspace}/events', path: { workspace } }),

  openWorkspace: (workspace: string, port?: number) => sdk.workspaceOpen({ path: { workspace }, body: { port } }),
  cloneWorkspace: (workspace: string, name: string, snapshot?: string) =>
    as<T.Workspace>(sdk.workspaceClone({ path: { workspace }, body: { name, snapshot }, headers: once() })),
  snapshots: (workspace: string) => sdk.snapshotList({ path: { workspace }, query: { limit: 200 } }),
  createSnapshot: (workspace: string, label: string) => sdk.snapshotCreate({ path: { workspace }, body: { label } }),
  deleteSnapshot: (workspace: string, snapshot: string) => done(sdk.snapshotDelete({ path: { workspace, snapshot } })),
  snapshotFolder: (workspace: string, snapshot: string, path: string) =>
    as<T.FolderList>(sdk.snapshotFolder({ path: { workspace, snapshot }, query: { path } })),
  snapshotFileUrl: (workspace: string, snapshot: string, path: string) =>
    address<SnapshotReadData>({ url: '/api/v1/workspaces/{workspace}/snapshots/{snapshot}/files', path: { workspace, snapshot }, query: { path } }),
  restoreSnapshot: (workspace: string, snapshot: string, path?: string) =>
    done(sdk.snapshotRestore({ path: { workspace, snapshot }, body: { path } })),
  terminalUrl: (workspace: string, query: NonNullable<WorkspaceTerminalData['query']>) =>
    address<WorkspaceTerminalData>({ url: '/api/v1/workspaces/{workspace}/terminal', path: { workspace }, query }),
  ports: (workspace: string) => as<T.Page<T.Port>>(sdk.portList({ path: { workspace } })),
  setPort: (workspace: string, port: number, body: { visibility?: T.PortVisibility; protocol?: T.PortProtocol }) =>
    as<T.Port>(sdk.portSet({ path: { workspace, port }, body })),
  resetPort: (workspace: string, port: number) => done(sdk.portReset({ path: { workspace, port } })),
  sharePort: (workspace: string, port: number, for_ms: number) => sdk.portShare({ path: { workspace, port }, body: { for_ms } }),
  portShares: (workspace: string) => sdk.portShares({ path: { workspace } }),
  endPortShare: (workspace: string, share: string) => done(sdk.portUnshare({ path: { workspace, share } })),
  folder: (workspace: string, path: string) => as<T.FolderList>(sdk.fileList({ path: { workspace }, query: { path } })),
  readFile: (workspace: string, path: string) =>
    tagged<ArrayBuffer>(sdk.fileRead({ path: { workspace }, query: { path }, parseAs: 'arrayBuffer', responseStyle: 'fields' })),
  fileUrl: (workspace: string, path: string) =>
    address<FileReadData>({ url: '/api/v1/workspaces/{workspace}/files', path: { workspace }, query: { path } }),
  archiveUrl: (workspace: string, path: string, format: 'zip' | 'tar.gz') =>
    address<FileArchiveData>({ url: '/api/v1/workspaces/{workspace}/archive', path: { workspace }, query: { path, format } }),
  /** With a tag, only if the file is still as it was read. Answers the new tag. */
  writeFile: async (workspace: string, path: string, content: Blob, tag?: string) => {
    const sent = bytes(content);
    const headers = { ...sent.headers, ...(tag ? { 'If-Match': tag } : {}) };
    return (await tagged<void>(sdk.fileWrite({ path: { workspace }, query: { path }, ...sent, headers, responseStyle: 'fields' }))).tag;
  },
  unpack: (workspace: string, path: string, archive: Blob) =>
    done(sdk.fileUnpack({ path: { workspace }, query: { path }, ...bytes(archive) })),
  changeFile: (workspace: string, body: T.FileChange) => done(sdk.fileChange({ path: { workspace }, body })),

  environments: () => sdk.environmentList(),
  installEnvironment: (environment: string) => sdk.environmentInstall({ path: { environment } }),
  verifyEnvironment: (environment: string) => sdk.environmentVerify({ path: { environment } }),
  removeEnvironment: (environment: string) => done(sdk.environmentRemove({ path: { environment } })),

  invitations: () => sdk.invitationList({ query: { limit: 200 } }),
  createInvitation: (body: T.CreateInvitation) => sdk.invitationCreate({ body, headers: once() }),
  deleteInvitation: (invitation: string) => done(sdk.invitationDelete({ path: { invitation } })),
  audit: (cursor?: string) => sdk.auditAll({ query: { cursor } }),
  accounts: (cursor?: string) => sdk.adminAccountList({ query: { cursor, limit: 100 } }),
  updateAccount: (account: string, body: T.UpdateAdminAccount) => sdk.adminAccountUpdate({ path: { account }, body }),
  settings: () => sdk.adminSettingsGet(),
  updateSettings: (body: T.UpdateSettings) => sdk.adminSettingsUpdate({ body }),
  doctor: () => sdk.adminDoctor(),
};
