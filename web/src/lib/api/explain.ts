// A failure in the reader's language: known codes from the catalogue, unknown ones in the server's own words.
import { ApiError } from './error';
import { known, language, t } from '../i18n.svelte';

export type Explained = { text: string; code: string; requestId: string; status: number };

export function messageOf(error: unknown): Explained {
  if (error instanceof ApiError) {
    const translated = known(`error.${error.code}`, '', scalars(error.details));
    // The server's English names the exact figures, so it wins unless the reader chose another language.
    const own = language() === 'en' ? error.message || translated : translated || error.message;
    return { text: own || t('error.unknown'), code: error.code, requestId: error.requestId, status: error.status };
  }
  return { text: error instanceof Error && error.message ? error.message : t('error.unknown'), code: '', requestId: '', status: 0 };
}

function scalars(details: Record<string, unknown>): Record<string, string | number> {
  const kept: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(details)) {
    if (typeof value === 'string' || typeof value === 'number') kept[key] = value;
  }
  return kept;
}
