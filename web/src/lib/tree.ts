// Function names with slashes as a tree of folders. Pure.
import type { FunctionSummary } from './api';

export type Folder = { kind: 'folder'; name: string; path: string; children: Node[] };
export type Leaf = { kind: 'function'; name: string; fn: FunctionSummary };
export type Node = Folder | Leaf;

/** Folders first, then functions, each by name; special functions (`__…__`) last. */
export function treeOf(functions: FunctionSummary[]): Node[] {
  const root: Folder = { kind: 'folder', name: '', path: '', children: [] };
  for (const fn of functions) {
    const parts = fn.name.split('/');
    const last = parts.pop() ?? fn.name;
    let folder = root;
    for (const part of parts) folder = childFolder(folder, part);
    folder.children.push({ kind: 'function', name: last, fn });
  }
  sort(root.children);
  return root.children;
}

function childFolder(parent: Folder, name: string): Folder {
  const found = parent.children.find((child): child is Folder => child.kind === 'folder' && child.name === name);
  if (found) return found;
  const made: Folder = { kind: 'folder', name, path: parent.path ? `${parent.path}/${name}` : name, children: [] };
  parent.children.push(made);
  return made;
}

function rank(node: Node): number {
  if (node.kind === 'folder') return 0;
  return node.name.startsWith('__') ? 2 : 1;
}

function sort(nodes: Node[]): void {
  nodes.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
  for (const node of nodes) if (node.kind === 'folder') sort(node.children);
}
