// Every failed call to the server becomes one ApiError, the network's failures included.
// It must never lose the request id: a person quotes it to the operator.
import type { Diagnostic } from './types';

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, unknown> = {},
    readonly requestId = '',
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Places in the source that the compiler refused; empty for every other fault. */
  get diagnostics(): Diagnostic[] {
    const list = this.details['diagnostics'];
    if (!Array.isArray(list)) return [];
    return list.filter(
      (item): item is Diagnostic => typeof item?.line === 'number' && typeof item?.message === 'string',
    );
  }
}

/** An answer's body as an ApiError; works for bodies that are not ours (a proxy's error page). */
export function errorFrom(status: number, body: unknown): ApiError {
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  if (error && typeof error === 'object' && typeof error['code'] === 'string') {
    return new ApiError(
      status,
      error['code'],
      String(error['message'] ?? ''),
      (error['details'] as Record<string, unknown>) ?? {},
      String(error['request_id'] ?? ''),
    );
  }
  return new ApiError(status, status === 0 ? 'network.unreachable' : 'server.unreadable', '');
}
