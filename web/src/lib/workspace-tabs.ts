// The sections of a workspace, in the order of the tabs.
import type { MessageKey } from './messages/en/index';

export const workspaceTabs: { path: string; label: MessageKey }[] = [
  { path: '', label: 'ws.tab_overview' },
  { path: '/settings', label: 'ws.tab_settings' },
];
