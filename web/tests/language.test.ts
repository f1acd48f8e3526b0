// What the console answers to a language server, and how files and functions are named to it.
import { describe, expect, it } from 'vitest';
import { answerServer, nameOf, uriOf } from '../src/lib/editor/language.svelte';

describe('the language server', () => {
  it('is answered where it asks, and everything else is passed on', () => {
    expect(JSON.parse(answerServer('{"id":"ts1","method":"client/registerCapability","params":{}}') ?? '')).toEqual({ jsonrpc: '2.0', id: 'ts1', result: null });
    expect(JSON.parse(answerServer('{"id":2,"method":"workspace/configuration","params":{"items":[1,2]}}') ?? '').result).toEqual([null, null]);
    expect(answerServer('{"id":3,"result":{}}')).toBeNull();
    expect(answerServer('{"method":"textDocument/publishDiagnostics","params":{}}')).toBeNull();
    expect(answerServer('{"id":4,"method":"workspace/applyEdit","params":{}}')).toBeNull();
  });

  it('knows functions as files of one project, and nothing outside of it', () => {
    expect(nameOf(uriOf('api/users'))).toBe('api/users');
    expect(nameOf('file:///etc/passwd.ts')).toBeNull();
    expect(nameOf('file:///work/project/node_modules/x.d.ts')).toBeNull();
  });
});
