// Paths and kinds of files of a workspace, as its page shows them. Pure.
import type { FolderEntry } from './api';

export const HOME = '/home/user';
/** Larger files are downloaded rather than opened in the page. */
export const TEXT_LIMIT = 1 << 20;

export const join = (folder: string, name: string): string => (folder === '/' ? `/${name}` : `${folder}/${name}`);
export const parent = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';
export const basename = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** An absolute path without `.`, `..` and empty parts; the home for anything that is none. */
export function cleaned(path: string | null): string {
  if (!path?.startsWith('/')) return HOME;
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The folders on the way to a path, the home as one step. */
export function steps(path: string): { name: string; path: string }[] {
  const inside = path === HOME || path.startsWith(`${HOME}/`);
  const base = inside ? HOME : '/';
  const rest = path.slice(base.length).split('/').filter(Boolean);
  const found = [{ name: inside ? '~' : '/', path: base }];
  for (const name of rest) found.push({ name, path: join(found.at(-1)!.path, name) });
  return found;
}

/** Folders first, then by name as people count. */
export function sorted(entries: FolderEntry[], locale: string): FolderEntry[] {
  const order = new Intl.Collator(locale, { numeric: true });
  const weight = (entry: FolderEntry) => (entry.type === 'directory' ? 0 : 1);
  return [...entries].sort((a, b) => weight(a) - weight(b) || order.compare(a.name ?? '', b.name ?? ''));
}

export const isArchive = (name: string): boolean => /\.(zip|tar|tar\.gz|tgz)$/i.test(name);

/** Whether one path part can be made of this. */
export const nameFits = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');

/** The text of a file, or nothing when it is not one. */
export function textOf(bytes: ArrayBuffer): string | null {
  const view = new Uint8Array(bytes);
  if (view.subarray(0, 8_000).includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(view);
  } catch {
    return null;
  }
}
