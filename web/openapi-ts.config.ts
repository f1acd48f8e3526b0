// Generates the client's types from the committed description of the API. The output is committed; `npm run check:generated`
// fails when it no longer fits the description. Only types: calls go through src/lib/api/request.ts, the one way to the server.
import { defineConfig } from '@hey-api/openapi-ts';

export default defineConfig({
  input: process.env.OPENAPI ?? '../docs/reference/openapi.json',
  output: { path: process.env.OPENAPI_OUT ?? 'src/lib/api/generated' },
  plugins: ['@hey-api/typescript'],
});
