// An app's own path leads to its functions.
import { redirect } from '@sveltejs/kit';

export function load({ params }: { params: { app: string } }) {
  redirect(307, `/apps/${params.app}/code`);
}
