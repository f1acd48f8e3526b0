// How the console is built: a static single-page app whose every path answers index.html.
// No inline script may end up in the output: the server's policy is `script-src 'self'` (see scripts/finish-build.js).
import adapter from '@sveltejs/adapter-static';
import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/kit').Config} */
export default {
  preprocess: vitePreprocess({ script: false }),
  kit: {
    adapter: adapter({ fallback: 'index.html', precompress: false }),
    version: { pollInterval: 0 },
  },
};
