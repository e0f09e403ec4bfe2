// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots: the used parts of all regions behind a header. A snapshot says for which layout it
 * was made; one of another layout, or a damaged one, is refused before anything is changed.
 */
import { Structure, f64, u32, type Layout } from 'buffer-layout';
import { allRegions, resetArena, type Column, type Region } from './arena.ts';
import { nodeName } from './struct.ts';

const MAGIC = 0x554d4d56;		/* "VMMU" */
/** Version of the snapshot format. */
export const SNAPSHOT_VERSION = 2;

interface Header {
	magic: number;
	version: number;
	/** Hash of the names, types and places of all regions. */
	layout: number;
	regions: number;
	/** Bytes of the whole snapshot. */
	bytes: number;
	/** Hash of all that follows the header. */
	hashLow: number;
	hashHigh: number;
}
const header: Layout<Header> = new Structure<Header>([
	u32('magic'), u32('version'), u32('layout'), u32('regions'), f64('bytes'),
	u32('hashLow'), u32('hashHigh'),
], 'snapshot_header');
const HEADER_BYTES = header.span;
const ALIGN = 8;
const align = (n: number) => Math.ceil(n / ALIGN) * ALIGN;

/** A file or buffer that is no snapshot of this build. */
export class SnapshotError extends Error {
	constructor(reason: string) {
		super(`snapshot: ${reason}`);
		this.name = 'SnapshotError';
	}
}

/* The same bytes as the Buffer that buffer-layout reads and writes. */
const asBuffer = (image: Uint8Array): Buffer =>
	Buffer.from(image.buffer, image.byteOffset, image.byteLength);
const bytesOf = (array: Column, elements: number): Uint8Array =>
	new Uint8Array(array.buffer, array.byteOffset, elements * array.BYTES_PER_ELEMENT);

/* Words that are looked at as one: most of a machine's memory is zeros. */
const BLOCK = 16;

/*
 * Two 32-bit multiply-xor lanes over int32 words, in which a run of blocks of zeros counts as one
 * word. Not cryptographic: it names states and finds damage.
 */
class Hash {
	low = 0x811c9dc5 | 0;
	high = 0x9747b28c | 0;
	words(words: Int32Array): void {
		let a = this.low, b = this.high;
		let zeros = 0;
		for (let i = 0; i < words.length; ) {
			if (i + BLOCK <= words.length && isZero(words, i)) {
				zeros++;
				i += BLOCK;
				continue;
			}
			const end = Math.min(i + BLOCK, words.length);
			/* how many blocks of zeros precede, then the block */
			let w = zeros;
			zeros = 0;
			for (;;) {
				a = Math.imul(a ^ w, 0x01000193);
				a ^= a >>> 15;
				b = Math.imul((b << 13 | b >>> 19) ^ w, 0x5bd1e995);
				if (i === end)
					break;
				w = words[i++]!;
			}
		}
		a = Math.imul(a ^ zeros, 0x01000193);
		b = Math.imul((b << 13 | b >>> 19) ^ zeros, 0x5bd1e995);
		this.low = a ^ a >>> 15;
		this.high = b;
	}
	word(w: number): void {
		this.words(Int32Array.of(w));
	}
	text(text: string): void {
		this.words(Int32Array.from(text, (c) => c.codePointAt(0)!));
	}
	toString(): string {
		const mixed = Math.imul(this.low ^ (this.high >>> 16), 0x85ebca6b);
		const hex = (n: number) => (n >>> 0).toString(16).padStart(8, '0');
		return hex(mixed) + hex(this.high);
	}
}

function isZero(words: Int32Array, at: number): boolean {
	let any = 0;

	for (let i = at; i < at + BLOCK; i += 4)
		any |= words[i]! | words[i + 1]! | words[i + 2]! | words[i + 3]!;
	return any === 0;
}

/* The used words of a region; its last word is zero beyond the used elements. */
function usedWords({ array, used }: Region): Int32Array {
	const bytes = used() * array.BYTES_PER_ELEMENT;

	return new Int32Array(array.buffer, array.byteOffset, Math.ceil(bytes / 4));
}

/* Regions are added, as modules are loaded, and never change: one hash for each number of them. */
const hashed = { regions: 0, layout: 0 };

function layoutHash(): number {
	const regions = allRegions();

	if (hashed.regions === regions.length)
		return hashed.layout;
	const hash = new Hash();
	for (const { name, array, width } of regions) {
		hash.text(`${name} ${array.constructor.name} ${width}`);
		hash.word(array.byteOffset | 0);
		hash.word(array.length | 0);
	}
	hashed.regions = regions.length;
	hashed.layout = hash.low >>> 0;
	return hashed.layout;
}

/** Name the state of the machine: 16 hexadecimal digits, equal for equal states. */
export function hash(): string {
	const sum = new Hash();

	for (const region of allRegions()) {
		const words = usedWords(region);
		sum.word(words.length);
		sum.words(words);
	}
	return sum.toString();
}

/* What is in use of each region, region after region, from `at` on. */
function copyRegions(image: Uint8Array, at: number, counts: readonly number[]): void {
	allRegions().forEach(({ array }, i) => {
		const part = bytesOf(array, counts[i]!);
		image.set(part, at);
		at += align(part.length);
	});
}
/* Bytes of that. */
function sizeOf(counts: readonly number[]): number {
	return allRegions().reduce((sum, { array }, i) =>
		sum + align(counts[i]! * array.BYTES_PER_ELEMENT), 0);
}
const usedCounts = (): number[] => allRegions().map((region) => region.used());

/** Copy the machine: all that is needed to go on from here, in this or another process. */
export function snapshot(): Uint8Array {
	const regions = allRegions();
	const counts = usedCounts();
	const table = HEADER_BYTES + regions.length * ALIGN;
	const bytes = align(table) + sizeOf(counts);
	const image = new Uint8Array(bytes);
	const view = new DataView(image.buffer);

	counts.forEach((count, i) => view.setFloat64(HEADER_BYTES + i * ALIGN, count, true));
	copyRegions(image, align(table), counts);
	const sum = bodyHash(image);
	header.encode({
		magic: MAGIC, version: SNAPSHOT_VERSION, layout: layoutHash(),
		regions: regions.length, bytes, hashLow: sum.low >>> 0, hashHigh: sum.high >>> 0,
	}, asBuffer(image));
	return image;
}

/** The machine at a moment, for this process alone, until it is let go. */
export interface Kept {
	readonly counts: readonly number[];
	readonly image: Uint8Array;
}

/* Room that was let go: touching new memory takes longer than to copy a machine. */
const spare: { room: Uint8Array | undefined } = { room: undefined };
const SPARE_RATIO = 1.25;

/** Keep the machine as it is, to undo what follows: cheaper than a snapshot. */
export function keep(): Kept {
	const counts = usedCounts(), bytes = sizeOf(counts);
	const { room } = spare;
	const image = room && room.length >= bytes ? room
		: new Uint8Array(Math.ceil(bytes * SPARE_RATIO));

	spare.room = undefined;
	copyRegions(image, 0, counts);
	return { counts, image };
}

/** Make the machine what it was. */
export function undo({ counts, image }: Kept): void {
	let at = 0;

	resetArena();
	allRegions().forEach(({ array }, i) => {
		const bytes = counts[i]! * array.BYTES_PER_ELEMENT;
		bytesOf(array, counts[i]!).set(image.subarray(at, at + bytes));
		at += align(bytes);
	});
}

/** It is not needed any more. */
export function letGo({ image }: Kept): void {
	spare.room = image;
}

function bodyHash(image: Uint8Array): Hash {
	const sum = new Hash();

	sum.words(new Int32Array(image.buffer, image.byteOffset + HEADER_BYTES,
		(image.length - HEADER_BYTES) / 4));
	return sum;
}

interface Part { readonly region: Region; readonly count: number; readonly at: number }

/* Check a snapshot at the door; where each region's bytes are. */
function open(given: Uint8Array): { image: Uint8Array; parts: Part[] } {
	if (given.length < HEADER_BYTES)
		throw new SnapshotError(
			`${given.length} bytes, a header alone has ${HEADER_BYTES}`);
	/* Typed arrays over it need an aligned start. */
	const image = given.byteOffset % ALIGN ? given.slice() : given;
	const { magic, version, layout, regions: count, bytes, hashLow, hashHigh } =
		header.decode(asBuffer(image));
	if (magic !== MAGIC)
		throw new SnapshotError('no snapshot: it does not start with "VMMU"');
	if (version !== SNAPSHOT_VERSION)
		throw new SnapshotError(`format ${version}, expected ${SNAPSHOT_VERSION}`);
	if (bytes !== image.length)
		throw new SnapshotError(`${image.length} bytes, its header says ${bytes}`);
	const regions = allRegions();
	if (layout !== layoutHash() || count !== regions.length)
		throw new SnapshotError('made by another build: the layout of its state differs');
	const sum = bodyHash(image);
	if (hashLow !== sum.low >>> 0 || hashHigh !== sum.high >>> 0)
		throw new SnapshotError(
			'damaged: its contents do not match the hash in its header');
	const view = new DataView(image.buffer, image.byteOffset, image.length);
	let at = align(HEADER_BYTES + count * ALIGN);
	const parts = regions.map((region, i) => {
		const elements = view.getFloat64(HEADER_BYTES + i * ALIGN, true);
		const size = elements * region.array.BYTES_PER_ELEMENT;
		if (!Number.isInteger(elements) || elements < 0 || elements > region.array.length
		    || at + size > image.length)
			throw new SnapshotError(`damaged: ${region.name} has ${elements} elements`);
		const part = { region, count: elements, at };
		at += align(size);
		return part;
	});
	return { image, parts };
}

/**
 * Make the machine what it was when the snapshot was taken.
 * @throws SnapshotError with the machine unchanged, if it is damaged or of another build
 */
export function restore(given: Uint8Array): void {
	const { image, parts } = open(given);

	resetArena();
	for (const { region: { array }, count, at } of parts)
		bytesOf(array, count).set(image.subarray(at, at + count * array.BYTES_PER_ELEMENT));
}

function show(region: Region, value: number): string {
	const { format, name } = region;

	if (typeof format === 'function')
		return format(value);
	if (format) {
		const set = format.filter((_, bit) => value & (1 << bit));
		return set.join('|') || '0';
	}
	if (name.endsWith('.next') || name.endsWith('.prev'))
		return nodeName('list', value);
	if (/\.(parent|left|right)$/.test(name) && name.split('.').length > 2)
		return nodeName('rb', value);
	return String(value);
}

/** One element that differs. */
export interface Difference {
	/** `pages[1234].flags`, `ram[5][17]` */
	readonly where: string;
	/** The value shown as flags, nodes or numbers. */
	readonly before: string;
	readonly after: string;
}

function place({ name, width }: Region, element: number): string {
	const dot = name.indexOf('.');
	const struct = dot < 0 ? name : name.slice(0, dot);
	const field = dot < 0 ? '' : name.slice(dot);
	const index = width > 1 ? `[${element % width}]` : '';

	return `${struct}[${Math.floor(element / width)}]${field}${index}`;
}

/**
 * What differs between two snapshots, by the names of fields, in the order of the layout.
 * @param limit at most so many differences
 * @throws SnapshotError if one is damaged or of another build
 */
export function diff(a: Uint8Array, b: Uint8Array, limit = Infinity): Difference[] {
	const one = open(a), other = open(b);
	const found: Difference[] = [];

	one.parts.forEach(({ region, count, at }, i) => {
		const part = other.parts[i]!;
		const size = region.array.BYTES_PER_ELEMENT;
		if (asBuffer(one.image.subarray(at, at + count * size)).equals(
			asBuffer(other.image.subarray(part.at, part.at + part.count * size))))
			return;
		const type = region.array.constructor as new (
			buffer: ArrayBufferLike, offset: number, length: number) => Column;
		const before = new type(one.image.buffer, one.image.byteOffset + at, count);
		const after = new type(
			other.image.buffer, other.image.byteOffset + part.at, part.count);
		for (let n = 0; n < count || n < part.count; n++) {
			const x = before[n] ?? 0, y = after[n] ?? 0;
			if (x === y || found.length >= limit)
				continue;
			found.push({ where: place(region, n),
				before: show(region, x), after: show(region, y) });
		}
	});
	return found;
}

/** `where: before -> after`, as a line. */
export function formatDifference({ where, before, after }: Difference): string {
	return `${where}: ${before} -> ${after}`;
}
