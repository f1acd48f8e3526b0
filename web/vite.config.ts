// The console's build and its tests. In development `/api` goes to a running server or to dev/mock.ts.
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

const backend = process.env.DARTER_URL ?? 'http://127.0.0.1:7171';

export default defineConfig({
  plugins: [tailwindcss(), sveltekit()],
  server: { proxy: { '/api': { target: backend, ws: true, changeOrigin: false } } },
  preview: { proxy: { '/api': { target: backend, ws: true, changeOrigin: false } } },
  build: { target: 'es2023', assetsInlineLimit: 0 },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
