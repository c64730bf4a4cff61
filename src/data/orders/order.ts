// What a command wants of the running server, and what the server answers. An order has an id of
// its own and stays until it has a final receipt; nothing is assumed from silence.
//
// A server may be killed between carrying an order out and writing the receipt: the next one
// carries it out again. So every handler is idempotent: it looks whether what is wanted is so
// already, and then only says so. Nothing records that an order was begun.
import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../../base/index.js';

/** One kind of order: its name, and the forms of what goes there and what comes back. */
export interface OrderKind<P, R> {
  readonly name: string;
  readonly payload: z.ZodType<P>;
  readonly report: z.ZodType<R>;
}

export type PayloadOf<K> = K extends OrderKind<infer P, unknown> ? P : never;

export interface Order<P = unknown> {
  /** 32 hex digits. */
  readonly id: string;
  readonly kind: string;
  /** Ms since the epoch. */
  readonly givenAtMs: number;
  /** It is not carried out after this; undefined: it waits for ever. */
  readonly deadlineMs?: number | undefined;
  /** May hold a key: it is never logged, and no error repeats it. */
  readonly payload: P;
}

/** Why an order is not carried out, in the server's own words. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Which hint of the code's is meant. */
  readonly variant?: string | undefined;
}

/** `waiting`: the server has seen it, and it stays; the other three are final. */
export type Answer<R = unknown> =
  | { readonly state: 'waiting'; readonly report: R }
  | { readonly state: 'done'; readonly report: R }
  | { readonly state: 'refused'; readonly error: Refusal }
  | { readonly state: 'expired' };

export interface Receipt<R = unknown> {
  /** The order's. */
  readonly id: string;
  readonly atMs: number;
  readonly answer: Answer<R>;
}

export function isFinal({ state }: Answer): boolean {
  return state !== 'waiting';
}

const id = z.string().regex(/^[0-9a-f]{32}$/);

export const orderSchema: z.ZodType<Order> = z.strictObject({
  id,
  kind: z.string(),
  givenAtMs: z.number(),
  deadlineMs: z.number().optional(),
  payload: z.unknown(),
});

const errorCode = z.custom<ErrorCode>(
  (value) => typeof value === 'string' && Object.hasOwn(ERROR_CODES, value),
);
const refusal = z.strictObject({
  code: errorCode,
  message: z.string(),
  hint: z.string().optional(),
  variant: z.string().optional(),
});

export const receiptSchema: z.ZodType<Receipt> = z.strictObject({
  id,
  atMs: z.number(),
  answer: z.discriminatedUnion('state', [
    z.strictObject({ state: z.literal('waiting'), report: z.unknown() }),
    z.strictObject({ state: z.literal('done'), report: z.unknown() }),
    z.strictObject({ state: z.literal('refused'), error: refusal }),
    z.strictObject({ state: z.literal('expired') }),
  ]),
});
