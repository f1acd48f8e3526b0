// Light, dark, or the system's choice. Must agree with static/theme.js, which sets it before the first paint.
import { remember, remembered } from '../preference';

export type Theme = 'system' | 'light' | 'dark';

const STORED = 'darter.theme';
const state = $state<{ theme: Theme; dark: boolean }>({ theme: 'system', dark: false });

function apply(): void {
  const system = matchMedia('(prefers-color-scheme: dark)').matches;
  state.dark = state.theme === 'dark' || (state.theme === 'system' && system);
  document.documentElement.dataset['theme'] = state.dark ? 'dark' : 'light';
}

export function theme(): Theme {
  return state.theme;
}

export function isDark(): boolean {
  return state.dark;
}

export function setTheme(next: Theme): void {
  state.theme = next;
  remember(STORED, next);
  apply();
}

export function restoreTheme(): void {
  const stored = remembered(STORED);
  state.theme = stored === 'light' || stored === 'dark' ? stored : 'system';
  apply();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
}
