// Lists that a page needs whole, collected page by page.
import { api, type FunctionSummary, type Page } from './index';

const PAGES_AT_MOST = 50;

export async function collect<T>(fetchPage: (cursor?: string) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_AT_MOST; page += 1) {
    const answer = await fetchPage(cursor);
    items.push(...answer.items);
    if (!answer.next) break;
    cursor = answer.next;
  }
  return items;
}

export function allFunctions(app: string): Promise<FunctionSummary[]> {
  return collect((cursor) => api.functions(app, cursor));
}

