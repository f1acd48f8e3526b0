// The environments of the server as every page sees them: one query, looked at often while one is being installed.
import { createQuery } from '@tanstack/svelte-query';
import { api, type Environment } from '../api';
import { known, language, locale, t } from '../i18n.svelte';
import { bytes } from '../format';
import { environmentOf } from '../workspaces';

/** Called while a component is made. */
export const environmentsQuery = () =>
  createQuery(() => ({
    queryKey: ['environments'],
    queryFn: () => api.environments(),
    refetchInterval: (query) => (query.state.data?.items.some((one) => one.state === 'installing') ? 1_000 : 15_000),
  }));

/** Title and description in the reader's language. */
export const wordsOf = (one: Environment) => one.translations[language()] ?? { title: one.title, description: one.description };

/** What a workspace's environment is called; one that has gone from the server, by its name. */
export const titleIn = (items: Environment[] | undefined, name: string): string => {
  const found = items?.find((one) => one.name === name);
  return found ? wordsOf(found).title : environmentOf(name).title;
};

/** Where an install is, in words: the phase, what of it, how much of a download. */
export function progressLine(one: Environment): string {
  const at = one.progress;
  if (!at) return t('wsenvs.phase_waiting');
  const parts = [known(`wsenvs.phase_${at.phase}`, at.phase)];
  if (at.what) parts.push(at.what);
  if (at.total > 0) parts.push(t('wsenvs.of_bytes', { done: bytes(at.bytes, locale()), all: bytes(at.total, locale()) }));
  return parts.join(' · ');
}

/** Between 0 and 1: the phases, and within one the bytes of its download. */
export function progressShare(one: Environment): number {
  const at = one.progress;
  if (!at || at.of === 0) return 0;
  const within = at.total > 0 ? Math.min(1, at.bytes / at.total) : 0;
  return Math.min(1, Math.max(0, at.number - 1 + within) / at.of);
}

/** A recipe that the server could not read: nothing can be installed from it before somebody has corrected it. */
export const misread = (one: Environment): boolean => one.state === 'broken' && one.trouble?.code === 'environment.recipe';
