// The catalogue and the way texts are filled; the same check as `npm run check:messages`.
import { describe, expect, it } from 'vitest';
import { literals, problems } from '../scripts/check-messages.js';
import { fill } from '../src/lib/i18n.svelte';
import { errorFrom } from '../src/lib/api/error';
import { safeReturn } from '../src/lib/state/session.svelte';

describe('messages', () => {
  it('are complete in both languages, and no page has a text of its own', () => {
    expect(problems()).toEqual([]);
  });

  it('that stand in a template are found', () => {
    expect(literals('<p>Hello there</p>', 'a.svelte')).toHaveLength(1);
    expect(literals('<input placeholder="Your name" />', 'a.svelte')).toHaveLength(1);
    expect(literals("<p>{t('apps.title')}</p>", 'a.svelte')).toEqual([]);
  });

  it('are filled and choose their number', () => {
    expect(fill('{n} call||{n} calls', { n: 1 }, 'en')).toBe('1 call');
    expect(fill('{n} call||{n} calls', { n: 2 }, 'en')).toBe('2 calls');
    expect(fill('{n} 次', { n: 2 }, 'zh')).toBe('2 次');
    expect(fill('{missing}', {}, 'en')).toBe('{missing}');
  });
});

describe('failures', () => {
  it('keep code, details and request id, and survive a body that is not ours', () => {
    const fault = errorFrom(400, {
      error: { code: 'function.syntax_error', message: 'm', request_id: 'r', details: { diagnostics: [{ line: 3, column: 1, message: 'x' }, { no: 1 }] } },
    });
    expect(fault.diagnostics).toEqual([{ line: 3, column: 1, message: 'x' }]);
    expect(fault.requestId).toBe('r');
    expect(errorFrom(502, null).code).toBe('server.unreadable');
  });

  it('never lead a sign-in to another site', () => {
    for (const bad of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example']) expect(safeReturn(bad)).toBe('/');
    expect(safeReturn('/apps/x?y=1')).toBe('/apps/x?y=1');
  });
});
