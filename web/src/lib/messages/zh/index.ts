// The catalogue in Chinese. It has every key of the English one, or it does not compile.
import type { MessageKey } from '../en/index';
import { account } from './account';
import { admin } from './admin';
import { apps } from './apps';
import { auth } from './auth';
import { code } from './code';
import { environments } from './environments';
import { errors } from './errors';
import { observe } from './observe';
import { resources } from './resources';
import { settings } from './settings';
import { shell } from './shell';
import { snapshots } from './snapshots';
import { workspaces } from './workspaces';

export const zh: Record<MessageKey, string> = {
  ...shell, ...auth, ...apps, ...code, ...observe, ...resources, ...settings, ...account, ...admin, ...workspaces, ...snapshots, ...environments, ...errors,
};
