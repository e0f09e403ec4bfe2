// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trace ring: records of trace events, oldest overwritten first, as ftrace's overwrite mode.
 * A record is RECORD_WORDS words; the text is made from it when it is read.
 */
import { carve } from './arena.ts';
import { global_f64, global_s32 } from './struct.ts';

const RING_RECORDS = 1 << 18;
export const RECORD_WORDS = 20;
/** Words of a record before its arguments: event, cpu, pid, time in ns (low, high 32 bits). */
export const RECORD_HEADER_WORDS = 5;
export const RECORD_ARGS_MAX = RECORD_WORDS - RECORD_HEADER_WORDS;
const EVENTS_MAX = 128;

/** Records ever written; the ring holds the last RING_RECORDS of them. */
export const trace_written = global_f64('trace_written');
/** The machine's clock in ns since boot, as ktime_get_ns(). */
export const clock_ns = global_f64('clock_ns');
/** The running CPU and task, as smp_processor_id() and current->pid. */
export const trace_cpu = global_s32('trace_cpu');
export const trace_pid = global_s32('trace_pid');

const used = () => Math.min(trace_written.v, RING_RECORDS) * RECORD_WORDS;
export const trace_ring = carve(
	'trace_ring', Int32Array, RING_RECORDS * RECORD_WORDS, used, RECORD_WORDS);
/** 1 for each event that is switched on. */
export const trace_event_on = carve('trace_event_on', Uint8Array, EVENTS_MAX, () => EVENTS_MAX);

/* The time that passes between two events: one tick of a 1 MHz clock. */
const EVENT_NS = 1000;

/** For who looks for the cause of an event: called when the record with this number begins. */
export const traceHandler = { at: -1, hit: (): void => {} };

/**
 * Start a record of an event that is on. Write the arguments at the index returned, in
 * `trace_ring`: at most RECORD_ARGS_MAX words.
 */
export function trace_reserve(event: number): number {
	const at = (trace_written.v % RING_RECORDS) * RECORD_WORDS;
	const now = clock_ns.v += EVENT_NS;

	if (trace_written.v === traceHandler.at)
		traceHandler.hit();

	trace_written.v++;
	trace_ring.fill(0, at, at + RECORD_WORDS);
	trace_ring[at] = event;
	trace_ring[at + 1] = trace_cpu.v;
	trace_ring[at + 2] = trace_pid.v;
	trace_ring[at + 3] = now | 0;
	trace_ring[at + 4] = Math.floor(now / 0x100000000);
	return at + RECORD_HEADER_WORDS;
}

/** Number of the first record still in the ring; those before it are lost. */
export function trace_first(): number {
	return Math.max(0, trace_written.v - RING_RECORDS);
}

/** Index in `trace_ring` of the header of record `n`, trace_first() <= n < trace_written. */
export function trace_record(n: number): number {
	return (n % RING_RECORDS) * RECORD_WORDS;
}
