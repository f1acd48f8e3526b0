//! Takes out of a server's messages what would keep a quiet workspace awake or cost it watches for nothing. Pure.

/** Asking for the diagnostics of all files goes on every two seconds for ever. */
function withoutAsking(options: any): any {
  return options?.workspaceDiagnostics ? { ...options, workspaceDiagnostics: false } : options;
}

/** Does a pattern look below the home? What is outside is the environment's and never changes. */
function isBelow(watcher: any, home: string): boolean {
  const { globPattern } = watcher;
  if (typeof globPattern === "string") return !globPattern.startsWith("/") || `${globPattern}/`.startsWith(`${home}/`);
  const base = globPattern?.baseUri?.uri ?? globPattern?.baseUri;
  return typeof base !== "string" || `${base}/`.startsWith(`file://${home}/`);
}

function registration(one: any, home: string): any {
  if (one.method === "textDocument/diagnostic") return { ...one, registerOptions: withoutAsking(one.registerOptions) };
  if (one.method !== "workspace/didChangeWatchedFiles") return one;
  const watchers = (one.registerOptions?.watchers ?? []).filter((watcher: any) => isBelow(watcher, home));
  return { ...one, registerOptions: { ...one.registerOptions, watchers } };
}

export function tame(message: any, home: string): any {
  const provider = message.result?.capabilities?.diagnosticProvider;
  if (provider) {
    const capabilities = { ...message.result.capabilities, diagnosticProvider: withoutAsking(provider) };
    return { ...message, result: { ...message.result, capabilities } };
  }
  const registrations = message.method === "client/registerCapability" && message.params?.registrations;
  if (!Array.isArray(registrations)) return message;
  return { ...message, params: { ...message.params, registrations: registrations.map((one) => registration(one, home)) } };
}
