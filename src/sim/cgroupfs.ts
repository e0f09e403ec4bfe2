// SPDX-License-Identifier: GPL-2.0-only
/* Files below /sys/fs/cgroup. */
import { EACCES, ENOENT } from '../lib/errno.ts';
import { cgroup_base_files, cgroup_e_css, cgroup_get_from_path } from '../mm/cgroup.ts';
import { mem_cgroup_files } from '../mm/memcontrol.ts';
import { cgroups } from '../mm/memcontrol_types.ts';
import type { VirtualFile } from './files.ts';

/** A file of a cgroup by its path below /sys/fs/cgroup: `A/memory.high`. */
export function cgroupFile(path: string): VirtualFile | number {
	const at = path.lastIndexOf('/');
	const name = path.slice(at + 1);
	const cgrp = cgroup_get_from_path(path.slice(0, Math.max(at, 0)));

	if (!cgrp)
		return -ENOENT;
	const base = cgroup_base_files.find((file) => file.name === name);
	if (base) {
		if (base.notOnRoot && !cgroups.parent[cgrp])
			return -ENOENT;
		return { read: () => base.show(cgrp),
			write: (text) => base.write ? base.write(cgrp, text) : -EACCES };
	}
	/* The memory controller's files are there where the parent has +memory. */
	if (!cgroups.memcg[cgrp])
		return -ENOENT;
	const css = cgroup_e_css(cgrp);
	const file = mem_cgroup_files(css).find((f) => f.name === name);
	if (!file)
		return -ENOENT;
	return { read: () => file.show ? file.show(css) : -EACCES,
		write: (text) => file.write ? file.write(css, text) : -EACCES };
}
