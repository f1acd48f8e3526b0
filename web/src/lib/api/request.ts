// How the generated client reaches the server: same-origin, the session cookie, one shape of error.
// It must never send a call to another origin and never retry a change by itself.
import { client } from './generated/client.gen';
import { ApiError, errorFrom } from './error';

client.setConfig({
  // Tests outside a browser have no origin.
  baseUrl: globalThis.location?.origin ?? '',
  credentials: 'same-origin',
  headers: { accept: 'application/json' },
  parseAs: 'json',
});

client.interceptors.error.use((error, response) => {
  if (error instanceof DOMException && error.name === 'AbortError') return error;
  return response ? errorFrom(response.status, error) : new ApiError(0, 'network.unreachable', '');
});

/** The address of an operation that the browser opens by itself: a stream, a download, a page elsewhere. */
export const address = client.buildUrl;

/** Headers that make a change only if the object is still at this revision. */
export const ifMatch = (revision: number) => ({ 'If-Match': `"${revision}"` });

/** Headers that let the server tell a repeated creation from a second one. */
export const once = () => ({ 'Idempotency-Key': crypto.randomUUID?.() ?? String(Math.random()).slice(2) });
