// The console's pure rules: names, the run panel's form, packages, trees, curl.
import { describe, expect, it } from 'vitest';
import { curlOf, quote } from '../src/lib/curl';
import { differences, eventText, packageNameFault, splitPackage } from '../src/lib/dependencies';
import { carriesBody, emptyForm, parseHeaders, pretty, sentHeaders, toRequest, userFault } from '../src/lib/run-form';
import { functionNameFault, usernameFault, variableNameFault } from '../src/lib/rules';
import { treeOf } from '../src/lib/tree';
import type { FunctionSummary } from '../src/lib/api';

describe('names', () => {
  it('that could leave their folder are refused, as on the server', () => {
    for (const bad of ['', '/a', 'a/', '..', 'a/../b', './a', 'a//b', 'a./b', 'a b', 'ä', 'a\0', 'a'.repeat(257)]) {
      expect(functionNameFault(bad), JSON.stringify(bad)).not.toBeNull();
    }
    for (const good of ['hello', 'api/v1/users', '__init__', 'a.b-c_d', 'a'.repeat(256)]) {
      expect(functionNameFault(good), good).toBeNull();
    }
  });

  it('of people and variables follow their rules', () => {
    expect(usernameFault('ada')).toBeNull();
    expect(usernameFault('al')).toBe('rule.username_length');
    expect(usernameFault('1ada')).toBe('rule.username_shape');
    expect(variableNameFault('API_KEY')).toBeNull();
    expect(variableNameFault('1KEY')).toBe('rule.variable_shape');
  });
});

describe('the run form', () => {
  it('reads one header a line and names the first line that is none', () => {
    expect(parseHeaders('A: 1\n\nb:2')).toEqual({ headers: { a: '1', b: '2' }, badLine: null });
    expect(parseHeaders('A: 1\nnonsense').badLine).toBe(2);
  });

  it('gives a JSON body its type, and leaves a chosen one alone', () => {
    const form = { ...emptyForm, method: 'POST', body: '{"a":1}' };
    expect(sentHeaders(form)['content-type']).toBe('application/json');
    expect(sentHeaders({ ...form, headers: 'Content-Type: text/csv' })['content-type']).toBe('text/csv');
  });

  it('sends no body with GET and the user as an object', () => {
    const request = toRequest({ ...emptyForm, query: '?a=1', body: 'x', user: '{"uid":1}' }, 'source');
    expect(request).toEqual({ source: 'source', method: 'GET', headers: {}, query: 'a=1', user: { uid: 1 } });
    expect(carriesBody('HEAD')).toBe(false);
    expect(userFault('{')).toBe(true);
    expect(userFault('  ')).toBe(false);
  });

  it('indents JSON and leaves everything else as it is', () => {
    expect(pretty('{"a":1}', 'application/json')).toBe('{\n  "a": 1\n}');
    expect(pretty('{"a":1}', 'text/plain')).toBe('{"a":1}');
    expect(pretty('{broken', 'application/json')).toBe('{broken');
  });
});

describe('curl', () => {
  it('quotes what a shell would take apart', () => {
    expect(quote("it's")).toBe(`'it'\\''s'`);
    expect(curlOf({ method: 'POST', url: 'http://a/b', query: 'x=1&y=2', headers: { a: 'b c' }, body: '{}' })).toBe(
      "curl -X POST -H 'a: b c' --data-raw '{}' 'http://a/b?x=1&y=2'",
    );
    expect(curlOf({ method: 'GET', url: 'http://a/b', query: '', headers: {}, body: '' })).toBe('curl http://a/b');
  });
});

describe('packages', () => {
  it('are understood however they are pasted', () => {
    expect(splitPackage('npm i @scope/name@^2')).toEqual({ name: '@scope/name', range: '^2' });
    expect(splitPackage('zod')).toEqual({ name: 'zod', range: '' });
    expect(packageNameFault('../x')).toBe(true);
    expect(packageNameFault('@scope/name')).toBe(false);
  });

  it('that differ are counted, removed ones too', () => {
    expect(differences({ a: '1', b: '2' }, { a: '1', c: '3' })).toBe(2);
  });

  it('report their progress in any of the known shapes', () => {
    expect(eventText('{"kind":"output","line":"added 3"}')).toBe('added 3');
    expect(eventText('"added 3"')).toBe('added 3');
    expect(eventText('added 3')).toBe('added 3');
  });
});

describe('the tree', () => {
  const fn = (name: string) => ({ id: name, name }) as FunctionSummary;
  it('puts folders first and special functions last', () => {
    const tree = treeOf(['zoo', '__init__', 'api/b', 'api/a', 'alpha'].map(fn));
    expect(tree.map((node) => node.name)).toEqual(['api', 'alpha', 'zoo', '__init__']);
    expect(tree[0]?.kind === 'folder' && tree[0].children.map((node) => node.name)).toEqual(['a', 'b']);
  });
});
