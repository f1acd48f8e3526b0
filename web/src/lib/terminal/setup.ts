// A terminal of a workspace in the page: xterm.js over the API's WebSocket. Loaded only when a terminal is opened.
// It reconnects by itself to the terminal it had; the terminal lives on inside while nobody looks.
import { FitAddon } from '@xterm/addon-fit';
import { Terminal, type ITheme } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { api } from '../api';

export type TerminalStatus = 'connecting' | 'open' | 'lost' | 'ended';

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** Control words are small; whatever is larger is not one. */
const WORD_LIMIT = 4_096;

type Word = { terminal?: string; replay?: number; exit?: number | null; signal?: string };

function theme(): ITheme {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(name).trim();
  const [red, green, yellow, blue] = [of('--danger'), of('--ok'), of('--warn'), of('--info')];
  const [magenta, cyan] = [of('--code-keyword'), of('--accent-text')];
  return {
    background: of('--surface'), foreground: of('--text'), cursor: of('--accent'), cursorAccent: of('--surface'), selectionBackground: `${of('--accent')}44`,
    black: of('--line-strong'), brightBlack: of('--faint'), white: of('--muted'), brightWhite: of('--text'), red, green, yellow, blue, magenta, cyan,
    brightRed: red, brightGreen: green, brightYellow: yellow, brightBlue: blue, brightMagenta: magenta, brightCyan: cyan,
  };
}

export type TerminalOptions = {
  parent: HTMLElement;
  workspace: string;
  /** A terminal to attach to again. */
  id?: string;
  label: string;
  onstatus: (status: TerminalStatus) => void;
  onid: (id: string) => void;
};

/** Opens it; answers how to take it away, to paint it anew, and to focus it. */
export function openTerminal(options: TerminalOptions) {
  const screen = new Terminal({
    fontFamily: 'JetBrains Mono Variable, ui-monospace, monospace', fontSize: 13, lineHeight: 1.25, cursorBlink: true, scrollback: 5_000,
    screenReaderMode: matchMedia('(prefers-reduced-motion: reduce)').matches, theme: theme(),
  });
  const fit = new FitAddon();
  screen.loadAddon(fit);
  screen.open(options.parent);
  screen.textarea?.setAttribute('aria-label', options.label);
  fit.fit();

  let id = options.id;
  let socket: WebSocket | null = null;
  let retry = FIRST_RETRY_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let closed = false;
  let ended = false;
  /** Old output that comes again: the questions in it were answered once. */
  let replay = 0;

  const say = (word: object) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(word));

  function hear(text: string) {
    if (text.length > WORD_LIMIT) return;
    const word = JSON.parse(text) as Word;
    if (typeof word.terminal === 'string') {
      id = word.terminal;
      replay = word.replay ?? 0;
      if (replay > 0) screen.reset();
      options.onid(id);
    }
    if ('exit' in word) {
      ended = true;
      options.onstatus('ended');
    }
  }

  function connect() {
    options.onstatus('connecting');
    const url = new URL(api.terminalUrl(options.workspace, { cols: screen.cols, rows: screen.rows, id }), location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const next = new WebSocket(url);
    let opened = false;
    next.binaryType = 'arraybuffer';
    socket = next;
    next.onopen = () => {
      opened = true;
      retry = FIRST_RETRY_MS;
      options.onstatus('open');
    };
    next.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === 'string') return hear(data);
      const bytes = new Uint8Array(data);
      const old = replay > 0;
      screen.write(bytes, () => {
        if (old) replay = Math.max(0, replay - bytes.length);
      });
    };
    next.onclose = () => {
      if (closed || ended || socket !== next) return;
      options.onstatus('lost');
      // A terminal that is gone (the workspace slept) cannot be attached to: the next try begins a new one.
      if (!opened) id = undefined;
      timer = setTimeout(connect, retry);
      retry = Math.min(retry * 2, LAST_RETRY_MS);
    };
  }

  const keys = new TextEncoder();
  screen.onData((data) => {
    if (replay === 0 && socket?.readyState === WebSocket.OPEN) socket.send(keys.encode(data));
  });
  screen.onBinary((data) => socket?.readyState === WebSocket.OPEN && socket.send(Uint8Array.from(data, (letter) => letter.charCodeAt(0))));
  screen.onResize(({ cols, rows }) => say({ resize: [cols, rows] }));
  const watch = new ResizeObserver(() => fit.fit());
  watch.observe(options.parent);
  void document.fonts.ready.then(() => !closed && fit.fit());
  connect();

  return {
    focus: () => screen.focus(),
    repaint: () => (screen.options.theme = theme()),
    close: () => {
      closed = true;
      clearTimeout(timer);
      watch.disconnect();
      socket?.close();
      screen.dispose();
    },
  };
}
