//! Search in files and for files, done by the attendant beside the files. Cancelling ends the work there too.

import * as vscode from "vscode";
import type { Session } from "./session.ts";

interface Match {
  line: number;
  column: number;
  length: number;
  preview: string;
}

interface Running {
  folder: vscode.Uri;
  report(found: unknown): void;
}

interface FolderOptions {
  folder: vscode.Uri;
  includes: string[];
  excludes: (string | vscode.GlobPattern)[];
  useIgnoreFiles: { local: boolean };
}

/** The attendant's words for what a folder is searched with. */
function terms({ folder, includes, excludes, useIgnoreFiles }: FolderOptions) {
  const text = (pattern: any): string => (typeof pattern === "string" ? pattern : pattern.pattern);
  return {
    folders: [folder.path],
    includes: (includes ?? []).map(text),
    excludes: (excludes ?? []).map(text),
    ignore_files: useIgnoreFiles?.local !== false,
  };
}

export class TextSearch {
  private readonly running = new Map<number, Running>();
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async provideTextSearchResults(query: any, options: any, progress: any, token: vscode.CancellationToken) {
    let limitHit = false;
    for (const folder of options.folderOptions as FolderOptions[]) {
      const id = this.session.upcoming;
      this.running.set(id, { folder: folder.folder, report: (found) => progress.report(found) });
      token.onCancellationRequested(() => this.session.cancel(id));
      try {
        const { result } = await this.session.request("search.text", {
          ...terms(folder),
          pattern: query.pattern,
          regexp: !!query.isRegExp,
          case: !!query.isCaseSensitive,
          word: !!query.isWordMatch,
          max: options.maxResults ?? 20_000,
          context: 0,
        });
        limitHit ||= !!result.limit_hit;
      } catch (error) {
        if (!token.isCancellationRequested) throw error;
      } finally {
        this.running.delete(id);
      }
    }
    return { limitHit };
  }

  matched(params: { search: number; path: string; matches: Match[] }): void {
    const search = this.running.get(params.search);
    if (!search) return;
    const uri = search.folder.with({ path: params.path });
    for (const match of params.matches) {
      const end = match.column + match.length;
      const sourceRange = new vscode.Range(match.line, match.column, match.line, end);
      const previewRange = new vscode.Range(0, match.column, 0, end);
      const Found = (vscode as any).TextSearchMatch2;
      search.report(new Found(uri, [{ sourceRange, previewRange }], match.preview));
    }
  }
}

export class FileSearch {
  private readonly session: Session;

  constructor(session: Session) {
    this.session = session;
  }

  async provideFileSearchResults(pattern: string, options: any, token: vscode.CancellationToken): Promise<vscode.Uri[]> {
    const found: vscode.Uri[] = [];
    for (const folder of options.folderOptions as FolderOptions[]) {
      const id = this.session.upcoming;
      token.onCancellationRequested(() => this.session.cancel(id));
      const max = options.maxResults ?? 10_000;
      const { result } = await this.session.request("search.files", { ...terms(folder), pattern, max });
      found.push(...result.paths.map((path: string) => folder.folder.with({ path })));
    }
    return found;
  }
}
