// Whether the command palette is open, and the commands that the page in view offers.
export type Command = { label: string; keys?: string; run: () => void };

const state = $state<{ open: boolean; commands: Command[] }>({ open: false, commands: [] });

export function paletteOpen(): boolean {
  return state.open;
}

export function openPalette(open: boolean): void {
  state.open = open;
}

export function pageCommands(): Command[] {
  return state.commands;
}

/** The page in view offers commands; call it in an effect and return its answer to take them back. */
export function offerCommands(commands: Command[]): () => void {
  state.commands = commands;
  return () => {
    state.commands = [];
  };
}
