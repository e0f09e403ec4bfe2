// SPDX-License-Identifier: GPL-2.0-only
/* Files below /sys/kernel/tracing. */
import { EINVAL, ENODEV, ENOENT } from '../lib/errno.ts';
import { global_f64 } from '../lib/struct.ts';
import { trace_event_on, trace_written } from '../lib/trace.ts';
import type { VirtualFile } from './files.ts';
import { ALL_EVENTS, traceEventNames, traceSwitch, traceText } from './ftrace.ts';

/* Records written when `trace` was last emptied. */
const trace_emptied = global_f64('sim.trace_emptied');

/* kernel/trace/trace.c:print_trace_header() with the irq-info column */
function traceHeader(entries: number, written: number): string {
	return `# tracer: nop
#
# entries-in-buffer/entries-written: ${entries}/${written}   #P:1
#
#                                _-----=> irqs-off
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| /     delay
#           TASK-PID     CPU#  ||||   TIMESTAMP  FUNCTION
#              | |         |   ||||      |         |
`;
}

const trace: VirtualFile = {
	read: () => {
		const lines = traceText(trace_emptied.v);
		const written = trace_written.v - trace_emptied.v;
		return traceHeader(lines.length, written) + lines.map((l) => `${l}\n`).join('');
	},
	/* open(2) with O_TRUNC empties it; any write does here. */
	write: () => {
		trace_emptied.v = trace_written.v;
		return 0;
	},
};

/* A system's `enable`, or an event's: 0, 1, or X where some of several are on. */
function enable(name: string): VirtualFile | number {
	const numbers = ALL_EVENTS.flatMap((event, nr) =>
		event && [event.system, `${event.system}:${event.name}`].includes(name) ? [nr]
			: []);

	if (numbers.length === 0)
		return -ENOENT;
	return {
		read: () => {
			const on = numbers.filter((nr) => trace_event_on[nr]).length;
			return on === 0 ? '0\n' : on === numbers.length ? '1\n' : 'X\n';
		},
		write: (text) => {
			const value = text.trim();
			if (value !== '0' && value !== '1')
				return -EINVAL;
			return traceSwitch(name, value === '1') ? 0 : -ENODEV;
		},
	};
}

/** A file below /sys/kernel/tracing by its path there, or -errno. */
export function traceFile(path: string): VirtualFile | number {
	if (path === 'trace')
		return trace;
	if (path === 'available_events')
		return { read: () => traceEventNames().map((name) => `${name}\n`).join('') };
	const event = /^events\/(\w+)(?:\/(\w+))?\/enable$/.exec(path);
	if (event)
		return enable(event[2] ? `${event[1]}:${event[2]}` : event[1]!);
	return -ENOENT;
}
