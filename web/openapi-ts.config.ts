// Generates the console's client from the committed description of the API: a typed function for each operation, and its types.
// The output is committed; `npm run check:generated` fails when it no longer fits the description. No path is written by hand.
import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: process.env.OPENAPI ?? '../docs/reference/openapi.json',
  output: { path: process.env.OPENAPI_OUT ?? 'src/lib/api/generated' },
  plugins: [
    '@hey-api/typescript',
    { name: '@hey-api/client-fetch', throwOnError: true, baseUrl: false },
    { name: '@hey-api/sdk', responseStyle: 'data' },
  ],
});
