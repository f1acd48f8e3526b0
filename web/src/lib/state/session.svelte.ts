// Who is signed in. Undefined: not asked yet; null: nobody.
import { api, ApiError, type Account } from '../api';

const state = $state<{ account: Account | null | undefined }>({ account: undefined });

export function account(): Account | null | undefined {
  return state.account;
}

export function setAccount(next: Account | null): void {
  state.account = next;
}

/** Asks the server who this is. Throws only when the server cannot be reached. */
export async function loadAccount(): Promise<Account | null> {
  try {
    state.account = await api.me();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    state.account = null;
  }
  return state.account;
}

/** Only a path of this site may follow a sign-in; anything else leads to the list of apps. */
export function safeReturn(path: string | null): string {
  if (!path || !path.startsWith('/') || path.startsWith('//') || path.includes('\\')) return '/';
  return path;
}
