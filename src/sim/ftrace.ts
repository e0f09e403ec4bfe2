// SPDX-License-Identifier: GPL-2.0-only
/*
 * The text of the trace ring, as /sys/kernel/tracing/trace prints it: kernel/trace/trace_output.c.
 * From the event's name on it is the real kernel's; the task, CPU and time before it are the
 * machine's own.
 */
import { RECORD_HEADER_WORDS, trace_event_on, trace_first, trace_record, trace_ring,
	trace_written } from '../lib/trace.ts';
import { comm_of } from './comm.ts';
import { KVM_TRACE_EVENTS } from '../kvm/trace_kvm.ts';
import { TRACE_EVENTS, TRACE_EVENTS_MM_END, trace_event_text } from '../mm/trace_vmscan.ts';

interface NamedEvent { readonly system: string; readonly name: string }
/** All events, by their numbers: those of mm, then KVM's. */
export const ALL_EVENTS: readonly (NamedEvent | undefined)[] = [
	...Array.from({ length: TRACE_EVENTS_MM_END }, (_, nr) => TRACE_EVENTS[nr]),
	...KVM_TRACE_EVENTS];

function eventText(event: number, at: number): string {
	return event < TRACE_EVENTS_MM_END ? trace_event_text(event, at)
		: KVM_TRACE_EVENTS[event - TRACE_EVENTS_MM_END]!.text(at);
}

const COMM_COLUMNS = 16;
const NS_PER_US = 1000;
const US_PER_S = 1_000_000;

/** `          init-1       [000] ....     0.004000: mm_vmscan_lru_isolate: isolate_mode=0 ...` */
function line(at: number): string {
	const event = trace_ring[at]!, cpu = trace_ring[at + 1]!, pid = trace_ring[at + 2]!;
	const ns = (trace_ring[at + 3]! >>> 0) + trace_ring[at + 4]! * 0x100000000;
	const us = Math.floor(ns / NS_PER_US);
	const seconds = String(Math.floor(us / US_PER_S)).padStart(5);
	const fraction = String(us % US_PER_S).padStart(6, '0');
	const task = `${comm_of(pid).padStart(COMM_COLUMNS)}-${String(pid).padEnd(7)}`;

	const text = eventText(event, at + RECORD_HEADER_WORDS);

	return `${task} [${String(cpu).padStart(3, '0')}] .... ${seconds}.${fraction}: ` +
		`${ALL_EVENTS[event]!.name}: ${text}`;
}

/** How many records were ever written: a mark for traceText(). */
export function traceMark(): number {
	return trace_written.v;
}

/** Records that were overwritten before they could be read. */
export function traceLost(): number {
	return trace_first();
}

/**
 * The lines of the records still in the ring, oldest first.
 * @param since a traceMark(): only records written after it
 */
export function traceText(since = 0): string[] {
	const lines: string[] = [];

	for (let n = Math.max(since, trace_first()); n < trace_written.v; n++)
		lines.push(line(trace_record(n)));
	return lines;
}

/** The names of all events, `vmscan:mm_vmscan_lru_isolate`. */
export function traceEventNames(): string[] {
	return ALL_EVENTS.flatMap((event) => event ? [`${event.system}:${event.name}`] : []);
}

/**
 * Switch events on or off: all of a system (`vmscan`), or one (`mm_vmscan_lru_isolate`, with or
 * without `vmscan:`).
 * @returns how many events have that name; 0: none, and nothing changed
 */
export function traceSwitch(name: string, on: boolean): number {
	let found = 0;

	ALL_EVENTS.forEach((event, nr) => {
		const names = event && [event.system, event.name, `${event.system}:${event.name}`];
		if (!names?.includes(name))
			return;
		trace_event_on[nr] = on ? 1 : 0;
		found++;
	});
	return found;
}

/** `mm_vmscan_...` and what follows: the part of a line that is comparable between machines. */
export function eventPart(traceLine: string): string {
	return traceLine.replace(/^.*?: (?=(?:mm|kvm|fast|mark|handle)_\w+: )/, '');
}
