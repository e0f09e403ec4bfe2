// SPDX-License-Identifier: GPL-2.0-only
/* A litmus program as the parser reads it and the checker completes it. */
import * as errno from '../../lib/errno.ts';
import type { DeviceKind } from '../devices.ts';
import type { SpteCounts, VmFormat } from '../vm.ts';
import type { Span } from './source.ts';

/** A commit that the kernel must (+) or must not (-) have for the statement to run. */
export interface Guard {
	readonly has: boolean;
	/** Place in COMMITS. */
	readonly commit: number;
}

/** `q.m[3..7]`: pages of a mapping. */
export interface RangeRef {
	readonly span: Span;
	/** As written: `q.m[3..7]`. */
	readonly text: string;
	readonly task: string;
	readonly name: string;
	/** Slot of the task's mapping in the runner's state. */
	readonly slot: number;
	/** First and last page, 0-based; first > last where it was written descending. */
	readonly first: number;
	readonly last: number;
}

/** `f[3..7]`: pages of a file, of a memfd or on the disk. */
export interface FileRef {
	readonly span: Span;
	/** As written: `f[3..7]`. */
	readonly text: string;
	readonly name: string;
	/** Slot of the file in the runner's state. */
	readonly slot: number;
	/** First and last page, 0-based. */
	readonly first: number;
	readonly last: number;
	/** Written without pages: all of it, however large it is now. */
	readonly whole: boolean;
}

export interface MachineSettings {
	readonly ram?: number;
	readonly swap?: number;
	readonly cpus?: number;
	readonly nodes?: number;
	readonly io?: 'now' | 'later';
	readonly pcid?: boolean;
	readonly seed?: number;
}

export interface Protection {
	readonly read: boolean;
	readonly write: boolean;
	readonly exec: boolean;
}

/** Slots of each kind that a program can have. */
export const SLOTS_MAX = 10_000;

/** What page counts of a range can be asked for; those of oracle programs first. */
export const PAGE_COUNTS = ['present', 'swapped', 'lru', 'active', 'referenced', 'unevictable',
	'dirty', 'writeback', 'young', 'mlocked', 'anon', 'swapcache', 'idle'] as const;
export type PageCount = typeof PAGE_COUNTS[number];

export const ADVICE = ['normal', 'random', 'sequential', 'willneed', 'dontneed', 'free', 'cold',
	'pageout', 'dontfork', 'dofork', 'remove', 'wipeonfork', 'keeponfork'] as const;
export type Advice = typeof ADVICE[number];

/** What fadvise can say of a file. */
export const FILE_ADVICE = ['normal', 'random', 'sequential', 'willneed', 'dontneed', 'noreuse',
] as const;
export type FileAdvice = typeof FILE_ADVICE[number];

/** How a statement can end, as `expect errno` has it. */
export const OUTCOME_NAMES = ['OK', 'SIGBUS', 'SIGKILL', 'SIGSEGV', 'KVM_EXIT_MMIO',
	'KVM_EXIT_SHUTDOWN', 'KVM_EXIT_INTERNAL_ERROR',
	...Object.keys(errno).filter((name) => /^E[A-Z0-9]+$/.test(name))] as readonly string[];
export type OutcomeName = typeof OUTCOME_NAMES[number];

/** What of the pages of a guest can be asked for. */
export const SPTE_COUNTS = ['present', 'accessed', 'dirty', 'tracked', 'writable', 'pte_present',
	'pte_young', 'pte_dirty'] as const satisfies readonly (keyof SpteCounts)[];
export type SpteCount = typeof SPTE_COUNTS[number];

/** `v[0x10000..0x13000]`: pages of a guest, by their guest-physical addresses. */
export interface GuestRef {
	readonly name: string;
	/** Place among the program's devices. */
	readonly device: number;
	readonly address: number;
	readonly pages: number;
}

/** What statements about secondary MMUs do. */
export type DeviceAction =
	| { readonly kind: 'vm'; readonly name: string; readonly device: number;
	    /** Slot of the task whose memory it has. */
	    readonly owner: number; readonly format: VmFormat; readonly vcpus: number;
	    readonly paging: boolean }
	| { readonly kind: 'device'; readonly name: string; readonly device: number;
	    readonly owner: number; readonly what: DeviceKind; readonly keeps: boolean }
	| { readonly kind: 'guest'; readonly name: string; readonly vcpu: number;
	    readonly access: 'read' | 'write'; readonly address: number;
	    readonly pages: number; readonly value: number }
	| { readonly kind: 'slot'; readonly name: string; readonly address: number;
	    readonly range: RangeRef; readonly readonly: boolean; readonly log: boolean }
	| { readonly kind: 'unslot' | 'logslot' | 'unlogslot'; readonly name: string;
	    readonly address: number }
	| { readonly kind: 'moveslot'; readonly name: string; readonly address: number;
	    readonly to: number }
	| { readonly kind: 'use'; readonly name: string; readonly deed: string;
	    readonly range: RangeRef; readonly value: number }
	/* asking */
	| { readonly kind: 'dirtylog'; readonly name: string; readonly address: number }
	| { readonly kind: 'showguest'; readonly guest: GuestRef };
export type DeviceActionKind = DeviceAction['kind'];

export type Expectation =
	/** Of the pages of the range, so many have the property. */
	| { readonly of: 'counts'; readonly range: RangeRef;
	    readonly counts: readonly { readonly key: PageCount; readonly value: number }[] }
	/** Every page of the range has, or none has, the property. */
	| { readonly of: 'flags'; readonly range: RangeRef;
	    readonly flags: readonly { readonly key: PageCount; readonly set: boolean }[] }
	/** The first byte of every page. */
	| { readonly of: 'value'; readonly range: RangeRef; readonly value: number }
	/** Of the pages of a guest, so many have the property. */
	| { readonly of: 'spte'; readonly guest: GuestRef;
	    readonly counts: readonly { readonly key: SpteCount; readonly value: number }[] }
	/** So many pages of the file are in memory. */
	| { readonly of: 'cached'; readonly file: FileRef; readonly value: number }
	| { readonly of: 'stat'; readonly cgroup: string;
	    readonly keys: readonly { readonly key: string; readonly value: number }[] }
	/**
	 * Sums over the trace lines of an event (without its mm_vmscan_), `lines` their number; of
	 * the last statement that left any lines.
	 */
	| { readonly of: 'trace'; readonly sums: readonly {
	    readonly event: string; readonly key: string; readonly value: number }[] }
	/**
	 * Callbacks that a secondary MMU received since it was last asked: these in this order, or
	 * of each so many.
	 */
	| { readonly of: 'notifiers'; readonly name: string; readonly device: number;
	    readonly order: readonly string[] | undefined;
	    readonly counts: readonly { readonly key: string; readonly value: number }[] }
	/** How the last statement that did something ended. */
	| { readonly of: 'errno'; readonly name: OutcomeName };

interface Common {
	/** The whole statement, without its comment. */
	readonly span: Span;
	readonly text: string;
	readonly guards: readonly Guard[];
	/** The task that runs it; undefined: init. */
	readonly task?: string;
	/** Slot of that task in the runner's state. */
	readonly taskSlot?: number;
}

export type Action =
	| DeviceAction
	| { readonly kind: 'cgroup'; readonly path: string }
	| { readonly kind: 'rmdir'; readonly path: string }
	| { readonly kind: 'memfd'; readonly name: string; readonly pages: number;
	    readonly slot: number }
	/** A file on the disk, with contents, none of it in memory. */
	| { readonly kind: 'file'; readonly name: string; readonly pages: number;
	    readonly slot: number }
	| { readonly kind: 'close'; readonly name: string; readonly slot: number }
	| { readonly kind: 'truncate'; readonly name: string; readonly slot: number;
	    readonly pages: number }
	| { readonly kind: 'fsync'; readonly name: string; readonly slot: number }
	| { readonly kind: 'sync' }
	/** The disks complete requests; undefined: all that there are. */
	| { readonly kind: 'complete'; readonly requests?: number }
	| { readonly kind: 'pread'; readonly file: FileRef }
	| { readonly kind: 'pwrite'; readonly file: FileRef; readonly value: number }
	| { readonly kind: 'fadvise'; readonly file: FileRef; readonly advice: FileAdvice }
	/** /dev/ramMINOR; `pages`: it is made, of that size. */
	| { readonly kind: 'swapon'; readonly name: string; readonly minor: number;
	    readonly pages?: number; readonly prio?: number }
	| { readonly kind: 'swapoff'; readonly name: string; readonly minor: number }
	| { readonly kind: 'compact' }
	| { readonly kind: 'task'; readonly name: string; readonly cgroup?: string;
	    readonly slot: number }
	| { readonly kind: 'fork'; readonly name: string; readonly slot: number;
	    /** Mappings that the child inherits: slot of the parent's, slot of the child's. */
	    readonly inherits: readonly (readonly [number, number])[] }
	| { readonly kind: 'exit' }
	| { readonly kind: 'move'; readonly cgroup: string }
	| { readonly kind: 'mmap'; readonly name: string; readonly slot: number;
	    /** Slot of the memfd or file, undefined for anonymous memory. */
	    readonly memfd?: number; readonly pages: number; readonly protection: Protection;
	    readonly shared: boolean; readonly offset: number; readonly address?: number }
	/** `forgets`: the name stands for nothing afterwards. */
	| { readonly kind: 'munmap'; readonly range: RangeRef; readonly forgets: boolean }
	| { readonly kind: 'mlock'; readonly range: RangeRef; readonly onfault: boolean }
	| { readonly kind: 'munlock'; readonly range: RangeRef }
	| { readonly kind: 'mlockall'; readonly current: boolean; readonly future: boolean;
	    readonly onfault: boolean }
	| { readonly kind: 'munlockall' }
	/** One after another; a range that was written descending from its first page down. */
	| { readonly kind: 'read'; readonly ranges: readonly RangeRef[] }
	| { readonly kind: 'write'; readonly ranges: readonly RangeRef[]; readonly value: number }
	/** `address`: MREMAP_FIXED there. */
	| { readonly kind: 'mremap'; readonly range: RangeRef; readonly pages: number;
	    readonly mayMove: boolean; readonly dontUnmap: boolean; readonly address?: number }
	/** To a node; `all`: pages of others too. */
	| { readonly kind: 'migrate'; readonly range: RangeRef; readonly node: number;
	    readonly all: boolean }
	/** Mark pages idle, or look whether they are, which takes their accessed bits. */
	| { readonly kind: 'idle'; readonly range: RangeRef; readonly check: boolean }
	| { readonly kind: 'mprotect'; readonly range: RangeRef; readonly protection: Protection }
	| { readonly kind: 'madvise'; readonly range: RangeRef; readonly advice: Advice }
	| { readonly kind: 'clear_refs'; readonly what: number }
	| { readonly kind: 'drain' }
	| { readonly kind: 'reclaim'; readonly cgroup: string; readonly pages: number }
	/** `of`: the task whose name stands for its PID in the path /proc/NAME/... */
	| { readonly kind: 'knob'; readonly path: string; readonly value: string;
	    readonly of?: { readonly name: string; readonly slot: number } }
	| { readonly kind: 'cat'; readonly path: string;
	    readonly of?: { readonly name: string; readonly slot: number } }
	| { readonly kind: 'show'; readonly range: RangeRef }
	/** `show` of a file: how many of its pages are in memory. */
	| { readonly kind: 'cached'; readonly file: FileRef }
	| { readonly kind: 'stat'; readonly cgroup: string; readonly keys: readonly string[] }
	| { readonly kind: 'trace' }
	/** `device`: its place among the program's. */
	/** `only` these callbacks; none: all. */
	| { readonly kind: 'notifiers'; readonly name: string; readonly device: number;
	    readonly only: readonly string[] }
	| { readonly kind: 'expect'; readonly expectation: Expectation }
	| { readonly kind: 'at'; readonly point: number; readonly range?: RangeRef;
	    /** Place of the hook in the runner's state. */
	    readonly slot: number; readonly body: Statement };

export type Statement = Common & Action;
export type StatementKind = Action['kind'];

export interface Program {
	readonly file: string;
	/** Of its text: another text, another hash; never 0. */
	readonly hash: number;
	readonly machine: MachineSettings;
	readonly statements: readonly Statement[];
	/** Slots that the runner's state needs, of each kind. */
	readonly slots: {
		readonly tasks: number; readonly mappings: number; readonly memfds: number;
		readonly hooks: number;
	};
	/** Names by slot, for messages; a mapping's with its task's: `a.m`. */
	readonly taskNames: readonly string[];
	readonly mappingNames: readonly string[];
}
