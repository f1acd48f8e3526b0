// Accepts the platform's connections on the socket that it made for us.

import { Connection } from './wire.mjs';
import { receive } from './invoke.mjs';

const net = process.getBuiltinModule('node:net');

/** @type {Set<Connection>} */
const connections = new Set();
let server;

export function listen(fd) {
  server = net.createServer({ allowHalfOpen: false, noDelay: false }, (socket) => {
    const connection = new Connection(socket, receive);
    connections.add(connection);
    connection.onClose = () => connections.delete(connection);
  });
  server.listen({ fd });
  return server;
}

/** Takes no new request and calls back when those that run have been answered. */
export function drain(done) {
  server.close();
  const check = () => {
    for (const connection of connections) if (connection.streams.size > 0) return;
    for (const connection of connections) {
      connection.onIdle = undefined;
      connection.flush();
    }
    setImmediate(done);
  };
  for (const connection of connections) {
    connection.goaway();
    connection.onIdle = check;
    const closed = connection.onClose;
    connection.onClose = () => {
      closed();
      check();
    };
  }
  check();
}
