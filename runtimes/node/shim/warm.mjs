// Run once when the runtime is installed: keeps V8's code for the shim, and compiles the built-in packages that functions
// and this shim use most, so that V8's code for them lies in /runtime/cache.

import { rehearse } from './rehearse.mjs';
import { compileInto } from './warm-packages.mjs';

const PACKAGES = ['express', 'ws', 'multer', 'qs', 'xml2js', 'bson', 'axios', 'lodash', 'dayjs', 'mongodb', 'jsonwebtoken', 'validator', 'nodemailer', '@aws-sdk/client-s3', '@aws-sdk/s3-request-presigner', 'database-ql', 'ejs', 'pako'];

await rehearse();
await compileInto('/runtime/cache', '/runtime/index.js', PACKAGES);
process.reallyExit(0);
