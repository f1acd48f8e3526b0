// How a file is highlighted goes by its name, wherever its text is shown.
import { language } from '@codemirror/language';
import { EditorState } from '@codemirror/state';
import { expect, it } from 'vitest';
import { codeOf } from '../src/lib/editor/code';

it('goes by the end of the name, and a name that says nothing is plain text', () => {
  const rows: [string, string | undefined][] = [
    ['main.py', 'python'],
    ['App.TSX', 'typescript'],
    ['index.mjs', 'javascript'],
    ['notebook.ipynb', 'json'],
    ['notes.txt', undefined],
    ['Makefile', undefined],
  ];
  for (const [name, expected] of rows) {
    const state = EditorState.create({ extensions: codeOf(name) });
    expect(state.facet(language)?.name, name).toBe(expected);
  }
});
