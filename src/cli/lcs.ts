// SPDX-License-Identifier: GPL-2.0-only
/* Two lists of lines beside each other. */

/** A line of the first list only (-1), of both (0), or of the second only (1). */
export interface Part {
	readonly side: -1 | 0 | 1;
	readonly line: string;
}

/* Cells of the table; longer lists are taken as wholly different in the middle. */
const CELLS_MAX = 4_000_000;

const all = (side: -1 | 0 | 1, lines: readonly string[]): Part[] =>
	lines.map((line) => ({ side, line }));

/** What two lists have in common, in order, and what only one of them has. */
export function align(a: readonly string[], b: readonly string[]): Part[] {
	let start = 0, endA = a.length, endB = b.length;

	while (start < endA && start < endB && a[start] === b[start])
		start++;
	while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
		endA--;
		endB--;
	}
	return [...all(0, a.slice(0, start)), ...middle(a.slice(start, endA), b.slice(start, endB)),
		...all(0, a.slice(endA))];
}

/* A longest common subsequence, by the table of its lengths from each pair of places on. */
function middle(a: readonly string[], b: readonly string[]): Part[] {
	if (a.length * b.length > CELLS_MAX)
		return [...all(-1, a), ...all(1, b)];
	const width = b.length + 1;
	const lengths = new Uint16Array((a.length + 1) * width);
	for (let i = a.length - 1; i >= 0; i--)
		for (let j = b.length - 1; j >= 0; j--)
			lengths[i * width + j] = a[i] === b[j]
				? lengths[(i + 1) * width + j + 1]! + 1
				: Math.max(lengths[(i + 1) * width + j]!,
					lengths[i * width + j + 1]!);
	const parts: Part[] = [];
	let i = 0, j = 0;
	while (i < a.length && j < b.length) {
		if (a[i] === b[j]) {
			parts.push({ side: 0, line: a[i++]! });
			j++;
		} else if (lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!) {
			parts.push({ side: -1, line: a[i++]! });
		} else {
			parts.push({ side: 1, line: b[j++]! });
		}
	}
	return [...parts, ...all(-1, a.slice(i)), ...all(1, b.slice(j))];
}
