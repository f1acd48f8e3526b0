// The two globals that Laf adds to Node's own.

import { builtInPackage } from './packages.mjs';

export function installGlobals() {
  lazily('ObjectId', () => builtInPackage('bson').ObjectId);
}

/** A global that is made when it is first read, and can be replaced. */
function lazily(name, make) {
  const set = (value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  const get = () => {
    const value = make();
    set(value);
    return value;
  };
  Object.defineProperty(globalThis, name, { configurable: true, get, set });
}
