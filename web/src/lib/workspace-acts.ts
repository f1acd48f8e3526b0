// What every page does after a workspace was changed: keep the answer, renew the lists, say what happened.
import { useQueryClient } from '@tanstack/svelte-query';
import type { Workspace } from './api';
import { toast, toastError } from './state/toasts.svelte';

/** Called while a component is made; answers whether it worked. */
export function workspaceActs() {
  const queries = useQueryClient();
  return async (call: Promise<Workspace | void>, said?: string): Promise<boolean> => {
    try {
      const next = await call;
      if (next) queries.setQueryData(['workspace', next.id], next);
      if (said) toast({ kind: 'ok', title: said });
      return true;
    } catch (error) {
      toastError(error);
      return false;
    } finally {
      void queries.invalidateQueries({ queryKey: ['workspaces'] });
    }
  };
}
