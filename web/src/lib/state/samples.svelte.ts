// What workspaces used in the last minutes, kept while the console is open, so that graphs survive a change of page.
import type { WorkspaceUsage } from '../api';

export type Sample = { at: number; cores: number; memory: number };

const MOST = 120;
const kept = $state<Record<string, Sample[]>>({});
const last = new Map<string, WorkspaceUsage>();

/** Takes note of what a workspace uses now; two notes make a rate. */
export function note(id: string, usage: WorkspaceUsage | null | undefined): void {
  if (!usage) return;
  const before = last.get(id);
  if (before && usage.at <= before.at) return;
  last.set(id, usage);
  // A new start counts from zero.
  if (!before || usage.cpu_usec < before.cpu_usec) return;
  const cores = (usage.cpu_usec - before.cpu_usec) / 1_000 / (usage.at - before.at);
  kept[id] = [...(kept[id] ?? []), { at: usage.at, cores, memory: usage.memory_bytes }].slice(-MOST);
}

export function samplesOf(id: string): Sample[] {
  return kept[id] ?? [];
}
