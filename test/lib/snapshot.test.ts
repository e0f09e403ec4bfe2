// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { resetArena } from '../../src/lib/arena.ts';
import { INIT_LIST_HEAD, list_add } from '../../src/lib/list.ts';
import { randomU32, seedRandom } from '../../src/lib/rng.ts';
import { SnapshotError, diff, formatDifference, hash, keep, letGo, restore, snapshot, undo }
	from '../../src/lib/snapshot.ts';
import { array, f64, kmem_cache_zalloc, list, named, s32, struct, type ptr }
	from '../../src/lib/struct.ts';

type thing = ptr<'test_thing'>;
const things = struct<thing>()('test_thing', 1000, {
	flags: named(s32, ['locked', 'referenced', 'lru']), at: f64, node: list,
	counts: array(s32, 4),
});

beforeEach(() => resetArena());

function make(flags: number): thing {
	const row = kmem_cache_zalloc(things);

	things.flags[row] = flags;
	INIT_LIST_HEAD(things.node(row));
	return row;
}

describe('snapshot', () => {
	test('restores every kind of column, lists and the random numbers', () => {
		seedRandom(7);
		const a = make(3), b = make(1);
		things.at[a] = 2 ** 47;
		list_add(things.node(b), things.node(a));
		const before = snapshot(), name = hash();
		const next = [randomU32(), randomU32()];
		things.counts[b * 4 + 3] = 9;
		make(0);
		expect(hash()).not.toBe(name);
		restore(before);
		expect(hash()).toBe(name);
		expect([things.at[a], things.counts[b * 4 + 3]]).toEqual([2 ** 47, 0]);
		expect([randomU32(), randomU32()]).toEqual(next);
	});
	test('what is kept is undone, in room that was let go too', () => {
		make(3);
		for (const round of [1, 2]) {
			const name = hash(), kept = keep();
			things.flags[make(round)] = 4;
			const inner = keep();
			make(5);
			undo(inner);
			letGo(inner);
			expect(hash()).not.toBe(name);
			undo(kept);
			letGo(kept);
			expect(hash()).toBe(name);
			make(6);
		}
	});
	test('says what differs by the names of fields', () => {
		const a = make(6), b = make(0);
		const before = snapshot();
		things.flags[a] = 4;
		things.counts[b * 4 + 2] = 5;
		list_add(things.node(b), things.node(a));
		expect(diff(before, snapshot()).map(formatDifference)).toEqual([
			'test_thing[1].flags: referenced|lru -> lru',
			'test_thing[1].node.next: test_thing[1].node -> test_thing[2].node',
			'test_thing[2].node.next: test_thing[2].node -> test_thing[1].node',
			'test_thing[1].node.prev: test_thing[1].node -> test_thing[2].node',
			'test_thing[2].node.prev: test_thing[2].node -> test_thing[1].node',
			'test_thing[2].counts[2]: 0 -> 5',
		].sort((x, y) => order(x) - order(y)));
	});
	/* The layout's order: a struct's nodes before or after its columns, as declared. */
	function order(line: string): number {
		return ['flags', 'node.next', 'node.prev', 'counts']
			.findIndex((field) => line.split(':')[0]!.includes(field)) * 10 +
			Number(/\[(\d+)\]/.exec(line)![1]);
	}
	test('is refused, with the machine unchanged, when it is damaged or none', () => {
		make(5);
		const good = snapshot(), name = hash();
		const cut = good.slice(0, good.length - 8);
		const turned = good.slice();
		turned[good.length - 3]! ^= 1;
		const newer = good.slice();
		newer[4] = 99;
		for (const [bad, message] of [
			[new Uint8Array(0), /0 bytes/], [new Uint8Array(64), /no snapshot/],
			[cut, /header says/], [turned, /damaged/], [newer, /format 99/],
		] as const) {
			expect(() => restore(bad)).toThrow(message);
			expect(() => restore(bad)).toThrow(SnapshotError);
		}
		expect(hash()).toBe(name);
	});
	test('any bytes are refused without a crash', () => {
		const good = snapshot();
		fc.assert(fc.property(
			fc.oneof(fc.uint8Array({ maxLength: 400 }),
				fc.tuple(fc.nat(good.length - 1),
					fc.integer({ min: 1, max: 255 }))),
			(bytes) => {
				let bad: Uint8Array;
				if (bytes instanceof Uint8Array) {
					bad = bytes;
				} else {
					bad = good.slice();
					bad[bytes[0]]! ^= bytes[1];
				}
				expect(() => restore(bad)).toThrow(SnapshotError);
			}), { numRuns: 2000 });
	});
	test('of an unaligned buffer restores too', () => {
		make(1);
		const good = snapshot(), name = hash();
		const shifted = new Uint8Array(good.length + 3);
		shifted.set(good, 3);
		resetArena();
		restore(shifted.subarray(3));
		expect(hash()).toBe(name);
	});
});
