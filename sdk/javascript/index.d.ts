// The types that functions see: `@lafjs/cloud`, `@darter/cloud` and `@/cloud-sdk`. Read by the editor's language server.

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';

/** A file of a multipart upload. It lies in the temp folder and is deleted after the answer. */
export interface UploadedFile {
  fieldname: string;
  originalname: string;
  encoding: string;
  mimetype: string;
  size: number;
  destination: string;
  filename: string;
  path: string;
}

/** An Express 4 request. */
export interface ExpressRequest extends IncomingMessage {
  body: any;
  query: Record<string, any>;
  params: Record<string, string>;
  files?: UploadedFile[];
  user?: any;
  ip: string;
  hostname: string;
  path: string;
  protocol: string;
  secure: boolean;
  originalUrl: string;
  requestId: string;
  get(name: string): string | undefined;
  is(type: string | string[]): string | false | null;
  accepts(types: string | string[]): string | string[] | false;
}

/** An Express 4 response. What you send through it is the answer; the returned value is then ignored. */
export interface ExpressResponse extends ServerResponse {
  status(code: number): this;
  set(name: string, value: string | string[]): this;
  set(headers: Record<string, string>): this;
  get(name: string): string | undefined;
  type(type: string): this;
  send(body?: any): this;
  json(body?: any): this;
  redirect(url: string): void;
  redirect(status: number, url: string): void;
  cookie(name: string, value: any, options?: Record<string, any>): this;
  clearCookie(name: string, options?: Record<string, any>): this;
  attachment(filename?: string): this;
  sendStatus(code: number): this;
}

/** A WebSocket of the `ws` package. */
export interface CloudWebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: string | Uint8Array | ArrayBuffer, callback?: (error?: Error) => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  ping(data?: any): void;
  on(event: string, listener: (...values: any[]) => void): this;
}

/** What a function is given. */
export interface FunctionContext {
  /** The name of the function that runs. */
  __function_name: string;
  requestId: string;
  method?: string;
  headers?: IncomingHttpHeaders;
  query?: Record<string, any>;
  /** Parsed by content type: JSON, form, raw bytes, XML or multipart fields. */
  body?: any;
  files?: UploadedFile[];
  /** The payload of the caller's Bearer token signed with SERVER_SECRET, or null. */
  user?: any;
  /** @deprecated Use `user`. */
  auth?: any;
  request?: ExpressRequest;
  response: ExpressResponse;
  /** Of `__websocket__`. */
  socket?: CloudWebSocket;
  /** Of `__websocket__`: null, `{data, isBinary}`, an error, or `{code, reason}`. */
  params?: any;
  /** Of `__websocket__` at the connection. */
  url?: string;
}

/** Runs the function (or what else the interceptor guards) and resolves to what it returned. */
export type NextFunction = (context: FunctionContext) => Promise<any>;

export interface CloudStorageBucket {
  readonly name: string;
  readFile(key: string, options?: Record<string, any>): Promise<any>;
  writeFile(key: string, body: string | Blob | Uint8Array | NodeJS.ReadableStream, options?: Record<string, any>): Promise<any>;
  deleteFile(key: string, options?: Record<string, any>): Promise<any>;
  listFiles(options?: Record<string, any>): Promise<any>;
  externalUrl(key: string): string;
  internalUrl(key: string): string;
  getUploadUrl(key: string, expires?: number, options?: Record<string, any>): Promise<string>;
  getDownloadUrl(key: string, expires?: number, options?: Record<string, any>): Promise<string>;
}

export interface CloudStorage {
  readonly externalEndpoint: string;
  readonly internalEndpoint: string;
  getExternalS3Client(): any;
  getInternalS3Client(): any;
  bucket(name: string): CloudStorageBucket;
}

export declare class Cloud {
  static create?: () => Cloud;
  readonly appid: string;
  /** The app's environment variables. */
  readonly env: Record<string, string | undefined>;
  /** State shared by all functions of this process. */
  readonly shared: Map<any, any>;
  /** All open WebSockets of this process. */
  readonly sockets: Set<CloudWebSocket>;
  /** @deprecated axios. Use the global fetch. */
  readonly fetch: any;
  /** The native MongoDB driver; needs the environment variable DB_URI. */
  readonly mongo: { client: any; db: any };
  readonly storage: CloudStorage;
  /** Calls another function of this app in this process. @deprecated Import it instead. */
  invoke(name: string, context?: any): Promise<any>;
  /** A JSON Web Token (HS256), signed with SERVER_SECRET unless a secret is given. */
  getToken(payload: object | string, secret?: string): string;
  /** The payload of a valid token, or null. */
  parseToken(token: string, secret?: string): any;
  /** @deprecated Use `mongo`. */
  database(): any;
}

declare const cloud: Cloud;
export default cloud;
