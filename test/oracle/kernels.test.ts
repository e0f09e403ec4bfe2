// SPDX-License-Identifier: GPL-2.0-only
/* Fetching, finding and building kernels, with fakes in place of apt and the builder's tools. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyEdit } from '../../src/oracle/build.ts';
import { fetchKernels, findKernel, imageVersion, keepBuilt, knownKernels, type Fetched }
	from '../../src/oracle/kernels.ts';
import { doctor, systemOf } from '../../src/oracle/tools.ts';
import { sandbox, type Sandbox } from './fakes.ts';

let box: Sandbox;
beforeEach(() => {
	box = sandbox();
});
afterEach(() => box.remove());

const RELEASE = '5.10.0-9-cloud-amd64';
const VERSION = `${RELEASE} (x@y) #1 SMP Debian 5.10.200-1 (2023-01-01)`;
const MACHINE = { system: { id: 'debian', like: '', codename: 'bookworm' }, sources: [{
	where: 'x:1', types: ['deb'], uris: ['http://m.example/debian'], suites: ['bookworm'],
	components: ['main'], options: [], enabled: true }] };

/* boot.rst: "HdrS" at 0x202, at 0x20e where the version is, less 0x200. */
function bzImage(version: string): Buffer {
	const bytes = Buffer.alloc(4096);

	bytes.write('HdrS', 0x202);
	bytes.writeUInt16LE(0x300, 0x20e);
	bytes.write(`${version}\0`, 0x500);
	return bytes;
}
function file(path: string, bytes: string | Buffer = ''): string {
	const full = join(box.folder, path);

	mkdirSync(join(full, '..'), { recursive: true });
	writeFileSync(full, bytes);
	return full;
}
const module = (path: string, depends: string, release = RELEASE) =>
	file(path, `ELF\0name=x\0depends=${depends}\0vermagic=${release} SMP\0`);

/* apt and dpkg-deb with one image package, whose tree is box.folder/tree. */
function fakes(version = '5.10.200-1'): void {
	const sha256 = createHash('sha256').update('deb').digest('hex');
	const image = `linux-image-${RELEASE}`;

	file(`tree/boot/vmlinuz-${RELEASE}`, bzImage(VERSION));
	module('tree/lib/modules/x/drivers/brd.ko', '');
	module('tree/lib/modules/x/kvm/kvm-amd.ko', 'kvm,ccp');
	module('tree/lib/modules/x/kvm/kvm.ko', 'irqbypass');
	module('tree/lib/modules/x/virt/irqbypass.ko', '');
	module('tree/lib/modules/x/net/other.ko', '');
	box.fake('apt-get', `echo "$@" >> ${box.folder}/calls
		case "$*" in *download*) printf deb > ${image}_${version}_amd64.deb;; esac`);
	box.fake('apt-cache', `case "$*" in
		*linux-image-cloud-amd64) printf 'Package: linux-image-cloud-amd64\\nVersion: 1\\n'
			echo 'Depends: ${image} (= ${version})';;
		*${image}) printf 'Package: ${image}\\nVersion: ${version}\\nSHA256: ${sha256}\\n';;
		*) exit 100;; esac`);
	box.fake('dpkg-deb', `mkdir -p "$3"; cp -r ${box.folder}/tree/. "$3"`);
	for (const name of ['tar', 'xz'])
		box.fake(name, 'exit 1');
}
async function fetch(...names: string[]): Promise<Fetched[]> {
	const fetched: Fetched[] = [];

	await fetchKernels(names, () => {}, (one) => fetched.push(one), box.cache, MACHINE);
	return fetched;
}
const kept = () => box.left().filter((path) => !path.startsWith('apt/'));

describe('fetching', () => {
	test('the image, and modules with what they depend on in load order', async () => {
		fakes();
		const folder = join(box.cache, 'kernels/5.10');
		const [{ image, kept: old }] = await fetch('5.10') as [Fetched];

		expect(old).toBe(false);
		expect(image).toEqual({ name: '5.10', bzImage: join(folder, 'bzImage'),
			release: RELEASE, version: '5.10.200-1', emulated: 'v5.10.200',
			modules: ['brd', 'irqbypass', 'kvm', 'kvm-amd']
				.map((name) => join(folder, `${name}.ko`)) });
		expect(await findKernel('5.10', {}, box.cache)).toEqual(image);
		expect(knownKernels(box.cache)).toEqual([image]);
		expect(imageVersion(image.bzImage)).toBe(VERSION);
		expect(box.left().filter((path) => path.endsWith('.deb'))).toEqual([]);

		const downloads = () =>
			readFileSync(join(box.folder, 'calls'), 'utf8').match(/download/g);
		expect((await fetch('5.10'))[0]!.kept).toBe(true);
		expect(downloads()).toHaveLength(1);
	});

	test('a package that cannot be unpacked: what was there is kept', async () => {
		fakes();
		await fetch('5.10');
		const before = kept();
		fakes('5.10.201-1');
		box.fake('dpkg-deb', `mkdir -p "$3"; touch "$3/half"
			echo 'dpkg-deb: error: No space left on device' >&2; exit 2`);
		await expect(fetch('5.10')).rejects.toThrow(
			/could not be unpacked: dpkg-deb: error: No space left on device\nFree /);
		expect(kept()).toEqual(before);
		expect((await findKernel('5.10', {}, box.cache)).version).toBe('5.10.200-1');
	});

	test('a suite that has gone on to another series', async () => {
		fakes('5.11.2-1');
		await expect(fetch('5.10')).rejects.toThrow(
			"5.10: bullseye of this machine's package source has 5.11 " +
			`(linux-image-${RELEASE}) by ` +
			'now. Nothing was changed');
		expect(kept()).toEqual([]);
	});

	test('a partial mirror', async () => {
		fakes();
		box.fake('apt-cache', 'exit 100');
		await expect(fetch('5.10')).rejects.toThrow('no linux-image-cloud-amd64. ' +
			'It may be a partial mirror; nothing was changed');
	});

	test('names', async () => {
		await expect(fetch('5.10', '5.11')).rejects.toThrow(
			'5.11 is no kernel that can be fetched; ' +
			'expected 5.10, 6.1, 6.12 or 7.2');
		await expect(fetch('5.10-prepatch')).rejects.toThrow('vmmu oracle build-prepatch');
		expect(box.left()).toEqual([]);
	});

	test('tools that are missing', async () => {
		process.env['PATH'] = join(box.folder, 'bin');
		box.fake('apt-get', '');
		await expect(fetch('5.10')).rejects.toThrow(
			/^apt-cache, dpkg-deb, tar, xz are missing; /);
	});
});

describe('finding', () => {
	test('one that is not there: how to get it', async () => {
		await expect(findKernel('5.10', {}, box.cache)).rejects.toThrow(
			'the kernel 5.10 has not been fetched; ' +
			'fetch it with: vmmu oracle fetch 5.10');
		await expect(findKernel('5.10-prepatch', {}, box.cache)).rejects.toThrow(
			'build it with: vmmu oracle build-prepatch');
		await expect(findKernel('5.9', {}, box.cache)).rejects.toThrow(
			'5.9 is no kernel of the oracle; expected 5.10, 6.1, 6.12, 7.2 or ' +
			'5.10-prepatch, or --bzimage PATH');
	});

	test("an image of one's own", async () => {
		const path = file('mine', bzImage('5.10.4 (me@here) #1'));
		const modules = join(box.folder, 'modules');
		module('modules/kernel/brd.ko', '', '5.10.4');

		expect(await findKernel('', { bzimage: path }, box.cache)).toEqual({ name: path,
			bzImage: path, release: '5.10.4', version: '5.10.4', modules: [],
			emulated: 'v5.10.4' });
		const { modules: [brd] } = await findKernel(
			'', { bzimage: path, modules }, box.cache);
		expect(readFileSync(brd!, 'latin1')).toContain('vermagic=5.10.4 ');

		const emulated = async (version: string) => (await findKernel('',
			{ bzimage: file('v', bzImage(version)) }, box.cache)).emulated;
		expect(await emulated(VERSION)).toBe('v5.10.200');
		expect(await emulated('5.10.0 (me) #1')).toBe('v5.10');
		expect(await emulated('5.10.9999 (me) #1')).toBeUndefined();
		expect(await emulated('5.101.3 (me) #1')).toBeUndefined();
		expect(await emulated('6.1.3 (me) #1')).toBeUndefined();
	});

	test('what is no image, and modules that are not its own', async () => {
		const at = (bzimage: string, modules?: string) =>
			findKernel('', { bzimage, modules }, box.cache);
		const mine = file('mine', bzImage('5.10.4 (me@here) #1'));

		await expect(at('/nowhere')).rejects.toThrow('/nowhere: no such file');
		await expect(at(box.folder)).rejects.toThrow(box.folder);
		await expect(at(file('text', 'short'))).rejects.toThrow(
			'not a kernel image for x86');
		await expect(at(file('elf', Buffer.alloc(4096)))).rejects.toThrow(
			'not a kernel image');
		await expect(at(mine, '/nowhere')).rejects.toThrow(
			'--modules /nowhere: no such folder');
		module('others/brd.ko', '');
		await expect(at(mine, join(box.folder, 'others'))).rejects.toThrow(
			`brd.ko is of kernel ${RELEASE}, the image is 5.10.4`);
		file('none/x.ko');
		await expect(at(mine, join(box.folder, 'none'))).rejects.toThrow(
			'none of brd.ko, zram.ko, kvm-amd.ko, crc32c-generic.ko, ext4.ko is in it');
		await expect(findKernel('5.10', { modules: 'x' }, box.cache)).rejects.toThrow(
			'--modules goes with --bzimage');
	});

	test('a built one', async () => {
		const path = file('b', bzImage('5.10.223 (vmmu) #1'));
		const built = await keepBuilt('5.10-prepatch', path, {
			version: '5.10.223-1', append: 'ttu_check_access=1',
			emulated: 'v5.10.223-013339df116c', packages: {} }, box.cache);

		expect(built).toMatchObject({ release: '5.10.223', modules: [] });
		expect(await findKernel('5.10-prepatch', {}, box.cache)).toEqual(built);
		writeFileSync(join(box.cache, 'kernels/5.10-prepatch/kernel.json'), '{');
		await expect(findKernel('5.10-prepatch', {}, box.cache)).rejects.toThrow(
			'Remove it and fetch it again');
	});
});

describe('building', () => {
	const edit = { file: 'a.c', anchor: /^two$/m, before: 'before\n', behind: '\nbehind' };

	test('an edit is made at the one place that it names', () => {
		expect(applyEdit('one\ntwo\nthree\n', edit)).toBe(
			'one\nbefore\ntwo\nbehind\nthree\n');
		expect(() => applyEdit('one\n', edit)).toThrow(
			'a.c has the place of the edit 0 times');
		expect(() => applyEdit('two\ntwo\n', edit)).toThrow(
			'2 times; expected a 5.10.y that has');
	});
});

describe('tools', () => {
	test('what is missing, and the one command for it', () => {
		process.env['PATH'] = join(box.folder, 'bin');
		expect(doctor(['run']).install).toMatch(/ qemu-system-x86 gcc$/);
		box.fake('gcc', '');
		const { tools, install } = doctor(['run']);

		expect(tools.filter(({ present }) => !present).map(({ name }) => name))
			.toEqual(['qemu-system-x86_64']);
		expect(install).toMatch(
			/^(sudo )?apt-get install -y --no-install-recommends qemu-system-x86$/);
		box.fake('qemu-system-x86_64', '');
		expect(doctor(['run']).install).toBeUndefined();
	});

	test('os-release', () => {
		expect(systemOf(file('os', 'NAME="X Y"\nID=debian\nVERSION_CODENAME="trixie"\n')))
			.toEqual({ id: 'debian', like: '', codename: 'trixie' });
		expect(systemOf('/nowhere')).toEqual({ id: '', like: '', codename: '' });
	});
});
