// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arena: one ArrayBuffer that holds everything that is machine. It is carved once, when the
 * modules load, into named regions (a column of a struct, the frames of RAM, the trace ring). A
 * region knows how many of its elements are in use; the rest is zero, was never touched and costs
 * no memory. So a snapshot is a copy of the used parts, equality a compare, a hash names a state,
 * and a boot clears the used parts in place.
 */

const GiB = 1024 * 1024 * 1024;
const METADATA_BYTES = 1.5 * GiB;

/** Anything a region can be made of. */
export type Column = Uint8Array | Uint16Array | Int32Array | Uint32Array | Float64Array;
export type ColumnConstructor<C extends Column = Column> = {
	new (buffer: ArrayBuffer, byteOffset: number, length: number): C;
	readonly BYTES_PER_ELEMENT: number;
	readonly name: string;
};

/** How the elements of a region are shown: the bit names of flags, or a function of the value. */
export type ValueFormat = readonly string[] | ((value: number) => string);

export interface Region {
	/** `struct.field`, unique. */
	readonly name: string;
	readonly array: Column;
	/** Elements a row, 1 for a plain column. */
	readonly width: number;
	/** How many elements, from the start, are in use now. */
	readonly used: () => number;
	readonly format: ValueFormat | undefined;
}

/*
 * A machine of 4 GiB of RAM and 4 GiB of block devices, where the host gives that much address
 * space; each halved together until it does.
 */
function reserve(): { buffer: ArrayBuffer; room: number } {
	for (let room = 4 * GiB; ; room /= 2) {
		try {
			return { buffer: new ArrayBuffer(METADATA_BYTES + 2 * room), room };
		} catch (error) {
			if (room <= GiB / 4)
				throw error;
		}
	}
}

const { buffer, room } = reserve();

/** The most RAM a machine can have, in bytes; 4 GiB unless the host has no such address space. */
export const RAM_BYTES_MAX: number = room;
/** The most block-device contents (swap and disks together), in bytes. */
export const DISK_BYTES_MAX: number = room;

/*
 * Regions larger than a host page begin at different cache lines of one. Columns have powers of 2
 * of rows, so else all fields of a row would lie in the same set of each cache, and the processor
 * would take a load from one column for a store to another that came before.
 */
const CACHE_LINE = 64, HOST_PAGE = 4096, LINES = HOST_PAGE / CACHE_LINE;
/* Odd, so that all lines take their turn, and neighbours lie far apart. */
const LINE_STEP = 39;

/** The first place from `from` for a region of `bytes`. */
function place(from: number, bytes: number): number {
	const at = Math.ceil(from / CACHE_LINE) * CACHE_LINE;

	if (bytes <= HOST_PAGE)
		return at;
	const line = regions.length * LINE_STEP % LINES, now = at / CACHE_LINE % LINES;
	return at + (line - now + LINES) % LINES * CACHE_LINE;
}

/* All of it by 32-bit words, for what is copied from one region to another. */
const words = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4));

/** Copy words between two regions, or within one, without a view of the part for it. */
export function copy_words(
	to: Int32Array, at: number, from: Int32Array, from_at: number, n: number,
): void {
	const start = from.byteOffset / 4 + from_at;

	words.copyWithin(to.byteOffset / 4 + at, start, start + n);
}

const regions: Region[] = [];
const names = new Set<string>();
const carved = { bytes: CACHE_LINE };

/**
 * Carve a region of `length` elements. Called only while modules load.
 * @param used elements in use now, from the start; it must read arena state (or be constant) only
 */
export function carve<C extends Column>(
	name: string, type: ColumnConstructor<C>, length: number,
	used: () => number, width = 1, format?: ValueFormat,
): C {
	if (names.has(name))
		throw new Error(`arena: a region named ${name} is already carved`);
	names.add(name);
	const at = place(carved.bytes, length * type.BYTES_PER_ELEMENT);
	carved.bytes = at + length * type.BYTES_PER_ELEMENT;
	if (carved.bytes > buffer.byteLength)
		throw new Error(`arena: no room for ${name}: ${carved.bytes} bytes`);
	const array = new type(buffer, at, length);
	regions.push({ name, array, width, used, format });
	return array;
}

/**
 * Name a part of a carved array as a region of its own: the nodes of one struct in a pool of nodes.
 * The array it lies in is carved with a `used` of 0.
 */
export function namePart(
	name: string, part: Column, width: number, used: () => number,
): void {
	if (names.has(name))
		throw new Error(`arena: a region named ${name} is already carved`);
	names.add(name);
	regions.push({ name, array: part, width, used, format: undefined });
}

/** All regions, in carving order. */
export function allRegions(): readonly Region[] {
	return regions;
}

/* Below this, clearing by hand is faster than a call of fill(). */
const FEW = 4;

/** Make the machine as it was at load: every used element zero. */
export function resetArena(): void {
	/* Regions say how long others are, so all are asked first. */
	const lengths = regions.map((region) => region.used());

	for (let i = 0; i < regions.length; i++) {
		const { array } = regions[i]!, length = lengths[i]!;

		if (length > FEW)
			array.fill(0, 0, length);
		else
			for (let n = 0; n < length; n++)
				array[n] = 0;
	}
}

/** Bytes of machine state in use now. */
export function usedBytes(): number {
	let sum = 0;
	for (const { array, used } of regions)
		sum += used() * array.BYTES_PER_ELEMENT;
	return sum;
}
