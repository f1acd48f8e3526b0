export const observe = { 'logs.platform': 'platform' };
