// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Parts of what the device has as one go away, in all forms. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "buffer.h"
#include "suite.h"

/* Of small pages fewer show the same. */
#define SMALL_SIZE	(HUGE_PAGE / 8)

/* Which pages go, of how many. */
struct form {
	const char *name;
	const char *describe;
	bool (*goes)(size_t page, size_t pages);
};

static bool first_half(size_t page, size_t pages)
{
	return page < pages / 2;
}

static bool second_half(size_t page, size_t pages)
{
	return page >= pages / 2;
}

static bool middle(size_t page, size_t pages)
{
	return page >= pages / 4 && page < 3 * pages / 4;
}

static bool one_page(size_t page, size_t pages)
{
	return page == pages * 2 / 5;
}

static bool all_but_one(size_t page, size_t pages)
{
	return !one_page(page, pages);
}

static bool every_other_64k(size_t page, size_t pages)
{
	(void)pages;
	return page / 16 % 2;
}

static const struct form forms[] = {
	{ "first-half", "the first half", first_half },
	{ "second-half", "the second half", second_half },
	{ "middle", "the middle half", middle },
	{ "one-page", "one page in it", one_page },
	{ "all-but-one", "all pages but one", all_but_one },
	{ "stripes", "every other 64 KiB", every_other_64k },
};

/* What happens to them. */
struct act {
	const char *name;
	const char *describe;
	void (*on)(char *mem, size_t size);
	/* Is there memory afterwards, with zeros in it? */
	bool is_there;
};

static void act_munmap(char *mem, size_t size)
{
	CHECK_SYS(munmap(mem, size));
}

static void map_over(char *mem, size_t size, int flags)
{
	CHECK(mmap(mem, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      mem);
}

static void act_remap(char *mem, size_t size)
{
	CHECK_SYS(munmap(mem, size));
	map_over(mem, size, MAP_PRIVATE);
}

static void act_replace_locked(char *mem, size_t size)
{
	map_over(mem, size, MAP_PRIVATE | MAP_LOCKED);
}

static void act_replace_shared(char *mem, size_t size)
{
	map_over(mem, size, MAP_SHARED);
}

static void act_dontneed(char *mem, size_t size)
{
	CHECK_SYS(madvise(mem, size, MADV_DONTNEED));
}

static void act_move_out(char *mem, size_t size)
{
	void *to = mremap(mem, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			  mem_map(size, 0, MEM_SMALL));

	CHECK(to != MAP_FAILED);
}

static const struct act acts[] = {
	{ "munmap", "is unmapped", act_munmap, false },
	{ "remap", "is unmapped and mapped anew", act_remap, true },
	{ "replace-locked", "is replaced by locked memory", act_replace_locked, true },
	{ "replace-shared", "is replaced by shared memory", act_replace_shared, true },
	{ "dontneed", "is dropped", act_dontneed, true },
	{ "move-out", "moves to another address", act_move_out, false },
};

struct variant {
	const char *name;
	bool populate;
	bool cpu_first;
	enum mem_thp thp;
	unsigned int needs;
};

static const struct variant variants[] = {
	{ "system-device-first", false, false, MEM_SMALL, 0 },
	{ "vram-device-first", true, false, MEM_SMALL, NEED_VRAM },
	{ "vram-cpu-first", true, true, MEM_SMALL, NEED_VRAM },
	{ "huge-vram-device-first", true, false, MEM_HUGE, NEED_VRAM | NEED_THP },
	{ "huge-system-cpu-first", false, true, MEM_HUGE, NEED_THP },
};

struct cell {
	const struct form *form;
	const struct act *act;
	const struct variant *variant;
};

/* for_runs: each run of pages that go, or that stay. */
static void for_runs(const struct buffer *buffer, const struct form *form, bool going,
		     void (*on)(const struct buffer *part, const void *arg), const void *arg)
{
	size_t pages = buffer->size / PAGE;

	for (size_t page = 0, end; page < pages; page = end) {
		bool goes = form->goes(page, pages);
		struct buffer part;

		for (end = page; end < pages && form->goes(end, pages) == goes; end++)
			continue;
		part = buffer_part(buffer, page * PAGE, (end - page) * PAGE);
		if (goes == going)
			on(&part, arg);
	}
}

static void act_on(const struct buffer *part, const void *arg)
{
	const struct act *act = arg;

	act->on(part->mem, part->size);
	if (act->is_there)
		buffer_expect_zeros(part);
}

static void check_gone(const struct buffer *part, const void *arg)
{
	(void)arg;
	buffer_dev_denied(part, 0, MOCKGPU_ACCESS_READ, -EFAULT);
	buffer_dev_denied(part, part->size - 64, MOCKGPU_ACCESS_FILL, -EFAULT);
}

static void check_there(const struct buffer *part, const void *arg)
{
	const struct cell *cell = arg;

	if (cell->variant->cpu_first)
		buffer_check_cpu(part);
	else
		buffer_check_dev(part);
}

static void work_there(const struct buffer *part, const void *arg)
{
	(void)arg;
	buffer_dev_xor(part, 0, part->size, new_value());
	buffer_check(part);
}

static void populate_rest(const struct buffer *part, const void *arg)
{
	(void)arg;
	buffer_populate(part);
}

static void partial(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	size_t size = cell->variant->thp == MEM_HUGE ? HUGE_PAGE : SMALL_SIZE;
	struct buffer buffer = buffer_filled(gpu, size, cell->variant->thp);

	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	if (cell->variant->populate)
		buffer_populate(&buffer);
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	for_runs(&buffer, cell->form, true, act_on, cell->act);
	for_runs(&buffer, cell->form, false, check_there, cell);
	for_runs(&buffer, cell->form, true, cell->act->is_there ? check_there : check_gone, cell);
	for_runs(&buffer, cell->form, false, work_there, NULL);
	if (cell->act->is_there)
		for_runs(&buffer, cell->form, true, work_there, NULL);
	/* What is left can move again. */
	if (cell->variant->populate) {
		for_runs(&buffer, cell->form, false, populate_rest, NULL);
		for_runs(&buffer, cell->form, false, work_there, NULL);
	}
}

static void cells(const void *arg)
{
	struct cell cell = *(const struct cell *)arg;

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		cell.variant = &variants[i];
		dynamic(cell.variant->needs, partial, &cell, "%s", variants[i].name);
	}
}

static void subtests(void)
{
	char describe[200];

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(acts); k++) {
			const struct cell cell = { &forms[i], &acts[k], NULL };

			snprintf(describe, sizeof(describe), "Of a device's range, %s %s",
				 forms[i].describe, acts[k].describe);
			subtest_of(describe, cells, &cell, "%s-%s", acts[k].name, forms[i].name);
		}
	}
}

SUITE("Parts of what the device has as one go away", subtests)
