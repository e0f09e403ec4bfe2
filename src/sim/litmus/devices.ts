// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of the litmus language that is about secondary MMUs: virtual machines, and devices that
 * watch a task's memory. The parser hands over what begins with their words or names.
 */
import { global_f64 } from '../../lib/struct.ts';
import { notifier_log_written } from '../../kvm/notifier_log.ts';
import { deviceNotifiers, type DeviceKind, DEVICE_KINDS } from '../devices.ts';
import { createDevice, deviceOf } from '../device_ops.ts';
import type { Machine, Range, Task } from '../machine.ts';
import { VM_BOOT_GPA, VM_FORMATS, Vm, createVm, type SpteCounts, type VmFormat }
	from '../vm.ts';
import { SPTE_COUNTS, type Action, type DeviceAction, type DeviceActionKind, type GuestRef,
	type RangeRef } from './ast.ts';
import { didYouMean, oneOf, quoted, type Span } from './source.ts';
import type { Cursor, Word } from './words.ts';

const PAGE = 4096;
/** Devices and virtual machines that a program can have. */
export const DEVICES_MAX = 16;

const KINDS: ReadonlySet<string> = new Set(['vm', 'device', 'guest', 'slot', 'unslot', 'logslot',
	'unlogslot', 'moveslot', 'use', 'dirtylog', 'showguest']);

/** Whether a statement is about a secondary MMU. */
export function isDeviceAction<T extends { readonly kind: string }>(
	action: T,
): action is Extract<T, { readonly kind: DeviceActionKind }> {
	return KINDS.has(action.kind);
}

/** What the parser does for its devices. */
export interface ParserHelp {
	readonly newName: (c: Cursor, what: string) => string;
	/** Slot of a live task. */
	readonly taskSlot: (c: Cursor, word: Word, name: string) => number;
	readonly taskOfSlot: (slot: number) => string | undefined;
	readonly range: (c: Cursor, task: string) => RangeRef;
	readonly number: (c: Cursor, low: number, high: number) => number;
}

interface Known {
	readonly device: number;
	readonly owner: number;
	readonly kind: DeviceKind | 'vm';
	readonly vcpus: number;
	/* guest-physical address and pages of the slots that the program gives it */
	readonly slots: Map<number, number>;
}

/** Words that begin a declaration. */
export const DEVICE_WORDS = ['vm', ...DEVICE_KINDS] as const;
const GUEST_VERBS = ['slot', 'unslot', 'move', 'log', 'unlog', 'dirty', 'read', 'write'] as const;
const DEEDS: Readonly<Record<DeviceKind, readonly string[]>> = {
	sva: ['read', 'write'], mirror: ['read', 'write', 'snapshot'], pin: ['pin', 'unpin'],
	zapper: ['read', 'write'] };

function address(c: Cursor, what = 'a guest-physical address'): number {
	const word = c.take(what);
	const n = /^(?:\d{1,15}|0x[0-9a-fA-F]{1,13})$/.test(word.text) ? Number(word.text) : NaN;

	if (!(n >= 0))
		c.fail(word, `${quoted(word.text)} stands here; expected ${what}, as in 0x10000`);
	return n;
}

/* Where a guest may touch: whole pages below its own program and tables. */
function touchable(c: Cursor, at: Span, from: number, pages: number): void {
	if (from % PAGE !== 0 || from + pages * PAGE > VM_BOOT_GPA)
		c.fail(at, `${pages} pages from 0x${from.toString(16)}; ` +
			`expected whole pages below 0x${VM_BOOT_GPA.toString(16)}`);
}

/** The devices of a program, as its text declares them. */
export class ProgramDevices {
	readonly #known = new Map<string, Known>();
	readonly #help: ParserHelp;
	#format: VmFormat | undefined;
	#next = 0;

	constructor(help: ParserHelp) {
		this.#help = help;
	}

	/** Whether `name`, or `name.1`, is one of them. */
	has(name: string): boolean {
		return this.#known.has(name.replace(/\.\d+$/, ''));
	}

	get names(): string[] {
		return [...this.#known.keys()];
	}

	/** `vm v task=q npt vcpus=2`, `sva s task=q`, `pin p task=q keep` */
	declaration(c: Cursor, word: Word): DeviceAction {
		const name = this.#help.newName(c, word.text === 'vm' ? 'virtual machine'
			: 'device');

		if (this.#next >= DEVICES_MAX)
			c.fail(word, `more than ${DEVICES_MAX} devices; expected at most so many`);
		const task = c.take('task=NAME');
		const match = /^task=(.+)$/.exec(task.text);
		if (!match)
			c.fail(task, `${quoted(task.text)} stands here; expected task=NAME`);
		const owner = this.#help.taskSlot(c, task, match[1]!);
		const device = this.#next++;
		if (word.text !== 'vm') {
			const what = word.text as DeviceKind;
			const keeps = what === 'pin' && c.accept('keep');
			this.#known.set(name, { device, owner, kind: what, vcpus: 0,
				slots: new Map() });
			return { kind: 'device', name, device, owner, what, keeps };
		}
		const formats = Object.keys(VM_FORMATS) as VmFormat[];
		const given = c.take(oneOf(formats));
		const format = formats.find((one) => one === given.text);
		if (!format)
			return c.fail(given, `${quoted(given.text)} stands here; ` +
				`expected ${oneOf(formats)}${didYouMean(given.text, formats)}`);
		if (this.#format && this.#format !== format)
			c.fail(given, `a kernel's virtual machines are all of one kind, ` +
				`${this.#format} here; expected that`);
		this.#format = format;
		let vcpus = 1, paging = true;
		while (!c.done) {
			const option = c.take('vcpus=N or nopaging');
			const count = /^vcpus=(\d{1,3})$/.exec(option.text);
			if (count && Number(count[1]) >= 1 && Number(count[1]) <= 16)
				vcpus = Number(count[1]);
			else if (option.text === 'nopaging')
				paging = false;
			else
				c.fail(option, `${quoted(option.text)} stands here; ` +
					'expected vcpus=1 to vcpus=16, or nopaging');
		}
		this.#known.set(name, { device, owner, kind: 'vm', vcpus, slots: new Map() });
		return { kind: 'vm', name, device, owner, format, vcpus, paging };
	}

	/** What follows `v:` or `v.1:`. */
	statement(c: Cursor, word: Word): DeviceAction {
		const [, name, id] = /^(.*?)(?:\.(\d+))?$/.exec(word.text)!;
		const known = this.#known.get(name!)!, vcpu = Number(id ?? 0);
		const task = this.#help.taskOfSlot(known.owner);

		if (task === undefined)
			c.fail(word, `the task of ${name} has exited; expected a live one`);
		if (known.kind !== 'vm') {
			if (id !== undefined)
				c.fail(word, `${name} is no virtual machine; expected '${name}:'`);
			return this.#use(c, name!, known.kind, task);
		}
		if (vcpu >= known.vcpus)
			c.fail(word, `${name} has ${known.vcpus} vCPUs; expected ${name}.0 to ` +
				`${name}.${known.vcpus - 1}`);
		const verb = c.take('a statement of a virtual machine');
		switch (verb.text) {
		case 'slot': {
			const at = address(c), range = this.#help.range(c, task);
			const readonly = c.accept('ro'), log = c.accept('log');
			known.slots.set(at, range.last - range.first + 1);
			return { kind: 'slot', name: name!, address: at, range, readonly, log };
		}
		case 'unslot': return { kind: 'unslot', name: name!, address: address(c) };
		case 'log': return { kind: 'logslot', name: name!, address: address(c) };
		case 'unlog': return { kind: 'unlogslot', name: name!, address: address(c) };
		case 'dirty': return { kind: 'dirtylog', name: name!, address: address(c) };
		case 'move': {
			const from = address(c), to = address(c);
			known.slots.set(to, known.slots.get(from) ?? 1);
			return { kind: 'moveslot', name: name!, address: from, to };
		}
		case 'read': case 'write': {
			const here = c.here(), at = address(c);
			const pages = c.done ? 1 : this.#help.number(c, 1, 2 ** 20);
			const value = verb.text === 'write' && !c.done ? this.#help.number(c, 0,
				255) : 1;
			touchable(c, here, at, pages);
			return { kind: 'guest', name: name!, vcpu, access: verb.text,
				address: at, pages,
				value };
		}
		}
		return c.fail(verb, `${quoted(verb.text)} is no statement of a virtual machine; ` +
			`expected ${oneOf(GUEST_VERBS)}${didYouMean(verb.text, GUEST_VERBS)}`);
	}

	#use(c: Cursor, name: string, kind: DeviceKind, task: string): DeviceAction {
		const verb = c.take('a statement of a device');

		if (!DEEDS[kind].includes(verb.text))
			c.fail(verb, `${quoted(verb.text)} is no statement of a ${kind}; ` +
				`expected ${oneOf(DEEDS[kind])}` +
				didYouMean(verb.text, DEEDS[kind]));
		const range = this.#help.range(c, task);
		const value = verb.text === 'write' && !c.done ? this.#help.number(c, 0, 255) : 1;
		return { kind: 'use', name, deed: verb.text, range, value };
	}

	/** The name after `notifiers`, and its place. */
	named(c: Cursor): { name: string; device: number } {
		const word = c.take('a device'), known = this.#known.get(word.text);

		if (!known)
			return c.fail(word,
				`${quoted(word.text)} is no secondary MMU of this program; ` +
				'expected ' + (this.#known.size ? oneOf(this.names)
				: 'one that it declared') + didYouMean(word.text, this.names));
		return { name: word.text, device: known.device };
	}

	/** Whether a word is `v[...]`, of a virtual machine. */
	isGuest(word: Word | undefined): boolean {
		const name = /^([A-Za-z_][\w-]*)\[0x/.exec(word?.text ?? '')?.[1];

		return name !== undefined && this.#known.get(name)?.kind === 'vm';
	}

	/** `v[0x10000]`, `v[0x10000..0x13000]`, `v[0x10000..]` to the end of the slot */
	guest(c: Cursor): GuestRef {
		const word = c.take('pages of a guest');
		const match = /^([\w-]+)\[(0x[0-9a-fA-F]{1,13})(?:(\.\.)(0x[0-9a-fA-F]{1,13})?)?\]$/
			.exec(word.text);

		if (!match)
			return c.fail(word, `${quoted(word.text)} are no pages of a guest; ` +
				'expected v[0x10000], v[0x10000..0x13000] or v[0x10000..]');
		const known = this.#known.get(match[1]!)!, from = Number(match[2]);
		const slot = known.slots.get(from);
		if (match[3] && !match[4] && slot === undefined)
			c.fail(word, `no slot of ${match[1]} begins at ${match[2]}; ` +
				'expected one, or the last page');
		const last = match[4] ? Number(match[4]) : from;
		const pages = match[3] && !match[4] ? slot! : (last - from) / PAGE + 1;
		if (last < from || last % PAGE !== 0 || pages > 2 ** 20)
			c.fail(word, `${quoted(word.text)}; expected the first and the last page`);
		touchable(c, word, from, pages);
		return { name: match[1]!, device: known.device, address: from, pages };
	}
}

/* Records of the log written when each device was last asked for. */
const asked = Array.from({ length: DEVICES_MAX }, (_, i) =>
	global_f64(`litmus.notifiers_asked.${i}`));

/** Do what a statement says. `from` of the pages of a guest's access are done already. */
export function runDevice(
	action: DeviceAction, machine: Machine, taskOf: (slot: number) => Task,
	rangeOf: (ref: RangeRef) => Range, from: number,
): void {
	switch (action.kind) {
	case 'vm':
		createVm(machine, action.name, { task: taskOf(action.owner), format: action.format,
			vcpus: action.vcpus, paging: action.paging });
		asked[action.device]!.v = notifier_log_written.v;
		return;
	case 'device':
		createDevice(machine, action.name, action.what, taskOf(action.owner), action.keeps);
		asked[action.device]!.v = notifier_log_written.v;
		return;
	case 'guest': {
		const vm = new Vm(machine, action.name), at = action.address + from * PAGE;
		if (action.access === 'read')
			vm.read(at, action.pages - from, action.vcpu);
		else
			vm.write(at, action.pages - from, action.value, action.vcpu);
		return;
	}
	case 'slot':
		new Vm(machine, action.name).slot(action.address, rangeOf(action.range), action);
		return;
	case 'unslot':
		new Vm(machine, action.name).changeSlot(action.address, { delete: true });
		return;
	case 'logslot': case 'unlogslot':
		new Vm(machine, action.name).changeSlot(action.address,
			{ log: action.kind === 'logslot' });
		return;
	case 'moveslot':
		new Vm(machine, action.name).changeSlot(action.address, { to: action.to });
		return;
	case 'dirtylog': case 'showguest':
		return;
	case 'use':
		deviceOf(machine, action.name).use(action.deed, rangeOf(action.range),
			action.value);
	}
}

/** The lines of `notifiers`: since it last asked. */
export function askNotifiers(
	{ name, device, only }: Extract<Action, { kind: 'notifiers' }>,
	where: (start: number, end: number) => string,
): string[] {
	const since = asked[device]!.v;

	asked[device]!.v = notifier_log_written.v;
	return deviceNotifiers(name, since, where)
		.filter((line) => !only.length || only.includes(callbackOf(line)));
}

/* The name of the callback that a line is about. */
const callbackOf = (line: string): string => line.split(' ', 1)[0]!;

/** The callbacks that `notifiers` would show, by their names. */
export function toldSinceAsked(name: string, device: number): string[] {
	return deviceNotifiers(name, asked[device]!.v).map(callbackOf);
}

/** `present=32 accessed=3 ...`: what is not 0, and what is there. */
export function spteText(counts: SpteCounts): string {
	return SPTE_COUNTS.filter((key) => key === 'present' || counts[key])
		.map((key) => `${key}=${counts[key]}`).join(' ');
}

/** Page numbers as `0..3 7`, or `none`. */
export function pagesText(pages: readonly number[]): string {
	const runs: [number, number][] = [];

	for (const page of pages) {
		const last = runs.at(-1);
		if (last && last[1] === page - 1)
			last[1] = page;
		else
			runs.push([page, page]);
	}
	return runs.length ? runs.map(([a, b]) => a === b ? `${a}` : `${a}..${b}`).join(' ')
		: 'none';
}
