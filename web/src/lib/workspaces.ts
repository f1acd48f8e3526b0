// What the console says of workspaces: environments by name and picture, states, reasons, what happens next.
// It must never decide what is allowed: the server's offers say that.
import Box from '@lucide/svelte/icons/box';
import CodeXml from '@lucide/svelte/icons/code-xml';
import Coffee from '@lucide/svelte/icons/coffee';
import NotebookText from '@lucide/svelte/icons/notebook-text';
import Rabbit from '@lucide/svelte/icons/rabbit';
import type { Component } from 'svelte';
import type { Offer, Reason, Trouble, Workspace, WorkspaceAction, WorkspaceNext, WorkspaceState } from './api';
import { clock, dateTime } from './format';
import { known, language, locale, t, type Params } from './i18n.svelte';
import { duration } from './limits';
import type { MessageKey } from './messages/en/index';

export type Environment = { name: string; title: string; icon: Component<{ class?: string }>; about?: MessageKey };

/** Those that come with the server; an operator's own are shown by their name. */
export const environments: Environment[] = [
  { name: 'vscode', title: 'VS Code', icon: CodeXml, about: 'wsenv.vscode' },
  { name: 'jupyter', title: 'JupyterLab', icon: NotebookText, about: 'wsenv.jupyter' },
  { name: 'go', title: 'Go', icon: Rabbit, about: 'wsenv.go' },
  { name: 'java', title: 'Java', icon: Coffee, about: 'wsenv.java' },
];

export const environmentOf = (name: string): Environment =>
  environments.find((item) => item.name === name) ?? { name, title: name, icon: Box };

export const offerOf = (workspace: Workspace, action: WorkspaceAction): Offer | undefined =>
  workspace.actions.find((offer) => offer.action === action);
export const allowed = (workspace: Workspace, action: WorkspaceAction): boolean => offerOf(workspace, action)?.allowed ?? false;

/** Changes by itself within seconds: looked at more often. */
export const moving = (workspace: Workspace): boolean => ['queued', 'starting', 'pausing', 'stopping'].includes(workspace.observed.state);
const ASLEEP: WorkspaceState[] = ['stopped', 'failed'];
export const sleeps = (workspace: Workspace): boolean => ASLEEP.includes(workspace.observed.state);

/** The phase that a start is in: the last that it told of. */
export const phaseNow = (workspace: Workspace): string => {
  const name = workspace.observed.start?.phases.at(-1)?.name;
  return workspace.observed.state === 'starting' && name ? known(`phase.${name}`, name) : '';
};

/** A time of today by the clock, another with its day. `fine`: to the second, where two may lie within a minute. */
export function moment(time: number, fine = false): string {
  const today = new Date(time).toDateString() === new Date().toDateString();
  return today ? clock(time, locale(), fine) : dateTime(time, locale(), fine);
}

function filled(reason: Reason): Params {
  const word = (name: string, value: unknown): string | number => {
    if (typeof value === 'number' && name.endsWith('_ms')) return duration(value, locale());
    if (typeof value === 'number' && name.endsWith('_at')) return moment(value);
    if (name === 'role') return known(`members.role_${String(value)}`, String(value));
    return typeof value === 'number' ? value : String(value);
  };
  return Object.fromEntries(Object.entries(reason.params ?? {}).map(([name, value]) => [name, word(name, value)]));
}

/** What happens next, when, and why; reasons that a newer server invents are left out rather than shown as codes. */
export function nextLine(next: WorkspaceNext): string {
  const what = known(`wsnext.${next.state}`, next.state, { time: moment(next.at) });
  const why = known(`wswhy.${next.reason.key}`, '', filled(next.reason));
  return why ? t('ws.next_line', { what, why }) : what;
}

/** Why something cannot be done now; empty when it can. */
export function refusal(workspace: Workspace, action: WorkspaceAction): string {
  const offer = offerOf(workspace, action);
  if (!offer || offer.allowed) return '';
  return offer.reason ? known(`wsnot.${offer.reason.key}`, t('wsnot.now'), filled(offer.reason)) : t('wsnot.now');
}

/** What went wrong: the server's own words where they can be read, since they name the figures. */
export const troubleText = (trouble: Trouble): string =>
  language() === 'en' ? trouble.message : known(`error.${trouble.code}`, trouble.message);

/** What is over it: not everything that goes wrong keeps a workspace from starting. */
export const troubleTitle = (trouble: Trouble): string => known(`ws.trouble_${trouble.code.replace('workspace.', '')}`, t('ws.trouble_title'));

/** Red is what keeps somebody from working. */
export const troubleKind = (trouble: Trouble): 'warn' | 'error' =>
  ['workspace.home_restored', 'workspace.out_of_memory', 'workspace.editor_crashed', 'workspace.crashed'].includes(trouble.code) ? 'warn' : 'error';

/** A name that nobody has yet: the environment's, with a number where needed. */
export function freeName(title: string, taken: string[]): string {
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? title : `${title} ${n}`;
    if (!taken.includes(name)) return name;
  }
}
