/** Quantities that cannot be confused: numbers and strings that carry their unit in the type. */

declare const unit: unique symbol
type Measured<T, Unit extends string> = T & { readonly [unit]: Unit }

/** A span of time, or a point on one clock, in milliseconds. May have a fraction. */
export type Millis = Measured<number, 'milliseconds'>
/** Names a node for ever: survives restart and address change. 1–64 of `A–Z a–z 0–9 . _ -`. */
export type NodeId = Measured<string, 'node id'>
/** A position on the ring, 0 to 2^64 − 1. */
export type Token = Measured<bigint, 'ring position'>
/** Index of one of the ring's Q equal slices, 0 to Q − 1. */
export type Partition = Measured<number, 'partition index'>
/** Version of the ring record. The first is 1; it never goes back on a node. */
export type Epoch = Measured<number, 'ring epoch'>

export const millis = (value: number): Millis => value as Millis
export const seconds = (value: number): Millis => (value * 1_000) as Millis
export const minutes = (value: number): Millis => (value * 60_000) as Millis
export const nodeId = (value: string): NodeId => value as NodeId
export const token = (value: bigint): Token => value as Token
export const partition = (value: number): Partition => value as Partition
export const epoch = (value: number): Epoch => value as Epoch

export const kibibytes = (value: number): number => value * 1_024
export const mebibytes = (value: number): number => value * 1_048_576
