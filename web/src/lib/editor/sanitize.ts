// What a language server says comes out of a tenant's sandbox, so its HTML is hostile.
// Only plain formatting passes; no attribute does, except a class for highlighting.

const ALLOWED = new Set([
  'A', 'B', 'BLOCKQUOTE', 'BR', 'CODE', 'DIV', 'EM', 'H1', 'H2', 'H3', 'H4', 'HR', 'I', 'LI', 'OL', 'P', 'PRE', 'SPAN', 'STRONG', 'UL',
]);

function clean(node: Element): void {
  for (const child of [...node.children]) {
    clean(child);
    if (!ALLOWED.has(child.tagName)) {
      child.replaceWith(document.createTextNode(child.textContent ?? ''));
      continue;
    }
    for (const attribute of [...child.attributes]) {
      if (attribute.name !== 'class') child.removeAttribute(attribute.name);
    }
  }
}

export function sanitize(html: string): string {
  const page = new DOMParser().parseFromString(html, 'text/html');
  for (const element of page.querySelectorAll('script, style, iframe, object, template')) element.remove();
  clean(page.body);
  return page.body.innerHTML;
}
