// Short notices in the corner. A failure stays until it is closed; everything else leaves by itself.
import { messageOf } from '../api/explain';

export type ToastAction = { label: string; run?: () => void; href?: string };
export type Toast = { id: number; kind: 'ok' | 'error' | 'info'; title: string; body?: string; code?: string; actions: ToastAction[] };

let next = 1;
const list = $state<Toast[]>([]);

export function toasts(): Toast[] {
  return list;
}

export function dismiss(id: number): void {
  const at = list.findIndex((toast) => toast.id === id);
  if (at >= 0) list.splice(at, 1);
}

export function toast(entry: Omit<Toast, 'id' | 'actions'> & { actions?: ToastAction[] }, milliseconds = 5_000): number {
  const id = next++;
  list.push({ actions: [], ...entry, id });
  if (list.length > 4) list.shift();
  if (entry.kind !== 'error') setTimeout(() => dismiss(id), milliseconds);
  return id;
}

export function toastError(error: unknown): void {
  const { text, requestId } = messageOf(error);
  toast({ kind: 'error', title: text, body: requestId || undefined });
}
