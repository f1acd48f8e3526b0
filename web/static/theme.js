// Sets light or dark before the first paint. A file of its own, because the server allows no inline script.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem('darter.theme');
  } catch {
    chosen = null;
  }
  var dark = chosen === 'dark' || (chosen !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
