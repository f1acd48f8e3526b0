// The one way to the server: same-origin, JSON, the session cookie, one shape of error.
// It must never send a call to another origin and never retry a change by itself.
import { ApiError, errorFrom } from './error';

export type Options = {
  query?: Record<string, string | number | undefined | null>;
  body?: unknown;
  /** Bytes sent as they are, with their own type. */
  raw?: Blob;
  revision?: number;
  idempotencyKey?: string;
  signal?: AbortSignal;
};

const PREFIX = '/api/v1';

/** The address of an operation, query included. */
export function address(path: string, query: Options['query'] = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') search.set(key, String(value));
  }
  const text = search.toString();
  return PREFIX + path + (text ? `?${text}` : '');
}

function headersOf(options: Options): Headers {
  const headers = new Headers({ accept: 'application/json' });
  if (options.raw) headers.set('content-type', options.raw.type || 'application/octet-stream');
  else headers.set('content-type', 'application/json');
  if (options.revision !== undefined) headers.set('if-match', `"${options.revision}"`);
  if (options.idempotencyKey) headers.set('idempotency-key', options.idempotencyKey);
  return headers;
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Calls the server and answers the parsed body; throws an ApiError for everything else. */
export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address(path, options.query), {
      method,
      headers: headersOf(options),
      body: options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
      signal: options.signal,
      credentials: 'same-origin',
    });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    throw new ApiError(0, 'network.unreachable', '');
  }
  const body = await bodyOf(response);
  if (!response.ok) throw errorFrom(response.status, body);
  return body as T;
}
