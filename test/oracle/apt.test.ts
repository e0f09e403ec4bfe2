// SPDX-License-Identifier: GPL-2.0-only
/* The machine's package sources, and apt with a state of its own; apt itself is a fake. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { debianSources, parseDeb822, parseOneLine, readSources, sourceText, withSuite,
	type Apt, type Source } from '../../src/oracle/apt.ts';
import { sandbox, type Sandbox } from './fakes.ts';

/* sources.list(5), "DEB822-STYLE FORMAT" and "ONE-LINE-STYLE FORMAT". */
describe('sources', () => {
	test('deb822: stanzas, comments, fields of several lines', () => {
		const found = parseDeb822(`# the whole file
Types: deb deb-src
# within a stanza
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ==

Enabled: no
types: deb
uris: http://other.example/x
suites: ./
`, 'f');

		expect(found).toEqual([
			{ where: 'f:2', types: ['deb', 'deb-src'],
				uris: ['http://mirror.example/debian'],
				suites: ['bookworm', 'bookworm-updates'],
				components: ['main', 'contrib'],
				options: [['Signed-By',
					'\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ==']],
				enabled: true },
			{ where: 'f:13', types: ['deb'], uris: ['http://other.example/x'],
				suites: ['./'], components: [], options: [], enabled: false },
		]);
		expect(sourceText(found[0]!, 'bullseye')).toBe(`Types: deb
URIs: http://mirror.example/debian
Suites: bullseye
Components: main
Signed-By:${' '}
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ==
`);
	});

	test('one line: options in brackets, comments', () => {
		const found = parseOneLine(`
# deb http://old.example/debian bookworm main
deb [ arch=amd64 signed-by=/k.gpg ] http://mirror.example/debian/ bookworm main contrib # why
deb-src http://mirror.example/debian bookworm main
nonsense
`, 'l');

		expect(found.map(({ where, types, uris, suites, components }) =>
			[where, ...types, ...uris, ...suites, ...components].join(' '))).toEqual([
			'l:3 deb http://mirror.example/debian/ bookworm main contrib',
			'l:4 deb-src http://mirror.example/debian bookworm main',
		]);
		/* The kernels are for amd64, whatever else the machine takes. */
		expect(sourceText(found[0]!, 'sid')).toBe('Types: deb\n' +
			'URIs: http://mirror.example/debian/\nSuites: sid\nComponents: main\n' +
			'Signed-By: /k.gpg\n');
	});

	test('all of a machine, and which may be Debian', () => {
		const box = sandbox();
		const list = join(box.folder, 'sources.list'), parts = join(box.folder, 'parts');
		mkdirSync(parts);
		writeFileSync(list, 'deb http://tools.example/apt bookworm main\n');
		writeFileSync(join(parts, 'b.list'), `deb http://m.example/debian bookworm main
deb http://m.example/debian-security bookworm-security main
deb cdrom:[Debian]/ bookworm main
deb http://docker.example/debian bookworm stable
deb-src http://m.example/debian bookworm main\n`);
		writeFileSync(join(parts, 'a.sources'), 'Types: deb\nEnabled: no\n' +
			'URIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n');
		writeFileSync(join(parts, 'c.sources.bak'), 'Types: deb\n');
		const all = readSources(list, parts);
		const at = ({ where }: Source) => where.slice(box.folder.length + 1);

		expect(all.map(at)).toEqual(['sources.list:1', 'parts/a.sources:1',
			'parts/b.list:1',
			'parts/b.list:2', 'parts/b.list:3', 'parts/b.list:4', 'parts/b.list:5']);
		expect(debianSources(all, 'bookworm').map(at)).toEqual(
			['parts/b.list:1', 'sources.list:1']);
		expect(readSources(join(box.folder, 'none'), join(box.folder, 'none'))).toEqual([]);
		box.remove();
	});
});

describe('apt', () => {
	let box: Sandbox;
	beforeEach(() => {
		box = sandbox();
	});
	afterEach(() => box.remove());

	const system = { id: 'debian', like: '', codename: 'bookworm' };
	const source: Source = { where: 'x:1', types: ['deb'], uris: ['http://m.example/debian'],
		suites: ['bookworm'], components: ['main'], options: [], enabled: true };
	const suite = <T>(work: (apt: Apt) => Promise<T>, sources = [source], machine = system) =>
		withSuite(box.cache, 'bullseye', () => {}, work, { sources, system: machine });
	const DEB = 'the package';
	const SHA256 = createHash('sha256').update(DEB).digest('hex');
	const SHOWN = `printf 'Package: linux-x\\nVersion: 1:5.10.9-1\\nSHA256: ${SHA256}\\n` +
		`Size: ${DEB.length}\\nDepends: kmod, linux-base (>= 4.3~) | initrd\\n'`;
	const get = (apt: Apt) => apt.show('linux-x').then((found) =>
		apt.download([found!], () => {}));

	test('a package is shown, downloaded, checked', async () => {
		box.fake('apt-get', `case "$*" in *download*)
			echo "$*" > ${box.folder}/words
			echo 'dlstatus:1:50.5:Retrieving' >&3
			printf '${DEB}' > linux-x_1%3a5.10.9-1_amd64.deb;; esac`);
		box.fake('apt-cache', SHOWN);
		const steps: unknown[] = [];
		const [path] = await withSuite(box.cache, 'bullseye',
			(step, percent) => steps.push([step, percent]), async (apt) => {
				const found = await apt.show('linux-x');
				expect(found).toEqual({ name: 'linux-x', version: '1:5.10.9-1',
					sha256: SHA256, size: DEB.length,
					depends: ['kmod', 'linux-base', 'initrd'] });
				return await apt.download([found!], (step, percent) =>
					steps.push([step, percent]));
			}, { sources: [source], system });

		expect(readFileSync(path!, 'utf8')).toBe(DEB);
		expect(readFileSync(join(box.folder, 'words'), 'utf8')).toMatch(
			/-c \S+apt\.conf .*download linux-x=1:5\.10\.9-1\n$/);
		expect(steps).toEqual([['bullseye: list of packages', undefined],
			['bullseye: linux-x (1 MB)', undefined],
			['bullseye: linux-x (1 MB)', 50.5]]);
		/* Its state is its own. */
		const config = readFileSync(join(box.cache, 'apt/bullseye/apt.conf'), 'utf8');
		for (const name of ['Dir::State::lists', 'Dir::State::status', 'Dir::Cache',
			'Dir::Etc::sourceparts'])
			expect(config).toContain(`${name} "${box.cache}/apt/bullseye/`);
	});

	test('a package that is not there', async () => {
		box.fake('apt-get', '');
		box.fake('apt-cache', 'exit 100');
		expect(await suite((apt) => apt.show('linux-x'))).toBeUndefined();
	});

	test('a download that is cut off: what came is kept, and what to do is told', async () => {
		box.fake('apt-get', `case "$*" in *download*)
			printf 'the' > linux-x_1%3a5.10.9-1_amd64.deb
			echo 'E: Failed to fetch linux-x  Connection reset' >&2; exit 100;; esac`);
		box.fake('apt-cache', SHOWN);

		await expect(suite(get)).rejects.toThrow('download of linux-x failed:\n' +
			'E: Failed to fetch linux-x  Connection reset\n' +
			'The list of packages and what ' +
			'came so far are kept, nothing else was changed. ' +
			'Run the same command again to go on');
		expect(box.left()).toContain(
			'apt/bullseye/debs/linux-x_1%3a5.10.9-1_amd64.deb');
	});

	test('a full disk', async () => {
		box.fake('apt-get', `case "$*" in *download*)
			echo 'E: You do not have enough free space in /x' >&2; exit 100;; esac`);
		box.fake('apt-cache', SHOWN);
		await expect(suite(get)).rejects.toThrow(
			'The disk is full: free some, or set VMMU_CACHE to another folder');
	});

	test('a package with a wrong SHA256 is refused and removed', async () => {
		box.fake('apt-get', `case "$*" in *download*)
			printf 'the packagf' > linux-x_1%3a5.10.9-1_amd64.deb;; esac`);
		box.fake('apt-cache', SHOWN);
		await expect(suite(get)).rejects.toThrow(new RegExp(
			'^linux-x: SHA256 is [0-9a-f]{64}, 11 bytes; ' +
			`the list of packages says ${SHA256}, ` +
			'11 bytes. The file was removed'));
		expect(box.left().filter((path) => path.endsWith('.deb'))).toEqual([]);
	});

	test('a suite that no source has, and the second source that has it', async () => {
		box.fake('apt-get', `grep -q second ${box.cache}/apt/bullseye/parts/vmmu.sources ||
			{ echo 'E: The repository does not have a Release file.' >&2; exit 100; }`);
		await expect(suite(async () => 1)).rejects.toThrow(
			'the list of packages of bullseye cannot be had:\n' +
			'E: The repository does not have a Release file.\n' +
			'What was there before is kept. Try again when the package source ' +
			'can be reached and has this suite');
		expect(await suite(async () => 2,
			[source, { ...source, uris: ['http://second.example/debian'] }])).toBe(2);
	});

	test('no Debian, no source, no apt', async () => {
		await expect(suite(async () => 0, [source],
			{ id: 'fedora', like: '', codename: '' }))
			.rejects.toThrow("kernels are taken from Debian's packages, " +
				'and this machine ' +
				'is fedora. Or bring a kernel image of your own: --bzimage PATH');
		await expect(suite(async () => 0, [])).rejects.toThrow(
			"the machine's apt has no source of Debian's");
		process.env['PATH'] = join(box.folder, 'bin');
		await expect(suite(async () => 0)).rejects.toThrow(
			/apt-get is not installed \(gets packages, .*\); install it with: /);
	});
});
