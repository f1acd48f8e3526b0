// The SDK that functions import as `@lafjs/cloud`, `@darter/cloud` or `@/cloud-sdk`.
// Nothing here may be slow to load: databases, storage and axios are brought in when they are touched.

import { app } from '../app.mjs';
import { callMain } from '../invoke.mjs';
import { completed } from '../context.mjs';
import { builtInPackage } from '../packages.mjs';
import { patchTls } from '../egress.mjs';
import { makeToken, parseToken } from '../token.mjs';
import { sockets } from '../sockets.mjs';
import { mongo, database } from './documents.mjs';
import { CloudStorage } from './storage.mjs';

export class Cloud {
  /** Laf's injection point: what makes the object that `cloud` is. */
  static create = undefined;

  #storage;
  /** Shared by all functions of this process. */
  shared = new Map();

  get appid() {
    return app.id;
  }

  get env() {
    return process.env;
  }

  /** All open WebSockets of this process. */
  get sockets() {
    return sockets;
  }

  /** axios. Deprecated by Laf: use the global fetch. */
  get fetch() {
    patchTls();
    const { axios } = builtInPackage('axios');
    Object.defineProperty(this, 'fetch', { value: axios, configurable: true });
    return axios;
  }

  /** Calls another function of the app in this process. */
  async invoke(name, context) {
    const module = app.graph.lookup(name);
    if (module === undefined) throw new Error(`cloud.invoke("${name}"): this app has no published function of that name.`);
    const given = completed(context);
    const param = given.requestId === undefined || given.method === undefined ? Object.assign(given, { requestId: given.requestId ?? 'invoke', method: given.method ?? 'call' }) : given;
    param.__function_name ??= name;
    await module.load();
    return callMain(module, param);
  }

  /** A token for the app's users, signed with SERVER_SECRET or the given secret. */
  getToken(payload, secret) {
    return makeToken(payload, secret ?? app.secret);
  }

  /** The payload of a valid token, or null. */
  parseToken(token, secret) {
    return parseToken(token, secret ?? app.secret);
  }

  get mongo() {
    return mongo();
  }

  /** database-ql over the app's MongoDB. Deprecated by Laf: use cloud.mongo. */
  database() {
    return database();
  }

  get storage() {
    return (this.#storage ??= new CloudStorage());
  }
}

const cloud = new Cloud();
export default cloud;
globalThis.createCloudSdk ??= () => cloud;

