// The run panel's request as people type it, and the request that the server gets. Pure.
import type { RunRequest } from './api';

export type RunForm = { method: string; query: string; headers: string; body: string; user: string };

export const emptyForm: RunForm = { method: 'GET', query: '', headers: '', body: '', user: '' };

export type HeaderParse = { headers: Record<string, string>; badLine: number | null };

/** One `name: value` a line; empty lines are skipped. */
export function parseHeaders(text: string): HeaderParse {
  const headers: Record<string, string> = {};
  let badLine: number | null = null;
  text.split('\n').forEach((line, index) => {
    if (!line.trim()) return;
    const match = /^\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*:\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined) headers[match[1].toLowerCase()] = match[2] ?? '';
    else badLine ??= index + 1;
  });
  return { headers, badLine };
}

export function userFault(text: string): boolean {
  if (!text.trim()) return false;
  try {
    JSON.parse(text);
    return false;
  } catch {
    return true;
  }
}

export function carriesBody(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

function looksLikeJson(text: string): boolean {
  return /^\s*[[{"]/.test(text);
}

/** Headers as sent: a JSON body without a content type gets one. */
export function sentHeaders(form: RunForm): Record<string, string> {
  const { headers } = parseHeaders(form.headers);
  if (carriesBody(form.method) && form.body && !('content-type' in headers)) {
    headers['content-type'] = looksLikeJson(form.body) ? 'application/json' : 'text/plain; charset=utf-8';
  }
  return headers;
}

export function toRequest(form: RunForm, source: string): RunRequest {
  const request: RunRequest = { source, method: form.method, headers: sentHeaders(form) };
  const query = form.query.replace(/^\?/, '').trim();
  if (query) request.query = query;
  if (carriesBody(form.method) && form.body) request.body = form.body;
  if (form.user.trim()) request.user = JSON.parse(form.user) as Record<string, unknown>;
  return request;
}

/** A body as text for reading: JSON is indented, everything else stays. */
export function pretty(body: string, contentType: string): string {
  if (!/json/i.test(contentType)) return body;
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}
