// A draft between the editor and the server: nothing typed is lost, nobody is overwritten unseen.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { api, ApiError, type Fn } from '../src/lib/api';
import { Draft } from '../src/lib/editor/draft.svelte';

const fn = (over: Partial<Fn> = {}): Fn => ({
  id: 'fn_1', name: 'hello', description: '', methods: ['GET'], live_version: null, changed: true, updated_at: 0, updated_by: 'ada',
  url: 'http://a/hello', source: 'one', revision: 1, created_at: 0, ...over,
});

function store() {
  const kept = new Map<string, string>();
  return {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
    kept,
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('a draft', () => {
  it('is kept in the browser until the server has it', async () => {
    const kept = store();
    const draft = new Draft('app', fn(), false, kept);
    draft.edit('two');
    expect(draft.status).toBe('dirty');
    expect(kept.kept.size).toBe(1);
    vi.spyOn(api, 'updateFunction').mockResolvedValue(fn({ source: 'two', revision: 2 }));
    expect(await draft.save()).toBe(true);
    expect(draft.status).toBe('saved');
    expect(kept.kept.size).toBe(0);
  });

  it('sends the revision it has read, and the newest text after an edit during a save', async () => {
    const draft = new Draft('app', fn(), false, store());
    const sent = vi.spyOn(api, 'updateFunction').mockImplementation(async (_app, _name, revision, body) => {
      if (revision === 1) draft.edit('three');
      return fn({ source: body.source ?? '', revision: revision + 1 });
    });
    draft.edit('two');
    await draft.save();
    expect(draft.status).toBe('dirty');
    await draft.save();
    expect(sent.mock.calls.map((call) => [call[2], call[3].source])).toEqual([[1, 'two'], [2, 'three']]);
    expect(draft.status).toBe('saved');
  });

  it('becomes a conflict when somebody else saved first, and is saved on top of theirs when resolved', async () => {
    const draft = new Draft('app', fn(), false, store());
    vi.spyOn(api, 'updateFunction').mockRejectedValueOnce(new ApiError(412, 'function.stale', ''));
    vi.spyOn(api, 'function').mockResolvedValue(fn({ source: 'theirs', revision: 7, updated_by: 'grace' }));
    draft.edit('mine');
    expect(await draft.save()).toBe(false);
    expect(draft.status).toBe('conflict');
    expect(draft.theirs?.source).toBe('theirs');
    const sent = vi.spyOn(api, 'updateFunction').mockResolvedValue(fn({ source: 'both', revision: 8 }));
    await draft.resolve('both');
    expect(sent.mock.lastCall?.[2]).toBe(7);
    expect(draft.status).toBe('saved');
  });

  it('comes back after the page was closed, and says so when the server moved on meanwhile', () => {
    const kept = store();
    new Draft('app', fn(), false, kept).edit('two');
    expect(new Draft('app', fn(), false, kept).source).toBe('two');
    const later = new Draft('app', fn({ source: 'theirs', revision: 9 }), false, kept);
    expect(later.status).toBe('conflict');
    expect(later.source).toBe('two');
  });

  it('stays unsaved and kept when the server cannot be reached', async () => {
    const kept = store();
    const draft = new Draft('app', fn(), false, kept);
    draft.edit('two');
    vi.spyOn(api, 'updateFunction').mockRejectedValue(new ApiError(0, 'network.unreachable', ''));
    expect(await draft.save()).toBe(false);
    expect(draft.status).toBe('failed');
    expect(kept.kept.size).toBe(1);
  });

  it('of a viewer never changes', () => {
    const draft = new Draft('app', fn(), true, store());
    draft.edit('two');
    expect(draft.source).toBe('one');
  });
});
