// Globals of functions that Node does not have, as Laf offers them.

/** What a function is given: see `@lafjs/cloud`. */
type FunctionContext = import('@lafjs/cloud').FunctionContext;

/** MongoDB's ObjectId. */
declare const ObjectId: {
  new (id?: string | number | Uint8Array): { toString(): string; toHexString(): string; equals(other: unknown): boolean; getTimestamp(): Date };
  (id?: string | number | Uint8Array): { toString(): string; toHexString(): string; equals(other: unknown): boolean; getTimestamp(): Date };
  isValid(id: unknown): boolean;
};

declare module '@darter/cloud' {
  export * from '@lafjs/cloud';
  export { default } from '@lafjs/cloud';
}
