// What is said of a workspace: reasons with their figures, refusals, names.
import { describe, expect, it } from 'vitest';
import type { Workspace } from '../src/lib/api';
import { allowed, freeName, nextLine, phaseNow, refusal, troubleKind, troubleTitle } from '../src/lib/workspaces';
import { limitFields, restFields } from '../src/lib/workspace-limits';
import { cleaned, nameFits, sorted, steps, textOf } from '../src/lib/workspace-files';
import { shownOf, valueOf } from '../src/lib/limits';

const workspace = (over: object) => ({ observed: { state: 'running', since: 0 }, actions: [], ...over }) as unknown as Workspace;

describe('what happens next', () => {
  const at = new Date().setHours(14, 32, 0, 0);
  it('says what, when and why, with the owner’s own times', () => {
    expect(nextLine({ state: 'frozen', at, reason: { key: 'quiet', params: { after_ms: 300_000 } } })).toMatch(/^Freezes at 14:32, after 5 mins? with nobody there$/);
  });
  it('leaves a reason out that it does not know', () => {
    expect(nextLine({ state: 'stopped', at, reason: { key: 'moon_is_full', params: {} } })).toBe('Falls asleep at 14:32');
  });
});

describe('trouble', () => {
  const of = (code: string) => ({ code, message: 'x', last_lines: [], at: 0 });
  it('of a workspace that runs is not called a start that failed', () => {
    expect(troubleTitle(of('workspace.home_restored'))).toBe('Its files come from a snapshot');
    expect(troubleKind(of('workspace.home_restored'))).toBe('warn');
    expect(troubleTitle(of('workspace.start_failed'))).toBe('It could not be started');
    expect(troubleKind(of('workspace.start_failed'))).toBe('error');
  });
});

describe('offers', () => {
  const one = workspace({ actions: [{ action: 'open', allowed: true }, { action: 'delete', allowed: false, reason: { key: 'role', params: { role: 'editor' } } }] });
  it('are the server’s, and a refusal has a reason', () => {
    expect(allowed(one, 'open')).toBe(true);
    expect(refusal(one, 'open')).toBe('');
    expect(refusal(one, 'delete')).toContain('Editor');
    expect(allowed(one, 'purge')).toBe(false);
  });
});

it('the phase is told only while it starts', () => {
  const start = { from: 'pool', phases: [{ name: 'home', us: 1 }], total_us: 1 };
  expect(phaseNow(workspace({ observed: { state: 'starting', since: 0, start } }))).toBe('Home');
  expect(phaseNow(workspace({ observed: { state: 'running', since: 0, start } }))).toBe('');
});

it('a proposed name is free', () => {
  expect(freeName('VS Code', [])).toBe('VS Code');
  expect(freeName('VS Code', ['VS Code', 'VS Code 2'])).toBe('VS Code 3');
});

it('limits survive being shown', () => {
  for (const field of [...limitFields, ...restFields]) expect(valueOf(field, shownOf(field, field.max))).toBe(field.max);
});

describe('files', () => {
  it('have paths without tricks', () => {
    expect(cleaned(null)).toBe('/home/user');
    expect(cleaned('relative')).toBe('/home/user');
    expect(cleaned('/home/user/./a//b/../c')).toBe('/home/user/a/c');
    expect(cleaned('/../..')).toBe('/');
    for (const bad of ['', '.', '..', 'a/b', 'a\0']) expect(nameFits(bad)).toBe(false);
  });
  it('know the way to where they are', () => {
    expect(steps('/home/user/a/b').map((step) => step.path)).toEqual(['/home/user', '/home/user/a', '/home/user/a/b']);
    expect(steps('/etc').map((step) => step.path)).toEqual(['/', '/etc']);
    expect(steps('/home/username').at(0)?.path).toBe('/');
  });
  it('are sorted as people count, folders first', () => {
    const of = (name: string, type: 'file' | 'directory') => ({ name, type, size: 0, modified_ms: 0, mode: 0 });
    expect(sorted([of('b10', 'file'), of('b2', 'file'), of('z', 'directory')], 'en').map((entry) => entry.name)).toEqual(['z', 'b2', 'b10']);
  });
  it('are text or not', () => {
    const bytes = (...values: number[]) => Uint8Array.from(values).buffer;
    expect(textOf(bytes(104, 105))).toBe('hi');
    expect(textOf(bytes(104, 0))).toBeNull();
    expect(textOf(bytes(0xff, 0xfe))).toBeNull();
  });
});
