// `cloud.storage`: S3 when the app's owner has set OSS_* variables, else an error that says so.

import { builtInPackage } from '../packages.mjs';
import { patchTls } from '../egress.mjs';

const NEEDED = ['OSS_ACCESS_KEY', 'OSS_ACCESS_SECRET', 'OSS_EXTERNAL_ENDPOINT'];
const HOUR = 3600;

function client(endpoint) {
  const missing = NEEDED.filter((name) => !process.env[name]);
  if (missing.length > 0) {
    throw new Error(`cloud.storage needs object storage, and this server has none configured. Set these environment variables of this app: ${missing.join(', ')}.`);
  }
  patchTls();
  const { S3 } = builtInPackage('@aws-sdk/client-s3');
  const { OSS_REGION: region = 'us-east-1', OSS_ACCESS_KEY: accessKeyId, OSS_ACCESS_SECRET: secretAccessKey } = process.env;
  return new S3({ endpoint, region, credentials: { accessKeyId, secretAccessKey, expiration: new Date(8.64e15) }, forcePathStyle: true });
}

function joined(endpoint, bucket, key) {
  return `${String(endpoint).replace(/\/$/, '')}/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
}

export class CloudStorage {
  #internal;
  #external;

  get externalEndpoint() {
    return process.env.OSS_EXTERNAL_ENDPOINT;
  }

  get internalEndpoint() {
    return process.env.OSS_INTERNAL_ENDPOINT ?? process.env.OSS_EXTERNAL_ENDPOINT;
  }

  getExternalS3Client() {
    return (this.#external ??= client(this.externalEndpoint));
  }

  getInternalS3Client() {
    return (this.#internal ??= client(this.internalEndpoint));
  }

  /** A bucket by its short or full name. */
  bucket(name) {
    return new CloudStorageBucket(this, name);
  }
}

export class CloudStorageBucket {
  constructor(storage, name) {
    if (!name) throw new Error('cloud.storage.bucket(name) needs a name.');
    const prefix = `${process.env.APPID}-`;
    this.storage = storage;
    this.name = process.env.IS_SEALAF === 'true' || name.startsWith(prefix) ? name : prefix + name;
  }

  #address(key, options) {
    return { Bucket: this.name, Key: key, ...options };
  }

  async readFile(key, options) {
    return this.storage.getInternalS3Client().getObject(this.#address(key, options));
  }

  async writeFile(key, body, options) {
    return this.storage.getInternalS3Client().putObject({ ...this.#address(key, options), Body: body });
  }

  async deleteFile(key, options) {
    return this.storage.getInternalS3Client().deleteObject(this.#address(key, options));
  }

  async listFiles(options) {
    return this.storage.getInternalS3Client().listObjects({ Bucket: this.name, ...options });
  }

  externalUrl(key) {
    return joined(this.storage.externalEndpoint, this.name, key);
  }

  internalUrl(key) {
    return joined(this.storage.internalEndpoint, this.name, key);
  }

  async getUploadUrl(key, expires = HOUR, options = undefined) {
    return this.#sign('PutObjectCommand', key, expires, options);
  }

  async getDownloadUrl(key, expires = HOUR, options = undefined) {
    return this.#sign('GetObjectCommand', key, expires, options);
  }

  #sign(command, key, expiresIn, options) {
    const s3 = builtInPackage('@aws-sdk/client-s3');
    const { getSignedUrl } = builtInPackage('@aws-sdk/s3-request-presigner');
    return getSignedUrl(this.storage.getExternalS3Client(), new s3[command](this.#address(key, options)), { expiresIn });
  }
}
