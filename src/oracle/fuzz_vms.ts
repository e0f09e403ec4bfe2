// SPDX-License-Identifier: GPL-2.0-only
/* Random litmus programs with virtual machines, mirrors and pins, valid by construction. */
import { POINTS } from '../lib/points.ts';
import { DEVICE_KINDS } from '../sim/devices.ts';
import { VM_FORMATS } from '../sim/vm.ts';
import { generator } from './fuzz.ts';

interface Guest { name: string; vcpus: number; slots: { gpa: number; pages: number }[] }
interface Mapping { name: string; pages: number; writable: boolean }
interface Owner { name: string; mappings: Mapping[]; guests: Guest[]; devices: [string, string][] }

/**
 * A program of so many statements after those that set it up.
 * @param seed any integer of 32 bits
 */
export function randomVmProgram(seed: number, statements: number): string {
	const below = generator(seed);
	const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
	const chance = (percent: number): boolean => below(100) < percent;
	const format = pick(Object.keys(VM_FORMATS));
	const lines = [`machine ram=64M swap=${pick([1, 16])}M cpus=${1 + below(3)} ` +
		`pcid=${below(2)} seed=${seed}`, 'cgroup A', 'cgroup B', 'memfd f 24'];
	const owners: Owner[] = [];
	let names = 0;

	const map = (owner: Owner): void => {
		const name = `m${names++}`, shared = chance(30);
		const pages = 1 + below(shared ? 24 : 40);
		lines.push(`${owner.name}: ${name} = mmap ${shared ? 'f' : 'anon'} ${pages} rw ` +
			(shared ? 'shared' : 'private'));
		owner.mappings.push({ name, pages, writable: true });
	};
	const owner = (): void => {
		const made: Owner = { name: `t${names++}`, mappings: [], guests: [], devices: [] };
		lines.push(`task ${made.name} cgroup=${pick(['A', 'B'])}`);
		owners.push(made);
		map(made);
		map(made);
		for (let i = 0; i < 1 + below(2); i++) {
			const vcpus = 1 + below(2);
			const guest: Guest = { name: `v${names++}`, vcpus, slots: [] };
			lines.push(`vm ${guest.name} task=${made.name} ${format} vcpus=${vcpus}` +
				(chance(20) ? ' nopaging' : ''));
			made.guests.push(guest);
			slot(made, guest);
		}
		for (const kind of DEVICE_KINDS) {
			if (!chance(40))
				continue;
			const name = `d${names++}`;
			lines.push(`${kind} ${name} task=${made.name}` +
				(kind === 'pin' && chance(50) ? ' keep' : ''));
			made.devices.push([kind, name]);
		}
	};
	/* Slots lie apart, at every other MiB. */
	const slot = (made: Owner, guest: Guest): void => {
		const mapping = pick(made.mappings);
		const gpa = 0x100000 * (1 + 2 * guest.slots.length) + 4096 * below(600);
		const last = below(mapping.pages);
		lines.push(`${guest.name}: slot 0x${gpa.toString(16)} ${mapping.name}[0..${last}]` +
			`${chance(10) ? ' ro' : ''}${chance(20) ? ' log' : ''}`);
		guest.slots.push({ gpa, pages: last + 1 });
	};
	const touch = (guest: Guest): string => {
		const { gpa, pages } = pick(guest.slots), first = below(pages);
		const name = chance(50) ? `${guest.name}.${below(guest.vcpus)}` : guest.name;
		const where = `0x${(gpa + first * 4096).toString(16)} ${1 + below(pages - first)}`;
		return chance(50) ? `${name}: read ${where}`
			: `${name}: write ${where} ${below(256)}`;
	};
	const range = ({ name, pages }: Mapping): string => {
		const first = below(pages);
		return chance(50) ? name : `${name}[${first}..${first + below(pages - first)}]`;
	};
	const deed = (made: Owner): string => {
		const kind = below(100), mapping = pick(made.mappings), r = range(mapping);

		if (kind < 45 && made.guests.length)
			return touch(pick(made.guests));
		if (kind < 60 && made.devices.length) {
			const [what, name] = pick(made.devices);
			const verb = what === 'pin' ? pick(['pin', 'unpin'])
				: what === 'mirror' ? pick(['read', 'write', 'snapshot'])
				: pick(['read', 'write']);
			return `${name}: ${verb} ${r}`;
		}
		return `${made.name}: ` + pick([
			() => `read ${r}`, () => `write ${r} ${below(256)}`,
			() => `madvise ${r} ${pick(['dontneed', 'cold', 'pageout', 'free',
				'willneed'])}`,
			() => `clear_refs ${pick([1, 1, 4])}`,
			() => `mprotect ${mapping.name} ${pick(['r', 'rw', 'rw'])}`,
			() => `mlock ${r}`, () => `munlock ${r}`,
		])();
	};

	owner();
	if (chance(50))
		owner();
	for (let i = 0; i < statements; i++) {
		const made = pick(owners), kind = below(100);

		if (kind < 18)
			lines.push(`reclaim ${pick(['A', 'B', 'A', '/'])} ${1 + below(64)}`);
		else if (kind < 23)
			lines.push('drain');
		else if (kind < 35)
			lines.push(`at ${pick(POINTS)}: ${deed(made)}`);
		else if (kind < 38)
			lines.push(`${made.name}: fork c${names++}`);
		else if (kind < 40)
			lines.push(`notifiers ${pick(made.guests).name}`);
		else if (kind < 43) {
			const guest = pick(made.guests), at = pick(guest.slots);
			lines.push(`${guest.name}: ${pick(['log', 'unlog', 'dirty', 'unslot'])} ` +
				`0x${at.gpa.toString(16)}`);
		} else if (kind < 45)
			lines.push(`${pick(['A', 'B'])}/memory.${pick(['max', 'high'])} = ` +
				pick(['max', '512K', '256K']));
		else
			lines.push(deed(made));
	}
	return `${lines.join('\n')}\n`;
}
