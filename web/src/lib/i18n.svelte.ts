// The one way to a text. Keys are typed from the English catalogue; the Chinese one has the same keys or does not compile.
// Chinese is fetched only when chosen, so that the first page stays small.
import { remember, remembered } from './preference';
import { en, type MessageKey } from './messages/en/index';

export type { MessageKey };
export type Language = 'en' | 'zh';
export type Params = Record<string, string | number>;

const STORED = 'darter.language';

const state = $state<{ language: Language; catalogue: Record<MessageKey, string> }>({ language: 'en', catalogue: en });

/** Fills `{name}` and chooses between `one|many` by `{n}`. */
export function fill(pattern: string, params: Params = {}, language: Language = 'en'): string {
  let text = pattern;
  if (text.includes('||')) {
    const [one, many] = text.split('||');
    const rule = new Intl.PluralRules(language).select(Number(params['n'] ?? 0));
    text = (rule === 'one' ? one : many) ?? pattern;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

/** The text of a key in the chosen language. */
export function t(key: MessageKey, params?: Params): string {
  return fill(state.catalogue[key] ?? en[key] ?? key, params, state.language);
}

/** The text of a key that may not exist (server codes, phases): `fallback` then. */
export function known(key: string, fallback: string, params?: Params): string {
  const text = (state.catalogue as Record<string, string>)[key] ?? (en as Record<string, string>)[key];
  return text === undefined ? fallback : fill(text, params, state.language);
}

export function language(): Language {
  return state.language;
}

export function locale(): string {
  return state.language === 'zh' ? 'zh-CN' : 'en-GB';
}

/** Switches the language and remembers it. */
export async function setLanguage(next: Language): Promise<void> {
  const catalogue = next === 'zh' ? (await import('./messages/zh/index')).zh : en;
  state.catalogue = catalogue;
  state.language = next;
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
  remember(STORED, next);
}

/** The remembered language, else the browser's, else English. */
export async function restoreLanguage(): Promise<void> {
  const stored = remembered(STORED);
  const wanted = stored ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
  if (wanted === 'zh') await setLanguage('zh');
}
