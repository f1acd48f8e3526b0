// Run once when the runtime is installed: compiles the built-in packages that functions and this shim use most,
// so that V8's code for them lies in /runtime/cache.

import { compileInto } from './warm-packages.mjs';

const PACKAGES = ['express', 'ws', 'multer', 'qs', 'xml2js', 'bson', 'axios', 'lodash', 'dayjs', 'mongodb', 'jsonwebtoken', 'validator', 'nodemailer', '@aws-sdk/client-s3', '@aws-sdk/s3-request-presigner', 'database-ql', 'ejs', 'pako'];

await compileInto('/runtime/cache', '/runtime/index.js', PACKAGES);
