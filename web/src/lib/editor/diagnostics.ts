// One list of faults per editor from two sources: the language server's and those of the last publish.
// Both would overwrite each other in the lint state; here they are kept apart and shown together.
import { setDiagnostics, type Diagnostic as Mark } from '@codemirror/lint';
import { LSPPlugin, type LSPClient } from '@codemirror/lsp-client';
import { StateEffect, StateField, type EditorState, type Extension } from '@codemirror/state';
import { EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { Diagnostic } from '../api/types';

type Sources = { server: readonly Mark[]; compiler: readonly Mark[] };
const change = StateEffect.define<Partial<Sources>>();

const sources = StateField.define<Sources>({
  create: () => ({ server: [], compiler: [] }),
  update(value, transaction) {
    let next = value;
    if (transaction.docChanged) {
      const moved = (mark: Mark): Mark => ({
        ...mark,
        from: transaction.changes.mapPos(mark.from, 1),
        to: transaction.changes.mapPos(mark.to, -1),
      });
      next = { server: next.server.map(moved), compiler: [] };
    }
    for (const effect of transaction.effects) if (effect.is(change)) next = { ...next, ...effect.value };
    return next;
  },
});

function show(view: EditorView, part: Partial<Sources>): void {
  view.dispatch({ effects: change.of(part) });
  const { server, compiler } = view.state.field(sources);
  view.dispatch(setDiagnostics(view.state, [...compiler, ...server].map((mark) => ({ ...mark, to: Math.max(mark.from, mark.to) }))));
}

/** Shows the places that the compiler refused and puts the cursor on the first. */
export function showCompilerFaults(view: EditorView, faults: Diagnostic[]): void {
  const marks = faults.map((fault) => markAt(view.state, fault));
  show(view, { compiler: marks });
  const first = marks[0];
  if (first) view.dispatch({ selection: { anchor: first.from }, effects: EditorView.scrollIntoView(first.from, { y: 'center' }) });
}

function markAt(state: EditorState, fault: Diagnostic): Mark {
  const line = state.doc.line(Math.min(Math.max(1, fault.line), state.doc.lines));
  const from = Math.min(line.to, line.from + Math.max(0, fault.column - 1));
  const word = state.wordAt(from);
  return { from, to: word?.to ?? Math.min(line.to, from + 1), severity: 'error', message: fault.message };
}

type LspDiagnostic = {
  range: { start: { line: number; character: number }; end: { line: number; character: number } };
  severity?: number;
  message: string;
};

const SEVERITIES = ['error', 'error', 'warning', 'info', 'hint'] as const;

function showServerFaults(view: EditorView, items: LspDiagnostic[]): void {
  const plugin = LSPPlugin.get(view);
  if (!plugin) return;
  const place = (position: { line: number; character: number }) =>
    plugin.unsyncedChanges.mapPos(plugin.fromPosition(position, plugin.syncedDoc));
  show(view, {
    server: items.map((item) => ({
      from: place(item.range.start),
      to: place(item.range.end),
      severity: SEVERITIES[item.severity ?? 1] ?? 'error',
      message: item.message,
    })),
  });
}

async function pull(view: EditorView): Promise<void> {
  const plugin = LSPPlugin.get(view);
  if (!plugin?.client.connected || !plugin.client.serverCapabilities?.diagnosticProvider) return;
  plugin.client.sync();
  const before = view.state.doc;
  const answer = await plugin.client
    .request<unknown, { kind: string; items?: LspDiagnostic[] }>('textDocument/diagnostic', {
      textDocument: { uri: plugin.uri },
    })
    .catch(() => null);
  if (answer?.items && view.state.doc.eq(before)) showServerFaults(view, answer.items);
}

const QUIET_MS = 400;

/** Sends edits after a pause and, from servers that wait to be asked, asks for the faults. */
const asker = ViewPlugin.fromClass(
  class {
    timer: ReturnType<typeof setTimeout> | undefined;
    constructor(readonly view: EditorView) {
      LSPPlugin.get(view)?.client.initializing.then(() => this.later(), () => undefined);
      this.later();
    }
    update(update: ViewUpdate) {
      if (update.docChanged) this.later();
    }
    later() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        LSPPlugin.get(this.view)?.client.sync();
        void pull(this.view);
      }, QUIET_MS);
    }
    destroy() {
      clearTimeout(this.timer);
    }
  },
);

/** Asks for the faults once more, after the same pause as after an edit. */
export function askAgain(view: EditorView): void {
  view.plugin(asker)?.later();
}

export const compilerFaults: Extension = sources;

/** For the language client: capabilities, the handler for pushed faults, and the asker for pulled ones. */
export function languageFaults() {
  return {
    clientCapabilities: {
      textDocument: { publishDiagnostics: { versionSupport: true }, diagnostic: { dynamicRegistration: false } },
    },
    notificationHandlers: {
      'textDocument/publishDiagnostics': (client: LSPClient, params: { uri: string; version?: number; diagnostics: LspDiagnostic[] }) => {
        const file = client.workspace.getFile(params.uri);
        const view = file?.getView();
        if (!file || !view || (params.version != null && params.version !== file.version)) return false;
        showServerFaults(view, params.diagnostics);
        return true;
      },
    },
    editorExtension: asker,
  };
}
