// The start of the Node runtime: says hello as soon as the control channel is open, and loads the rest while the engine
// gets its next message ready. What people wait for must stay short here: every import counts.

import { flush, openControl, send } from './control.mjs';

const LISTEN_FD = 3;
const listenTo = openControl(Number(process.env.DARTER_CONTROL_FD ?? 4));
send({ ev: 'hello', runtime: 'node', version: process.versions.node, protocol: 1 });
flush();

const { start } = await import('./start.mjs');
listenTo(start(LISTEN_FD));
