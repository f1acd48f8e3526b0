// The start of the Node runtime: everything that an app needs at its first request, then hello.
// What people wait for must stay short here: every import counts.

import { flush, openControl, send } from './control.mjs';
import { start } from './start.mjs';

const LISTEN_FD = 3;

export function main() {
  const listenTo = openControl(Number(process.env.DARTER_CONTROL_FD ?? 4));
  const operations = start(LISTEN_FD);
  send({ ev: 'hello', runtime: 'node', version: process.versions.node, protocol: 1 });
  flush();
  listenTo(operations);
}
