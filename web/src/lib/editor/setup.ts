// Makes the code editor and the two ways to compare sources. Loaded only when a page with code is opened.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { javascript } from '@codemirror/lang-javascript';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language';
import { lintGutter, lintKeymap } from '@codemirror/lint';
import { MergeView, unifiedMergeView } from '@codemirror/merge';
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from '@codemirror/view';
import { language, t } from '../i18n.svelte';
import { compilerFaults } from './diagnostics';
import { chinesePhrases } from './phrases';
import { editorLook } from './theme';

export { showCompilerFaults } from './diagnostics';
export type { EditorView } from '@codemirror/view';

export type Keys = { save: () => void; run: () => void; publish: () => void };

const typescript = javascript({ typescript: true });

/** `code`: how the text is highlighted. */
const reading = (code: Extension = typescript): Extension => [
  language() === 'zh' ? EditorState.phrases.of(chinesePhrases) : [],
  lineNumbers(),
  highlightSpecialChars(),
  drawSelection(),
  code,
  bracketMatching(),
  highlightSelectionMatches(),
  EditorView.lineWrapping,
  editorLook,
];

const writing: Extension = [
  highlightActiveLine(),
  highlightActiveLineGutter(),
  foldGutter(),
  lintGutter(),
  history(),
  indentOnInput(),
  indentUnit.of('  '),
  closeBrackets(),
  autocompletion({ icons: false }),
  compilerFaults,
  keymap.of([
    ...closeBracketsKeymap,
    ...defaultKeymap,
    ...searchKeymap,
    ...historyKeymap,
    ...foldKeymap,
    ...completionKeymap,
    ...lintKeymap,
    indentWithTab,
  ]),
];

function shortcuts(keys: Keys): Extension {
  const press = (action: () => void) => () => {
    action();
    return true;
  };
  return keymap.of([
    { key: 'Mod-s', run: press(keys.save), preventDefault: true },
    { key: 'Mod-Enter', run: press(keys.run), preventDefault: true },
    { key: 'Shift-Mod-Enter', run: press(keys.publish), preventDefault: true },
  ]);
}

export type EditorOptions = {
  parent: HTMLElement;
  source: string;
  label: string;
  readOnly: boolean;
  /** How it is highlighted; TypeScript unless told. */
  code?: Extension;
  keys: Keys;
  onchange: (source: string) => void;
};

const languagePart = new Compartment();

export function makeEditor(options: EditorOptions): EditorView {
  const listener = EditorView.updateListener.of((update) => {
    if (update.docChanged) options.onchange(update.state.doc.toString());
  });
  return new EditorView({
    parent: options.parent,
    state: EditorState.create({
      doc: options.source,
      extensions: [
        shortcuts(options.keys),
        reading(options.code),
        writing,
        EditorState.readOnly.of(options.readOnly),
        EditorView.contentAttributes.of({ 'aria-label': options.label, spellcheck: 'false', tabindex: '0' }),
        languagePart.of([]),
        listener,
      ],
    }),
  });
}

/** Joins an editor to a language server, or with nothing takes it away from one that is gone. */
export function joinLanguage(view: EditorView, language: Extension | null): void {
  view.dispatch({ effects: languagePart.reconfigure(language ?? []) });
}

/** Puts another source into an editor as one change that can be undone. */
export function replaceSource(view: EditorView, source: string): void {
  if (view.state.doc.toString() === source) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: source } });
}

const still = (label = t('editor.source'), code?: Extension): Extension => [
  reading(code),
  EditorState.readOnly.of(true),
  EditorView.editable.of(false),
  EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
];

/** Two sources side by side, or one under the other where the page is narrow. Answers how to take it away. */
export function makeDiff(parent: HTMLElement, before: string, after: string, narrow: boolean): () => void {
  const collapseUnchanged = { margin: 3, minSize: 6 };
  if (narrow) {
    const view = new EditorView({
      parent,
      doc: after,
      extensions: [still(t('editor.source_after')), unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged })],
    });
    return () => view.destroy();
  }
  const view = new MergeView({
    parent,
    a: { doc: before, extensions: still(t('editor.source_before')) },
    b: { doc: after, extensions: still(t('editor.source_after')) },
    collapseUnchanged,
    gutter: true,
  });
  return () => view.destroy();
}

/** Theirs on the left (fixed), ours on the right (to edit), with buttons that take a change over. `code`: how both are highlighted. */
export function makeMerge(parent: HTMLElement, [theirs, ours]: [string, string], code?: Extension): { text: () => string; close: () => void } {
  const view = new MergeView({
    parent,
    a: { doc: theirs, extensions: still(undefined, code) },
    b: { doc: ours, extensions: [reading(code), EditorView.contentAttributes.of({ 'aria-label': t('editor.source_yours') }), history(), keymap.of([...defaultKeymap, ...historyKeymap])] },
    revertControls: 'a-to-b',
    collapseUnchanged: { margin: 3, minSize: 6 },
    gutter: true,
  });
  return { text: () => view.b.state.doc.toString(), close: () => view.destroy() };
}
