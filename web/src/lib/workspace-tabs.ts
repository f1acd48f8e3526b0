// The sections of a workspace, in the order of the tabs.
import type { MessageKey } from './messages/en/index';

export const workspaceTabs: { path: string; label: MessageKey }[] = [
  { path: '', label: 'ws.tab_overview' },
  { path: '/terminal', label: 'ws.tab_terminal' },
  { path: '/files', label: 'ws.tab_files' },
  { path: '/ports', label: 'ws.tab_ports' },
  { path: '/snapshots', label: 'ws.tab_snapshots' },
  { path: '/settings', label: 'ws.tab_settings' },
];
