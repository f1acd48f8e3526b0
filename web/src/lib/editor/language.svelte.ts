// The connection from the editor to an app's TypeScript language server, one per open app.
// It reconnects by itself, and the editor works without it: highlighting and saving never wait for it.
import { LSPClient, Workspace, formatKeymap, hoverTooltips, jumpToDefinitionKeymap, findReferencesKeymap, renameKeymap, serverCompletion, signatureHelp, LSPPlugin, type Transport, type WorkspaceFile } from '@codemirror/lsp-client';
import type { ChangeSet, Extension, Text } from '@codemirror/state';
import { keymap, type EditorView } from '@codemirror/view';
import { api } from '../api';
import { askAgain, languageFaults } from './diagnostics';
import { sanitize } from './sanitize';

const ROOT = 'file:///work/project/';

export function uriOf(name: string): string {
  return `${ROOT}${name}.ts`;
}

export function nameOf(uri: string): string | null {
  if (!uri.startsWith(ROOT) || !uri.endsWith('.ts') || uri.endsWith('.d.ts')) return null;
  return decodeURIComponent(uri.slice(ROOT.length, -3));
}

class OpenFile implements WorkspaceFile {
  version = 0;
  constructor(
    readonly uri: string,
    readonly languageId: string,
    public doc: Text,
    readonly view: EditorView,
  ) {}
  getView() {
    return this.view;
  }
}

/** How long a page may take to show its editor before a jump into it is given up. */
const JUMP_MS = 8_000;

/** The files that are open in an editor; another function is opened by going to its page. */
class OpenFiles extends Workspace {
  override files: OpenFile[] = [];
  /** Jumps into a file whose editor is not there yet. */
  #awaited = new Map<string, (view: EditorView) => void>();
  constructor(
    client: LSPClient,
    readonly go: (name: string) => Promise<boolean>,
  ) {
    super(client);
  }
  override syncFiles() {
    const updates: { file: OpenFile; prevDoc: Text; changes: ChangeSet }[] = [];
    for (const file of this.files) {
      const plugin = LSPPlugin.get(file.view);
      if (!plugin || plugin.unsyncedChanges.empty) continue;
      updates.push({ file, prevDoc: file.doc, changes: plugin.unsyncedChanges });
      file.doc = file.view.state.doc;
      file.version += 1;
      plugin.clear();
    }
    return updates;
  }
  override openFile(uri: string, languageId: string, view: EditorView) {
    if (this.getFile(uri)) this.closeFile(uri);
    const file = new OpenFile(uri, languageId, view.state.doc, view);
    this.files.push(file);
    this.client.didOpen(file);
    this.#awaited.get(uri)?.(view);
    this.#awaited.delete(uri);
  }
  override closeFile(uri: string, view?: EditorView) {
    const file = this.files.find((item) => item.uri === uri);
    if (!file || (view && file.view !== view)) return;
    this.files = this.files.filter((item) => item !== file);
    this.client.didClose(uri);
  }
  override async displayFile(uri: string) {
    const here = this.files.find((item) => item.uri === uri);
    if (here) return here.view;
    const name = nameOf(uri);
    if (!name) return null;
    const shown = new Promise<EditorView | null>((resolve) => {
      this.#awaited.set(uri, resolve);
      setTimeout(() => resolve(null), JUMP_MS);
    });
    if (!(await this.go(name))) {
      this.#awaited.delete(uri);
      return null;
    }
    const view = await shown;
    view?.focus();
    return view;
  }
}

type Message = { id?: number | string; method?: string; params?: { items?: unknown[] } };

/** Answers what the server asks of every client, so that it does not take a refusal for a fault. Null: not for us. */
export function answerServer(text: string): string | null {
  const { id, method, params } = JSON.parse(text) as Message;
  if (id === undefined || method === undefined) return null;
  const known = ['client/registerCapability', 'client/unregisterCapability', 'window/workDoneProgress/create'];
  if (method === 'workspace/configuration') {
    return JSON.stringify({ jsonrpc: '2.0', id, result: (params?.items ?? []).map(() => null) });
  }
  return known.includes(method) ? JSON.stringify({ jsonrpc: '2.0', id, result: null }) : null;
}

export type LanguageStatus = 'connecting' | 'ready' | 'off';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

export class LanguageServer {
  status = $state<LanguageStatus>('connecting');
  #client: LSPClient;
  #socket: WebSocket | null = null;
  #retry = FIRST_RETRY_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(
    readonly app: string,
    /** Goes to the page of a function; false when there is none. */
    go: (name: string) => Promise<boolean>,
  ) {
    this.#client = new LSPClient({
      rootUri: ROOT.slice(0, -1),
      workspace: (client) => new OpenFiles(client, go),
      timeout: 10_000,
      sanitizeHTML: sanitize,
      // The server's own log is for its authors, not for the browser's console.
      notificationHandlers: {
        'window/logMessage': () => true,
        // Somebody saved another function: what this one imports may be different now.
        'darter/projectChanged': (client) => {
          for (const file of client.workspace.files) {
            const view = file.getView();
            if (view) askAgain(view);
          }
          return true;
        },
      },
      extensions: [
        serverCompletion(),
        hoverTooltips(),
        signatureHelp(),
        keymap.of([...formatKeymap, ...renameKeymap, ...jumpToDefinitionKeymap, ...findReferencesKeymap]),
        languageFaults(),
      ],
    });
    this.#connect();
  }

  /** What an editor of this function needs to take part. */
  extension(name: string): Extension {
    return this.#client.plugin(uriOf(name), 'typescript');
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect(): void {
    const url = new URL(api.languageUrl(this.app), location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    const handlers = new Set<(value: string) => void>();
    this.#socket = socket;
    this.status = 'connecting';
    socket.onmessage = (event) => {
      const text = String(event.data);
      const answer = answerServer(text);
      if (answer) socket.send(answer);
      else for (const handler of handlers) handler(text);
    };
    socket.onopen = () => {
      const transport: Transport = {
        send: (message) => socket.send(message),
        subscribe: (handler) => handlers.add(handler),
        unsubscribe: (handler) => handlers.delete(handler),
      };
      this.#client.connect(transport);
      this.#client.initializing.then(
        () => {
          this.status = 'ready';
          this.#retry = FIRST_RETRY_MS;
        },
        () => socket.close(),
      );
    };
    socket.onclose = () => this.#lost();
  }

  #lost(): void {
    if (this.#client.connected) this.#client.disconnect();
    this.status = 'off';
    if (this.#closed) return;
    this.#timer = setTimeout(() => this.#connect(), this.#retry);
    this.#retry = Math.min(this.#retry * 2, LAST_RETRY_MS);
  }
}
