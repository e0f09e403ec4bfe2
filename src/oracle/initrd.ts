// SPDX-License-Identifier: GPL-2.0-only
/*
 * Initial RAM disks: cpio archives in the "newc" form of
 * Documentation/driver-api/early-userspace/buffer-format.rst. The kernel unpacks several that
 * follow one another, and takes them uncompressed, which is quickest here: QEMU puts them into
 * memory, while unpacking would be emulated.
 */

const MODE_FILE = 0o100644, MODE_PROGRAM = 0o100755, MODE_FOLDER = 0o040755;
const ALIGN = 4;

/* A header, the name and the bytes, each padded to four bytes. All numbers are 8 hex digits. */
function member(ino: number, name: string, mode: number, bytes: Uint8Array): Uint8Array[] {
	const hex = (n: number) => n.toString(16).padStart(8, '0');
	const text = Buffer.from(name);
	const fields = [ino, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, text.length + 1, 0];
	const head = Buffer.concat([Buffer.from(`070701${fields.map(hex).join('')}`), text,
		Buffer.alloc(1)]);
	const pad = (length: number) => Buffer.alloc(-length & ALIGN - 1);

	return [head, pad(head.length), bytes, pad(bytes.length)];
}

/**
 * A whole archive. The same files give the same bytes.
 * @param files by path in it, without a leading /; the folders above them are made
 * @param programs paths among them that can be executed
 */
export function cpioArchive(
	files: ReadonlyMap<string, Uint8Array>, programs: ReadonlySet<string> = new Set(),
): Buffer {
	const parts: Uint8Array[] = [];
	const folders = new Set<string>();
	let ino = 1;

	for (const [path, bytes] of files) {
		const above = path.split('/').slice(0, -1);
		for (let depth = 1; depth <= above.length; depth++) {
			const folder = above.slice(0, depth).join('/');
			if (!folders.has(folder))
				parts.push(...member(ino++, folder, MODE_FOLDER, new Uint8Array()));
			folders.add(folder);
		}
		parts.push(...member(ino++, path,
			programs.has(path) ? MODE_PROGRAM : MODE_FILE, bytes));
	}
	parts.push(...member(0, 'TRAILER!!!', 0, new Uint8Array()));
	return Buffer.concat(parts);
}
