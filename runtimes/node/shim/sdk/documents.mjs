// `cloud.mongo` and `cloud.database()`: MongoDB when the app's owner has set DB_URI, else an error that says so.

import { builtInPackage } from '../packages.mjs';
import { patchTls } from '../egress.mjs';

let connection;

function missing(what) {
  return new Error(`${what} needs a document database, and this server has none configured. Set the environment variable DB_URI of this app to the address of a MongoDB.`);
}

function connect(what) {
  const uri = process.env.DB_URI;
  if (uri === undefined || uri === '') throw missing(what);
  if (connection?.uri === uri) return connection;
  patchTls();
  const { MongoClient } = builtInPackage('mongodb');
  const client = new MongoClient(uri);
  connection = { uri, client, db: client.db() };
  return connection;
}

/** `{client, db}` of the native driver, which connects at the first operation. */
export function mongo() {
  const { client, db } = connect('cloud.mongo');
  return { client, db };
}

/** A database-ql Db. */
export function database() {
  const { db, client } = connect('cloud.database()');
  const { Db } = builtInPackage('database-ql');
  const { Proxy: DatabaseProxy, MongoAccessor } = builtInPackage('database-proxy');
  const accessor = new MongoAccessor(client);
  accessor.db ??= db;
  const proxy = new DatabaseProxy(accessor);
  const run = async (action, data) => {
    const params = proxy.parseParams({ ...data, action });
    try {
      const result = await accessor.execute(params);
      return { code: 0, data: result, error: undefined, requestId: undefined };
    } catch (error) {
      return { code: 1, error: error.message, data: undefined };
    }
  };
  return new Db({ primaryKey: '_id', runtime: 'unity', request: { send: run } });
}
