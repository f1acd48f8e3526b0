export const observe = { 'logs.platform': 'platform' } as const;
