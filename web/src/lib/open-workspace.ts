// The way from the console into a workspace: a tab of its own, led there by an address that signs in once.
// Where that fails, the plain address serves too: its door asks the console who is there.
import { api } from './api';
import { toastError } from './state/toasts.svelte';

/** A tab that is opened after an answer came counts as a pop-up: it is opened within the click and led on later. */
export function emptyTab(): Window | null {
  const tab = window.open('about:blank', '_blank');
  if (tab) tab.opener = null;
  return tab;
}

/** For a link's plain click; with a key held, and where tabs are blocked, the link's own address does. */
export async function openInTab(event: MouseEvent, workspace: string, port?: number): Promise<void> {
  if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const tab = emptyTab();
  if (!tab) return;
  event.preventDefault();
  try {
    tab.location.replace((await api.openWorkspace(workspace, port)).url);
  } catch (error) {
    tab.close();
    toastError(error);
  }
}
