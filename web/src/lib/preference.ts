// What this browser remembers between visits. A browser that keeps nothing (its cookies are switched off) throws at the
// first touch of its storage: it gets a page all the same, which says so.

export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // For this visit only, then.
  }
}

/** Whether it keeps what a site gives it. Some say that cookies are on and refuse the storage that goes with them. */
export function keeps(): boolean {
  try {
    localStorage.getItem('darter');
    return navigator.cookieEnabled;
  } catch {
    return false;
  }
}
