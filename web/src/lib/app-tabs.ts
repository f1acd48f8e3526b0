// The sections of an app, in the order of the tabs and of the command palette.
import type { MessageKey } from './messages/en/index';

export const appTabs: { path: string; label: MessageKey }[] = [
  { path: 'code', label: 'app.tab_code' },
  { path: 'logs', label: 'app.tab_logs' },
  { path: 'metrics', label: 'app.tab_metrics' },
  { path: 'dependencies', label: 'app.tab_dependencies' },
  { path: 'environment', label: 'app.tab_environment' },
  { path: 'domains', label: 'app.tab_domains' },
  { path: 'members', label: 'app.tab_members' },
  { path: 'settings', label: 'app.tab_settings' },
];
