// The open WebSockets of this process: what `cloud.sockets` shows.

/** @type {Set<import('ws').WebSocket>} */
export const sockets = new Set();
