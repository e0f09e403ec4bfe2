// SPDX-License-Identifier: GPL-2.0-only
/*
 * C structs as columns. page->flags is pages.flags[page], &page->lru is pages.lru(page), a pointer
 * is a row number whose type says of which struct, and NULL is row 0, which no object ever has.
 */
import { carve, namePart, RAM_BYTES_MAX, type Column, type ColumnConstructor, type ValueFormat }
	from './arena.ts';
import { BUG } from './bug.ts';

declare const tag: unique symbol;
/** A pointer to a struct S: its row number; 0 is NULL. */
export type ptr<S extends string> = number & { readonly [tag]: S };
export type list_head = ptr<'list_head'>;
export type rb_node = ptr<'rb_node'>;

/** A column of the struct that P points to; nothing but a P may index it. */
export type column<P extends number, V = number> = { [row in P]: V };
/** A column of n elements a row; element i of row p is at p * n + i. */
export type array_column<V = number> = { [index: number]: V };
/** A C function's out parameter. */
export type out<V> = { v: V };

type Field =
	| { kind: 'value'; array: ColumnConstructor; format?: ValueFormat }
	| { kind: 'array'; array: ColumnConstructor; count: number; format?: ValueFormat }
	| { kind: 'list'; first?: true }
	| { kind: 'lists'; count: number }
	| { kind: 'rb' };

export const u8 = { kind: 'value', array: Uint8Array } as const;
export const u16 = { kind: 'value', array: Uint16Array } as const;
export const s32 = { kind: 'value', array: Int32Array } as const;
export const u32 = { kind: 'value', array: Uint32Array } as const;
/** Virtual addresses, page offsets, byte counts: integers exact to 2^53. */
export const f64 = { kind: 'value', array: Float64Array } as const;
/** A struct list_head embedded in the struct. */
export const list = { kind: 'list' } as const;
/**
 * The same for the one struct whose rows come first in the pool, as many as there are frames: the
 * number of such a list_head is that of its row, so that neither way there is anything to add.
 */
export const first_list = { kind: 'list', first: true } as const;
/** A struct rb_node embedded in the struct. */
export const rb = { kind: 'rb' } as const;
/** An array of n struct list_head. */
export const lists = <N extends number>(count: N) => ({ kind: 'lists', count }) as const;
/** An array of n values. */
export const array = <F extends { kind: 'value'; array: ColumnConstructor }>(
	of: F, count: number) => ({ kind: 'array', array: of.array, count }) as const;
/** A pointer to a Q. */
export const to = <Q extends number>() => s32 as typeof s32 & { readonly to?: Q };
/** The same field, whose bits have names in diffs and dumps. */
export const named = <F extends Field>(field: F, format: ValueFormat): F => ({ ...field, format });

type Member<P extends number, F> =
	F extends { kind: 'list' } ? { (p: P): list_head; container_of(l: list_head): P }
	: F extends { kind: 'lists' } ? { (p: P, i: number): list_head; row_of(l: list_head): P }
	: F extends { kind: 'rb' } ? { (p: P): rb_node; container_of(n: rb_node): P }
	: F extends { kind: 'array' } ? array_column
	: F extends { to?: infer Q } ? (Q extends number ? column<P, Q> : column<P>)
	: column<P>;

/** What the allocator of a struct's rows needs; `table` of every struct. */
export interface Table {
	readonly name: string;
	/** Rows carved, with row 0. */
	readonly rows: number;
	readonly fields: Readonly<Record<string, Field>>;
	readonly id: number;
	/** The plain and array columns with their widths, for clearing a row. */
	readonly columns: readonly { readonly array: Column; readonly width: number }[];
	/** First node of every embedded list or tree node, with its count a row. */
	readonly nodes: readonly {
		readonly field: string; readonly pool: 'list' | 'rb';
		readonly base: number; readonly width: number;
	}[];
	/** 1 for a row that kmem_cache_zalloc() gave out, 0 for one that is free. */
	readonly live: Uint8Array;
	readonly next_free: Int32Array;
}
export type Struct<P extends number, F> =
	{ readonly [K in keyof F]: Member<P, F[K]> } & { readonly table: Table; readonly row?: P };

const TABLES_MAX = 96;
const tables: Table[] = [];
const always = (n: number) => () => n;

/* Rows ever used (row 0 with them), and the first free row; both by table. */
const rows_used = carve('tables.rows_used', Int32Array, TABLES_MAX, always(TABLES_MAX));
const free_rows = carve('tables.free_rows', Int32Array, TABLES_MAX, always(TABLES_MAX));
const rows_live = carve('tables.rows_live', Int32Array, TABLES_MAX, always(TABLES_MAX));

/*
 * list_head and rb_node live in pools shared by all structs, so that list.ts and rbtree.ts work on
 * a node without knowing whose it is. Each struct's nodes are one run of the pool, a region of its
 * own.
 */
interface Pool {
	readonly names: readonly string[];
	readonly arrays: readonly Int32Array[];
	next: number;
}
const POOL_NODES = 1 << 23;
const FIRST_NODES = RAM_BYTES_MAX / 4096;
function makePool(kind: string, names: readonly string[], next: number): Pool {
	const arrays = names.map((n) => carve(`${kind}.${n}`, Int32Array, POOL_NODES, always(0)));
	return { names, arrays, next };
}
const list_pool = makePool('list_heads', ['next', 'prev'], FIRST_NODES);
const rb_pool = makePool('rb_nodes', ['parent', 'left', 'right', 'color'], 1);

/** struct list_head, by node number. */
export const list_heads = {
	next: list_pool.arrays[0] as unknown as column<list_head, list_head>,
	prev: list_pool.arrays[1] as unknown as column<list_head, list_head>,
};
/** struct rb_node, by node number; `color` is RB_RED 0 or RB_BLACK 1. */
export const rb_nodes = {
	parent: rb_pool.arrays[0] as unknown as column<rb_node, rb_node>,
	left: rb_pool.arrays[1] as unknown as column<rb_node, rb_node>,
	right: rb_pool.arrays[2] as unknown as column<rb_node, rb_node>,
	color: rb_pool.arrays[3] as unknown as column<rb_node>,
};

function takeNodes(
	pool: Pool, region: string, rows: number, width: number, id: number, first: boolean,
): number {
	const base = first ? 0 : pool.next, end = base + rows * width;
	const taken = first && tables.some(({ nodes }) => nodes.some((node) => node.base === 0));
	if (taken || end > (first ? FIRST_NODES : POOL_NODES))
		throw new Error(`arena: no nodes left for ${region}`);
	if (!first)
		pool.next = end;
	pool.names.forEach((name, i) => {
		const part = pool.arrays[i]!.subarray(base, end);
		namePart(`${region}.${name}`, part, width, () => rows_used[id]! * width);
	});
	return base;
}

/**
 * Declare a struct of `rows` rows (row 0, NULL, with them).
 * `struct<page>()('page', 1 << 20, { flags: u32, lru: list })` gives the value `pages`.
 */
export const struct = <P extends number>() =>
	<F extends Record<string, Field>>(name: string, rows: number, fields: F): Struct<P, F> => {
		const id = tables.length;
		if (id >= TABLES_MAX)
			throw new Error(`arena: no table left for ${name}`);
		const used = (width: number) => () => rows_used[id]! * width;
		/* Rows in use as a C array were never given out. */
		const given = () => rows_live[id] || free_rows[id] ? rows_used[id]! : 0;
		const live = carve(`${name}.(live)`, Uint8Array, rows, given);
		const next_free = carve(`${name}.(next_free)`, Int32Array, rows, given);
		const columns: { array: Column; width: number }[] = [];
		const nodes: Table['nodes'][number][] = [];
		const members: Record<string, unknown> = {};

		for (const [key, field] of Object.entries(fields)) {
			const region = `${name}.${key}`;
			if (field.kind === 'value' || field.kind === 'array') {
				const width = field.kind === 'array' ? field.count : 1;
				const column = carve(
					region, field.array, rows * width, used(width), width,
					field.format);
				columns.push({ array: column, width });
				members[key] = column;
				continue;
			}
			const pool = field.kind === 'rb' ? 'rb' : 'list';
			const width = field.kind === 'lists' ? field.count : 1;
			const base = takeNodes(
				pool === 'rb' ? rb_pool : list_pool, region, rows, width, id,
				'first' in field);
			nodes.push({ field: key, pool, base, width });
			members[key] = field.kind === 'lists'
				? Object.assign((p: number, i: number) => base + p * width + i, {
					row_of: (l: number) => Math.trunc((l - base) / width) })
				: Object.assign((p: number) => base + p, {
					container_of: (n: number) => n - base });
		}
		const table: Table = { name, rows, fields, id, columns, nodes, live, next_free };
		tables.push(table);
		return Object.freeze({ ...members, table }) as unknown as Struct<P, F>;
	};

/** Every struct declared, in order. */
export function allTables(): readonly Table[] {
	return tables;
}

/** Rows of a struct that were ever in use, row 0 with them: the bound of a walk over all rows. */
export function nr_rows({ table }: { readonly table: Table }): number {
	return rows_used[table.id]!;
}

/** Rows of a struct that kmem_cache_zalloc() gave out and nobody freed. */
export function nr_live({ table }: { readonly table: Table }): number {
	return rows_live[table.id]!;
}

/** The live rows of a struct, ascending. */
export function* live<P extends number>(
	struct: { readonly table: Table; readonly row?: P },
): Generator<P> {
	const rows = nr_rows(struct);

	for (let row = 1; row < rows; row++)
		if (struct.table.live[row])
			yield row as P;
}

/** Take rows 0 to n-1 into use as a C array (zone tables, struct page), never freed. */
export function use_rows({ table }: { readonly table: Table }, n: number): void {
	if (n > table.rows)
		BUG(`${table.name}: ${n} rows wanted, ${table.rows} carved`);
	if (n > rows_used[table.id]!)
		rows_used[table.id] = n;
}

/**
 * A zeroed row, the last one freed first; NULL where all carved rows are in use, which is the
 * slab allocator's out of memory.
 */
export function kmem_cache_zalloc<P extends number>(
	{ table }: { readonly table: Table; readonly row?: P },
): P {
	const { id } = table;
	let row = free_rows[id]!;

	if (row) {
		free_rows[id] = table.next_free[row]!;
		table.next_free[row] = 0;
	} else {
		row = rows_used[id]! || 1;
		if (row >= table.rows)
			return 0 as P;
		rows_used[id] = row + 1;
	}
	table.live[row] = 1;
	rows_live[id]!++;
	return row as P;
}

/** Give a row back; it is cleared here, so that a stale pointer reads zeros. */
export function kmem_cache_free<P extends number>(
	{ table }: { readonly table: Table; readonly row?: P }, row: P,
): void {
	const { id, columns, nodes } = table;

	if (row <= 0 || table.live[row] !== 1)
		BUG(`${table.name}[${row}]: freed but not in use`);
	for (let i = 0; i < columns.length; i++) {
		const { array, width } = columns[i]!;
		array.fill(0, row * width, (row + 1) * width);
	}
	for (let i = 0; i < nodes.length; i++) {
		const { pool, base, width } = nodes[i]!;
		const { arrays } = pool === 'rb' ? rb_pool : list_pool;
		const first = base + row * width;
		for (let k = 0; k < arrays.length; k++)
			arrays[k]!.fill(0, first, first + width);
	}
	table.live[row] = 0;
	table.next_free[row] = free_rows[id]!;
	free_rows[id] = row;
	rows_live[id]!--;
}

/** `struct[row].field` of a node of a pool, for diffs and dumps; `0` for NULL. */
export function nodeName(pool: 'list' | 'rb', node: number): string {
	if (!node)
		return '0';
	for (const table of tables) {
		for (const { field, pool: of, base, width } of table.nodes) {
			const offset = node - base;
			if (of !== pool || offset < 0 || offset >= table.rows * width)
				continue;
			const row = Math.trunc(offset / width);
			const index = width > 1 ? `[${offset % width}]` : '';
			return `${table.name}[${row}].${field}${index}`;
		}
	}
	return BUG(`node ${node} belongs to no struct`);
}

/**
 * A kernel global: one value of the arena. `v` reads and writes it.
 */
export class Global {
	readonly #values: Column;
	constructor(name: string, kind: typeof s32 | typeof f64) {
		this.#values = carve<Column>(`global.${name}`, kind.array as ColumnConstructor, 1,
			always(1));
	}
	get v(): number {
		return this.#values[0]!;
	}
	set v(value: number) {
		this.#values[0] = value;
	}
}
export const global_s32 = (name: string): Global => new Global(name, s32);
export const global_f64 = (name: string): Global => new Global(name, f64);
