// Which request a piece of code works for: carried through awaits, timers and callbacks.
// A scope is {requestId, name, version, logs}; `logs` collects lines for a debug run, else undefined.

const { AsyncLocalStorage } = process.getBuiltinModule('node:async_hooks');


export const scopes = new AsyncLocalStorage();

/** The scope of the code that runs now, or undefined outside of any request. */
export function currentScope() {
  return scopes.getStore();
}
