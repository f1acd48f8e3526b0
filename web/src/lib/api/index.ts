// Every operation of the public API that the console uses, by name. Pages call these and nothing else.
// A function's name goes into a path as one percent-encoded segment.
import { address, request } from './request';
import type * as T from './types';

export * from './types';
export { ApiError } from './error';
export { address };

const seg = encodeURIComponent;
const get = <R>(path: string, query?: Record<string, string | number | undefined>, signal?: AbortSignal) =>
  request<R>('GET', path, { query, signal });
const post = <R>(path: string, body: unknown = {}) => request<R>('POST', path, { body });
const create = <R>(path: string, body: unknown) =>
  request<R>('POST', path, { body, idempotencyKey: crypto.randomUUID?.() ?? String(Math.random()).slice(2) });
const put = <R>(path: string, body: unknown) => request<R>('PUT', path, { body });
const patch = <R>(path: string, body: unknown, revision?: number) => request<R>('PATCH', path, { body, revision });
const del = <R = void>(path: string) => request<R>('DELETE', path);

const app = (id: string) => `/apps/${seg(id)}`;
const fn = (id: string, name: string) => `${app(id)}/functions/${seg(name)}`;

export const api = {
  system: () => get<T.System>('/system'),
  authMethods: () => get<T.AuthMethods>('/auth/methods'),
  signUp: (body: T.SignUp) => post<T.Account>('/auth/signup', body),
  signIn: (body: T.SignIn) => post<T.Account>('/auth/signin', body),
  signOut: () => post<void>('/auth/signout'),
  forgotPassword: (login: string) => post<void>('/auth/password/forgot', { login }),
  resetPassword: (token: string, password: string) => post<void>('/auth/password/reset', { token, new: password }),
  providerStart: (provider: string, returnTo: string, bind = false) =>
    address(`/auth/providers/${seg(provider)}/start`, { return_to: returnTo, bind: bind ? 'true' : undefined }),

  me: () => get<T.Account>('/me'),
  updateMe: (body: { display_name?: string; email?: string }) => patch<T.Account>('/me', body),
  setAvatar: (image: Blob) => request<T.Account>('PUT', '/me/avatar', { raw: image }),
  removeAvatar: () => del<T.Account>('/me/avatar'),
  changePassword: (current: string | undefined, password: string) =>
    post<void>('/me/password', current === undefined ? { new: password } : { current, new: password }),
  sessions: () => get<T.Page<T.Session>>('/me/sessions', { limit: 200 }),
  endSession: (id: string) => del(`/me/sessions/${seg(id)}`),
  endOtherSessions: () => del('/me/sessions'),
  tokens: () => get<T.Page<T.Token>>('/me/tokens', { limit: 200 }),
  createToken: (body: T.CreateToken) => create<T.CreatedToken>('/me/tokens', body),
  deleteToken: (id: string) => del(`/me/tokens/${seg(id)}`),
  identities: () => get<T.Page<T.Identity>>('/me/identities'),
  unbindIdentity: (provider: string) => del(`/me/identities/${seg(provider)}`),
  myAudit: (cursor?: string) => get<T.Page<T.AuditEntry>>('/me/audit', { cursor }),

  apps: (state?: T.AppState) => get<T.Page<T.App>>('/apps', { state, limit: 200 }),
  createApp: (name: string) => create<T.App>('/apps', { name }),
  importApp: (file: Blob) =>
    request<T.App>('POST', '/apps/import', { raw: new Blob([file], { type: 'application/zip' }) }),
  app: (id: string) => get<T.App>(app(id)),
  updateApp: (id: string, revision: number, body: { name?: string; limits?: T.AppLimits }) =>
    patch<T.App>(app(id), body, revision),
  deleteApp: (id: string) => del(app(id)),
  startApp: (id: string) => post<T.App>(`${app(id)}/start`),
  stopApp: (id: string) => post<T.App>(`${app(id)}/stop`),
  restartApp: (id: string) => post<T.App>(`${app(id)}/restart`),
  restoreApp: (id: string) => post<T.App>(`${app(id)}/restore`),
  purgeApp: (id: string) => del(`${app(id)}/purge`),
  exportUrl: (id: string) => address(`${app(id)}/export`),
  instances: (id: string) => get<T.Page<T.Instance>>(`${app(id)}/instances`),
  members: (id: string) => get<T.Page<T.Member>>(`${app(id)}/members`, { limit: 200 }),
  appAudit: (id: string, cursor?: string) => get<T.Page<T.AuditEntry>>(`${app(id)}/audit`, { cursor }),
  domains: (id: string) => get<T.Page<T.Domain>>(`${app(id)}/domains`),
  createDomain: (id: string, host: string) => create<T.Domain>(`${app(id)}/domains`, { host }),
  deleteDomain: (id: string, host: string) => del(`${app(id)}/domains/${seg(host)}`),
  verifyDomain: (id: string, host: string) => post<T.Domain>(`${app(id)}/domains/${seg(host)}/verify`),

  functions: (id: string, cursor?: string) =>
    get<T.Page<T.FunctionSummary>>(`${app(id)}/functions`, { cursor, limit: 200 }),
  createFunction: (id: string, body: T.CreateFunction) => create<T.Fn>(`${app(id)}/functions`, body),
  function: (id: string, name: string) => get<T.Fn>(fn(id, name)),
  updateFunction: (id: string, name: string, revision: number, body: T.UpdateFunction) =>
    patch<T.Fn>(fn(id, name), body, revision),
  deleteFunction: (id: string, name: string) => del(fn(id, name)),
  publish: (id: string, name: string, body: T.Publish, revision?: number) =>
    request<T.Published>('POST', `${fn(id, name)}/publish`, { body, revision }),
  versions: (id: string, name: string, cursor?: string) =>
    get<T.Page<T.Version>>(`${fn(id, name)}/versions`, { cursor, limit: 100 }),
  version: (id: string, name: string, number: number) =>
    get<T.VersionSource>(`${fn(id, name)}/versions/${number}`),
  rollback: (id: string, name: string, version: number) => post<T.Published>(`${fn(id, name)}/rollback`, { version }),
  run: (id: string, name: string, body: T.RunRequest, signal?: AbortSignal) =>
    request<T.RunResult>('POST', `${fn(id, name)}/run`, { body, signal }),

  environment: (id: string) => get<T.Page<T.Variable>>(`${app(id)}/environment`, { limit: 200 }),
  setVariable: (id: string, name: string, value: string) =>
    put<T.Variable>(`${app(id)}/environment/${seg(name)}`, { value }),
  deleteVariable: (id: string, name: string) => del(`${app(id)}/environment/${seg(name)}`),
  secrets: (id: string) => get<T.Page<T.Secret>>(`${app(id)}/secrets`, { limit: 200 }),
  setSecret: (id: string, name: string, value: string) =>
    put<T.Secret>(`${app(id)}/secrets/${seg(name)}`, { value }),
  deleteSecret: (id: string, name: string) => del(`${app(id)}/secrets/${seg(name)}`),
  dependencies: (id: string) => get<T.Dependencies>(`${app(id)}/dependencies`),
  setDependencies: (id: string, packages: Record<string, string>) =>
    put<T.Dependencies>(`${app(id)}/dependencies`, { packages }),
  cancelInstall: (id: string) => del(`${app(id)}/dependencies/install`),
  installEventsUrl: (id: string) => address(`${app(id)}/dependencies/install/events`),

  logs: (id: string, query: T.LogQuery, signal?: AbortSignal) => get<T.Page<T.LogLine>>(`${app(id)}/logs`, query, signal),
  logStreamUrl: (id: string, query: T.LogQuery) => address(`${app(id)}/logs/stream`, query),
  metrics: (id: string, range: T.MetricsRange) => get<T.Metrics>(`${app(id)}/metrics`, { range }),

  invitations: () => get<T.Page<T.Invitation>>('/invitations', { limit: 200 }),
  createInvitation: (body: T.CreateInvitation) => create<T.CreatedInvitation>('/invitations', body),
  deleteInvitation: (id: string) => del(`/invitations/${seg(id)}`),
  audit: (cursor?: string) => get<T.Page<T.AuditEntry>>('/audit', { cursor }),
  accounts: (cursor?: string) => get<T.Page<T.AdminAccount>>('/admin/accounts', { cursor, limit: 100 }),
  updateAccount: (id: string, body: T.UpdateAdminAccount) => patch<T.AdminAccount>(`/admin/accounts/${seg(id)}`, body),
  settings: () => get<T.Settings>('/admin/settings'),
  updateSettings: (body: Partial<T.Settings>) => patch<T.Settings>('/admin/settings', body),
  doctor: () => get<T.Page<T.Wall> | T.Wall[]>('/admin/doctor'),
};
