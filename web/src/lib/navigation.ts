// The places of the console, in the order of the bar on top and of the command palette. A new place is one line here.
import LayoutGrid from '@lucide/svelte/icons/layout-grid';
import SquareTerminal from '@lucide/svelte/icons/square-terminal';
import type { Component } from 'svelte';
import type { MessageKey } from './messages/en/index';

export type Place = {
  href: string;
  label: MessageKey;
  icon: Component<{ class?: string }>;
  /** Paths that belong to it. */
  owns: RegExp;
};

export const places: Place[] = [
  { href: '/', label: 'shell.apps', icon: LayoutGrid, owns: /^\/(apps\/.*|bin)?$/ },
  { href: '/workspaces', label: 'shell.workspaces', icon: SquareTerminal, owns: /^\/workspaces(\/.*)?$/ },
];
