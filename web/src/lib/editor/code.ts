// How a file is highlighted, by the end of its name. Loaded with the editor.
import { javascript } from '@codemirror/lang-javascript';
import { json } from '@codemirror/lang-json';
import { python } from '@codemirror/lang-python';
import type { Extension } from '@codemirror/state';

export function codeOf(name: string): Extension {
  const end = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  if (['ts', 'tsx', 'mts', 'cts'].includes(end)) return javascript({ typescript: true, jsx: end === 'tsx' });
  if (['js', 'jsx', 'mjs', 'cjs'].includes(end)) return javascript({ jsx: true });
  if (['json', 'ipynb', 'jsonc'].includes(end)) return json();
  if (['py', 'pyi'].includes(end)) return python();
  return [];
}
