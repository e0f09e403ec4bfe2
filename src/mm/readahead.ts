// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/readahead.c, v5.10
 * Left out: ->readpages() (no file system here has it), plugging, congestion, block cgroups,
 * readahead(2). A file_ra_state is a part of its file, so a pointer to one is the file.
 */
import { BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { xa_is_value, xa_load } from '../lib/xarray.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { a_ops_readpage, has_readpage } from './a_ops.ts';
import { add_to_page_cache_lru, page_cache_next_miss, page_cache_prev_miss, xa_to_page,
	__page_cache_alloc } from './filemap.ts';
import { BDI_IO_PAGES, FMODE_RANDOM, i_size_read } from './fs.ts';
import { memalloc_nofs_restore, memalloc_nofs_save } from './gfp.ts';
import { put_page } from './mm.ts';
import { address_spaces, files, type address_space, type file, type page } from './mm_types.ts';
import { ClearPageReadahead, PageLocked, PageWriteback, SetPageReadahead, thp_nr_pages }
	from './page_flags.ts';
import { readahead_gfp_mask } from './pagemap.ts';

const { ra_start, ra_size, ra_async_size, ra_pages, ra_prev_pos } = files;

/** struct readahead_control; a temporary of one request. */
export class readahead_control {
	readonly file: file;
	readonly mapping: address_space;
	/** Of the next page that is to be read. */
	_index: number;
	_nr_pages = 0;
	constructor(file: file, mapping: address_space, index: number) {
		this.file = file;
		this.mapping = mapping;
		this._index = index;
	}
}

/** @ported v5.10 include/linux/pagemap.h:readahead_page() */
function readahead_page(rac: readahead_control): page {
	if (!rac._nr_pages)
		return 0 as page;
	const page = xa_to_page(xa_load(rac.mapping, rac._index));
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is to be read ahead but is not locked');
	rac._nr_pages -= thp_nr_pages(page);
	rac._index += thp_nr_pages(page);
	return page;
}

/** @ported v5.10 with mpage_readahead() as every ->readahead(): page by page */
function read_pages(rac: readahead_control, skip_page: boolean): void {
	for (let page = readahead_page(rac); page; page = readahead_page(rac)) {
		a_ops_readpage(rac.file, page, rac.mapping);
		put_page(page);
	}
	BUG_ON(rac._nr_pages !== 0, 'pages to be read ahead were left');

	if (skip_page)
		rac._index++;
}

/** @ported v5.10 */
export function page_cache_ra_unbounded(
	ractl: readahead_control, nr_to_read: number, lookahead_size: number,
): void {
	const { mapping, _index: index } = ractl;
	const gfp_mask = readahead_gfp_mask(mapping);

	/* Reclaim must not wait for the pages locked here. */
	const nofs = memalloc_nofs_save();

	for (let i = 0; i < nr_to_read; i++) {
		const entry = xa_load(mapping, index + i);

		BUG_ON(index + i !== ractl._index + ractl._nr_pages, 'readahead lost its place');

		if (entry && !xa_is_value(entry)) {
			read_pages(ractl, true);
			continue;
		}

		const page = __page_cache_alloc(gfp_mask);
		if (!page)
			break;
		if (add_to_page_cache_lru(page, mapping, index + i, gfp_mask) < 0) {
			put_page(page);
			read_pages(ractl, true);
			continue;
		}
		if (i === nr_to_read - lookahead_size)
			SetPageReadahead(page);
		ractl._nr_pages++;
	}

	/* An error shows when the page is read for good. */
	read_pages(ractl, false);
	memalloc_nofs_restore(nofs);
}

/** @ported v5.10 */
export function do_page_cache_ra(
	ractl: readahead_control, nr_to_read: number, lookahead_size: number,
): void {
	const index = ractl._index;
	const isize = i_size_read(address_spaces.host[ractl.mapping]);

	if (isize === 0)
		return;

	const end_index = Math.floor((isize - 1) / PAGE_SIZE);
	if (index > end_index)
		return;
	if (nr_to_read > end_index - index)
		nr_to_read = end_index - index + 1;

	page_cache_ra_unbounded(ractl, nr_to_read, lookahead_size);
}

/** @ported v5.10 */
export function force_page_cache_ra(
	ractl: readahead_control, ra: file, nr_to_read: number,
): void {
	if (!has_readpage(ractl.mapping))
		return;

	let index = ractl._index;
	nr_to_read = Math.min(nr_to_read, Math.max(BDI_IO_PAGES, ra_pages[ra]));
	while (nr_to_read) {
		const this_chunk = Math.min(2 * 1024 * 1024 / PAGE_SIZE, nr_to_read);

		ractl._index = index;
		do_page_cache_ra(ractl, this_chunk, 0);

		index += this_chunk;
		nr_to_read -= this_chunk;
	}
}

/** @ported v5.10 mm/internal.h */
export function force_page_cache_readahead(
	mapping: address_space, file: file, index: number, nr_to_read: number,
): void {
	force_page_cache_ra(new readahead_control(file, mapping, index), file, nr_to_read);
}

/** @ported v5.10 */
export function get_init_ra_size(size: number, max: number): number {
	let newsize = 1;

	while (newsize < size)
		newsize *= 2;
	if (newsize <= Math.trunc(max / 32))
		newsize = newsize * 4;
	else if (newsize <= Math.trunc(max / 4))
		newsize = newsize * 2;
	else
		newsize = max;
	return newsize;
}

/** @ported v5.10 */
function get_next_ra_size(ra: file, max: number): number {
	const cur = ra_size[ra];

	if (cur < Math.trunc(max / 16))
		return 4 * cur;
	if (cur <= Math.trunc(max / 2))
		return 2 * cur;
	return max;
}

/** @ported v5.10 */
function count_history_pages(mapping: address_space, index: number, max: number): number {
	return index - 1 - page_cache_prev_miss(mapping, index - 1, max);
}

/** @ported v5.10 */
function try_context_readahead(
	mapping: address_space, ra: file, index: number, req_size: number, max: number,
): boolean {
	let size = count_history_pages(mapping, index, max);

	/* not enough: it may be random */
	if (size <= req_size)
		return false;

	/* from the start of the file: a long stream */
	if (size >= index)
		size *= 2;

	ra_start[ra] = index;
	ra_size[ra] = Math.min(size + req_size, max);
	ra_async_size[ra] = 1;
	return true;
}

/** @ported v5.10 */
function ondemand_readahead(
	ractl: readahead_control, ra: file, hit_readahead_marker: boolean, req_size: number,
): void {
	const index = ractl._index;
	let max_pages = ra_pages[ra];

	if (req_size > max_pages && BDI_IO_PAGES > max_pages)
		max_pages = Math.min(req_size, BDI_IO_PAGES);

	readit: {
		initial_readahead: {
			if (!index)
				break initial_readahead;

			/* where it was expected: on, and more */
			if (index === ra_start[ra] + ra_size[ra] - ra_async_size[ra] ||
			    index === ra_start[ra] + ra_size[ra]) {
				ra_start[ra] += ra_size[ra];
				ra_size[ra] = get_next_ra_size(ra, max_pages);
				ra_async_size[ra] = ra_size[ra];
				break readit;
			}

			/* a mark of another stream: how far did that one get? */
			if (hit_readahead_marker) {
				const start = page_cache_next_miss(ractl.mapping, index + 1,
					max_pages);

				if (!start || start - index > max_pages)
					return;

				ra_start[ra] = start;
				ra_size[ra] = start - index;
				ra_size[ra] += req_size;
				ra_size[ra] = get_next_ra_size(ra, max_pages);
				ra_async_size[ra] = ra_size[ra];
				break readit;
			}

			if (req_size > max_pages)
				break initial_readahead;

			/* a miss next to the last read */
			const prev_index = Math.floor(ra_prev_pos[ra] / PAGE_SIZE);
			if (prev_index >= 0 && index >= prev_index && index - prev_index <= 1)
				break initial_readahead;

			/* the traces of a stream in the cache */
			if (try_context_readahead(ractl.mapping, ra, index, req_size, max_pages))
				break readit;

			/* small and random: read it, and forget */
			do_page_cache_ra(ractl, req_size, 0);
			return;
		}
		ra_start[ra] = index;
		ra_size[ra] = get_init_ra_size(req_size, max_pages);
		ra_async_size[ra] = ra_size[ra] > req_size ? ra_size[ra] - req_size : ra_size[ra];
	}

	/* The mark would be hit by this very read: take the next window with this one. */
	if (index === ra_start[ra] && ra_size[ra] === ra_async_size[ra]) {
		const add_pages = get_next_ra_size(ra, max_pages);

		if (ra_size[ra] + add_pages <= max_pages) {
			ra_async_size[ra] = add_pages;
			ra_size[ra] += add_pages;
		} else {
			ra_size[ra] = max_pages;
			ra_async_size[ra] = max_pages >> 1;
		}
	}

	ractl._index = ra_start[ra];
	do_page_cache_ra(ractl, ra_size[ra], ra_async_size[ra]);
}

/** @ported v5.10 */
export function page_cache_sync_ra(
	ractl: readahead_control, ra: file, req_count: number,
): void {
	let do_forced_ra = ractl.file !== 0 && (files.f_mode[ractl.file] & FMODE_RANDOM) !== 0;

	/* No readahead: but what is asked for must be read. */
	if (!ra_pages[ra]) {
		if (!ractl.file)
			return;
		req_count = 1;
		do_forced_ra = true;
	}

	if (do_forced_ra) {
		force_page_cache_ra(ractl, ra, req_count);
		return;
	}
	ondemand_readahead(ractl, ra, false, req_count);
}

/** @ported v5.10 */
export function page_cache_async_ra(
	ractl: readahead_control, ra: file, page: page, req_count: number,
): void {
	if (!ra_pages[ra])
		return;

	/* PG_readahead is PG_reclaim too */
	if (PageWriteback(page))
		return;

	ClearPageReadahead(page);
	ondemand_readahead(ractl, ra, true, req_count);
}
