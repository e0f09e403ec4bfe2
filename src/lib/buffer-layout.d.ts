// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types of the package buffer-layout 1.2, which has none of its own: the part that describes words,
 * bit fields, records and strings of the little-endian formats that Linux and x86 have.
 * Sizes and offsets are bytes. A layout without a property is padding inside a structure.
 */
declare module 'buffer-layout' {
	/** How a T lies in a Buffer. Immutable. */
	export abstract class Layout<T = unknown> {
		constructor(span: number, property?: string);
		/** Bytes; negative where it depends on the value (see getSpan). */
		readonly span: number;
		readonly property: string | undefined;
		/** @throws RangeError when the value does not lie wholly in `b` */
		decode(b: Buffer, offset?: number): T;
		/** @returns bytes written, padding with them */
		encode(src: T, b: Buffer, offset?: number): number;
		/** @throws RangeError when it cannot be told without (or from) `b` */
		getSpan(b?: Buffer, offset?: number): number;
		/** The same layout under another property. */
		replicate(property: string): this;
		/** The object whose properties, in the layout's order, have these values. */
		fromArray(values: unknown[]): T | undefined;
	}

	/** A layout whose value lies elsewhere in the buffer, or nowhere. */
	export abstract class ExternalLayout<T = number> extends Layout<T> {
		isCount(): boolean;
	}
	/** As many elements as the rest of the buffer holds. */
	export class GreedyCount extends ExternalLayout {
		constructor(elementSpan?: number, property?: string);
		readonly elementSpan: number;
	}
	/** A number at a fixed distance from where the layout is used. */
	export class OffsetLayout extends ExternalLayout {
		constructor(layout: Layout<number>, offset?: number, property?: string);
		readonly layout: Layout<number>;
		readonly offset: number;
	}

	/** Unsigned integer of 1 to 6 bytes, little-endian. */
	export class UInt extends Layout<number> {}
	/** Signed integer of 1 to 6 bytes, little-endian. */
	export class Int extends Layout<number> {}
	/** Unsigned 64-bit integer, little-endian, as the nearest number: exact below 2^53. */
	export class NearUInt64 extends Layout<number> {
		constructor(property?: string);
	}
	/** Signed 64-bit integer, little-endian, as the nearest number. */
	export class NearInt64 extends Layout<number> {
		constructor(property?: string);
	}
	export class Float extends Layout<number> {
		constructor(property?: string);
	}
	export class Double extends Layout<number> {
		constructor(property?: string);
	}

	/** `count` equal elements; a count that is a layout is read from the buffer. */
	export class Sequence<T = unknown> extends Layout<T[]> {
		constructor(
			elementLayout: Layout<T>, count: number | ExternalLayout,
			property?: string);
		readonly elementLayout: Layout<T>;
		readonly count: number | ExternalLayout;
	}

	/** A C struct without implicit padding. */
	export class Structure<T = Record<string, unknown>> extends Layout<T> {
		constructor(fields: Layout[], property?: string, decodePrefixes?: boolean);
		constructor(fields: Layout[], decodePrefixes: boolean);
		readonly fields: readonly Layout[];
		/** Whether a buffer that ends between two fields decodes to the fields before. */
		readonly decodePrefixes: boolean;
		layoutFor(property: string): Layout | undefined;
		/** undefined: no such property; negative: it depends on the value. */
		offsetOf(property: string): number | undefined;
	}

	/** Bit fields of a word of 1 to 4 bytes, lowest first; with msb, highest first. */
	export class BitStructure<T = Record<string, number | boolean>> extends Layout<T> {
		constructor(word: UInt, msb?: boolean, property?: string);
		constructor(word: UInt, property?: string);
		readonly word: UInt;
		readonly msb: boolean;
		readonly fields: readonly BitField[];
		/** `property` undefined: bits that are skipped. */
		addField(bits: number, property?: string): BitField;
		addBoolean(property?: string): BooleanField;
		fieldFor(property: string): BitField | undefined;
	}
	export class BitField<T = number> {
		constructor(container: BitStructure, bits: number, property?: string);
		readonly container: BitStructure;
		readonly bits: number;
		/** Lowest bit of the field in the word. */
		readonly start: number;
		readonly valueMask: number;
		readonly wordMask: number;
		readonly property: string | undefined;
		decode(): T;
		encode(value: T): void;
	}
	class BooleanField extends BitField<boolean> {
		constructor(container: BitStructure, property?: string);
	}
	export { BooleanField as Boolean };

	/** Bytes as they are. */
	export class Blob extends Layout<Buffer> {
		constructor(length: number | ExternalLayout, property?: string);
		readonly length: number | ExternalLayout;
	}
	/** UTF-8 text up to a NUL, which is part of the span. */
	export class CString extends Layout<string> {
		constructor(property?: string);
	}
	/** UTF-8 text to the end of the buffer, at most `maxSpan` bytes; -1: no limit. */
	export class UTF8 extends Layout<string> {
		constructor(maxSpan?: number, property?: string);
		readonly maxSpan: number;
	}
	/** A value that takes no bytes. */
	export class Constant<T> extends Layout<T> {
		constructor(value: T, property?: string);
		readonly value: T;
	}

	export function greedy(elementSpan?: number, property?: string): GreedyCount;
	export function offset(
		layout: Layout<number>, offset?: number, property?: string): OffsetLayout;
	export function u8(property?: string): UInt;
	export function u16(property?: string): UInt;
	export function u24(property?: string): UInt;
	export function u32(property?: string): UInt;
	export function u40(property?: string): UInt;
	export function u48(property?: string): UInt;
	export function nu64(property?: string): NearUInt64;
	export function s8(property?: string): Int;
	export function s16(property?: string): Int;
	export function s24(property?: string): Int;
	export function s32(property?: string): Int;
	export function s40(property?: string): Int;
	export function s48(property?: string): Int;
	export function ns64(property?: string): NearInt64;
	export function f32(property?: string): Float;
	export function f64(property?: string): Double;
	export function struct<T = Record<string, unknown>>(
		fields: Layout[], property?: string, decodePrefixes?: boolean): Structure<T>;
	export function bits<T = Record<string, number | boolean>>(
		word: UInt, msb?: boolean, property?: string): BitStructure<T>;
	export function seq<T>(
		elementLayout: Layout<T>, count: number | ExternalLayout,
		property?: string): Sequence<T>;
	export function blob(length: number | ExternalLayout, property?: string): Blob;
	export function cstr(property?: string): CString;
	export function utf8(maxSpan?: number, property?: string): UTF8;
}
