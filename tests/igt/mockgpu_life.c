// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mappings come, move and go between the device's uses; it follows. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kinds.h"
#include "suite.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP	4
#endif
#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define ROUNDS	4
#define SIZE	(16 * PAGE)

/* Where the memory is when its mapping changes, and who uses it first then. */
struct variant {
	const char *name;
	bool populate;
	bool cpu_first;
	unsigned int needs;
};

static const struct variant variants[] = {
	{ "system-device-first", false, false, 0 },
	{ "system-cpu-first", false, true, 0 },
	{ "vram-device-first", true, false, NEED_VRAM },
	{ "vram-cpu-first", true, true, NEED_VRAM },
};

struct life {
	const char *name;
	const char *describe;
	/* Changes the mapping and says in buffer what must be there now. */
	void (*step)(struct buffer *buffer, const struct kind *kind);
	/* Only for private memory, only for what is no file. */
	bool private_only;
	/* What was there before stays, and is looked at in the end. */
	bool keeps;
	size_t size;
};

struct cell {
	const struct life *life;
	const struct kind *kind;
	const struct variant *variant;
};

static void no_step(struct buffer *buffer, const struct kind *kind)
{
	(void)buffer;
	(void)kind;
}

static void fresh(struct buffer *buffer, const struct kind *kind)
{
	int fd = -1;

	buffer->mem = kind->map(buffer->size, &fd);
	if (fd >= 0)
		close(fd);
	CHECK(buffer->mem != MAP_FAILED);
	buffer_expect_zeros(buffer);
}

/* The next one often gets the same address. */
static void step_new_after_free(struct buffer *buffer, const struct kind *kind)
{
	CHECK_SYS(munmap(buffer->mem, buffer->size));
	fresh(buffer, kind);
}

static void step_new(struct buffer *buffer, const struct kind *kind)
{
	buffer->shadow = mmap(NULL, buffer->size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(buffer->shadow != MAP_FAILED);
	fresh(buffer, kind);
}

static void step_fixed(struct buffer *buffer, const struct kind *kind)
{
	char *mem = buffer->mem;
	void *moved;

	fresh(buffer, kind);
	moved = mremap(buffer->mem, buffer->size, buffer->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		       mem);
	CHECK(moved == mem);
	buffer->mem = mem;
}

static void move(struct buffer *buffer, int flags)
{
	/* Room of which nobody else knows. */
	char *to = mem_map(buffer->size, 0, MEM_SMALL);
	char *mem;

	CHECK(to);
	mem = mremap(buffer->mem, buffer->size, buffer->size, MREMAP_MAYMOVE | MREMAP_FIXED | flags,
		     to);
	if (mem == MAP_FAILED && flags && errno == EINVAL)
		test_skip("the kernel cannot do that with this kind of memory");
	CHECK(mem == to);
	buffer->mem = mem;
}

static void check_gone(const struct buffer *buffer, char *old)
{
	uint64_t word;

	CHECK_RET(gpu_read(buffer->gpu, buffer->vm, old, sizeof(word), &word), -EFAULT);
}

static void step_remap(struct buffer *buffer, const struct kind *kind)
{
	char *old = buffer->mem;

	(void)kind;
	move(buffer, 0);
	check_gone(buffer, old);
}

/* The old mapping stays and is empty: zeros, or what the file has. */
static void step_dontunmap(struct buffer *buffer, const struct kind *kind)
{
	char *old = buffer->mem;
	uint64_t word = 1;

	move(buffer, MREMAP_DONTUNMAP);
	CHECK_OK(gpu_read(buffer->gpu, buffer->vm, old, sizeof(word), &word));
	if (kind->flags & KIND_MOVES)
		CHECK_EQ(word, 0);
	CHECK_SYS(munmap(old, buffer->size));
	check_gone(buffer, old);
}

static void protect(const struct buffer *buffer, int protection)
{
	CHECK_SYS(mprotect(buffer->mem, buffer->size, protection));
}

static void step_remap_readonly(struct buffer *buffer, const struct kind *kind)
{
	protect(buffer, PROT_READ);
	step_remap(buffer, kind);
	buffer_dev_denied(buffer, 0, MOCKGPU_ACCESS_XOR, -EFAULT);
	buffer_check_dev(buffer);
	protect(buffer, PROT_READ | PROT_WRITE);
}

static void step_dontunmap_readonly(struct buffer *buffer, const struct kind *kind)
{
	protect(buffer, PROT_READ);
	step_dontunmap(buffer, kind);
	buffer_dev_denied(buffer, 0, MOCKGPU_ACCESS_FILL, -EFAULT);
	protect(buffer, PROT_READ | PROT_WRITE);
}

/* Away and back, before the device looks: its page table knows the address. */
static void step_remap_back(struct buffer *buffer, const struct kind *kind)
{
	char *first = buffer->mem;

	(void)kind;
	move(buffer, 0);
	CHECK(mremap(buffer->mem, buffer->size, buffer->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     first) == first);
	buffer->mem = first;
}

/* It grows at its end and shrinks again. */
static void step_grow(struct buffer *buffer, const struct kind *kind)
{
	char *mem = mremap(buffer->mem, buffer->size, 2 * buffer->size, MREMAP_MAYMOVE);
	uint64_t word = 1;

	CHECK(mem != MAP_FAILED);
	if (kind->flags & KIND_MOVES) {
		CHECK_OK(gpu_read(buffer->gpu, buffer->vm, mem + buffer->size, 8, &word));
		CHECK_EQ(word, 0);
	}
	CHECK(mremap(mem, 2 * buffer->size, buffer->size, 0) == mem);
	check_gone(buffer, mem + buffer->size);
	buffer->mem = mem;
}

static void advise(const struct buffer *buffer, int advice)
{
	if (!madvise(buffer->mem, buffer->size, advice))
		return;
	if (errno == EINVAL)
		test_skip("the kernel does not know this advice for this kind of memory");
	FAIL("madvise %d: %s", advice, errno_name(errno));
}

static void step_dontneed(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	advise(buffer, MADV_DONTNEED);
	buffer_expect_zeros(buffer);
}

/* What was freed may stay, too, until it is written: look page by page. */
static void step_free(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	advise(buffer, MADV_FREE);
	for (size_t at = 0; at < buffer->size; at += PAGE) {
		char page[PAGE];

		CHECK_OK(gpu_read(buffer->gpu, buffer->vm, buffer->mem + at, PAGE, page));
		for (size_t i = 0; i < PAGE; i++)
			CHECK(!page[i] || page[i] == buffer->shadow[at + i]);
	}
	buffer_cpu_write(buffer);
}

static void step_pageout(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	advise(buffer, MADV_PAGEOUT);
}

static void step_cold(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	advise(buffer, MADV_COLD);
}

static void step_populate_write(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	advise(buffer, MADV_POPULATE_WRITE);
}

static void step_collapse(struct buffer *buffer, const struct kind *kind)
{
	int ret = madvise(buffer->mem, buffer->size, MADV_COLLAPSE);

	(void)kind;
	if (ret && errno == EINVAL && buffer->size >= HUGE_PAGE &&
	    access("/sys/kernel/mm/transparent_hugepage/khugepaged", F_OK))
		test_skip("the kernel has no transparent huge pages");
	/* It need not come about: what is in VRAM cannot be put together. */
}

static void step_lock(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	CHECK_SYS(mlock(buffer->mem, buffer->size));
	buffer_check_cpu(buffer);
	CHECK_SYS(munlock(buffer->mem, buffer->size));
}

static void step_nohugepage(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	advise(buffer, MADV_NOHUGEPAGE);
	buffer_check_dev(buffer);
	advise(buffer, MADV_HUGEPAGE);
}

static void step_sync(struct buffer *buffer, const struct kind *kind)
{
	(void)kind;
	CHECK_SYS(msync(buffer->mem, buffer->size, MS_SYNC | MS_INVALIDATE));
}

static const struct life lives[] = {
	{ "stay", "nothing happens to it", no_step, false, false, SIZE },
	{ "free", "unmapped, and new memory mapped", step_new_after_free, false, false, SIZE },
	{ "free-large", "as free, 2 MiB", step_new_after_free, false, false, HUGE_PAGE },
	{ "new", "new memory, the old one stays", step_new, false, true, SIZE },
	{ "fixed", "other memory moves to its address", step_fixed, false, false, SIZE },
	{ "remap", "it moves to another address", step_remap, false, false, SIZE },
	{ "remap-large", "as remap, 2 MiB", step_remap, false, false, HUGE_PAGE },
	{ "remap-dontunmap", "it moves, its old mapping stays", step_dontunmap, false, false,
	  SIZE },
	{ "remap-ro", "it moves while it is read-only", step_remap_readonly, false, false, SIZE },
	{ "remap-ro-dontunmap", "the same, the old mapping stays", step_dontunmap_readonly, false,
	  false, SIZE },
	{ "remap-back", "it moves away and back", step_remap_back, false, false, SIZE },
	{ "grow", "its mapping grows and shrinks", step_grow, true, false, SIZE },
	{ "dontneed", "its pages are dropped", step_dontneed, true, false, SIZE },
	{ "dontneed-large", "as dontneed, 2 MiB", step_dontneed, true, false, HUGE_PAGE },
	{ "madv-free", "its pages may be dropped", step_free, true, false, SIZE },
	{ "pageout", "the kernel is to swap it out", step_pageout, false, false, SIZE },
	{ "cold", "the kernel is told that it is not needed soon", step_cold, false, false, SIZE },
	{ "populate-write", "the kernel is to fill it", step_populate_write, false, false, SIZE },
	{ "collapse", "the kernel is to make huge pages of it", step_collapse, true, false,
	  2 * HUGE_PAGE },
	{ "mlock", "it is locked and unlocked", step_lock, false, false, SIZE },
	{ "nohugepage", "it is not to be in huge pages", step_nohugepage, true, false, HUGE_PAGE },
	{ "msync", "it is synced", step_sync, false, false, SIZE },
};

static const char *const memories[] = { "mmap", "thp", "mmap-shared", "file-private" };

static bool is_private(const struct kind *kind)
{
	return kind->flags & KIND_MOVES;
}

/* The pages of a private file that the process wrote to may move, others not. */
static void place(const struct buffer *buffer, const struct cell *cell)
{
	if (!cell->variant->populate)
		return;
	if (is_private(cell->kind))
		buffer_populate(buffer);
	else
		CHECK_RET(buffer_try_populate(buffer), -EBUSY);
}

static void use(const struct buffer *buffer, bool cpu_first)
{
	if (cpu_first)
		buffer_check_cpu(buffer);
	else
		buffer_check_dev(buffer);
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
	buffer_cpu_touch(buffer);
	buffer_check(buffer);
}

static void live(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	unsigned int rounds = cell->life->size > SIZE ? 2 : ROUNDS;
	struct buffer all[ROUNDS + 1];

	all[0] = kind_buffer(cell->kind, gpu, cell->life->size, NULL);
	for (unsigned int round = 0; round < rounds; round++) {
		struct buffer *buffer = &all[round + 1];

		*buffer = all[round];
		use(buffer, cell->variant->cpu_first);
		place(buffer, cell);
		buffer_dev_xor(buffer, 0, buffer->size, new_value());
		cell->life->step(buffer, cell->kind);
		use(buffer, cell->variant->cpu_first);
	}
	for (unsigned int round = 0; cell->life->keeps && round <= rounds; round++)
		buffer_check(&all[round]);
}

static void cells(const void *arg)
{
	struct cell cell = *(const struct cell *)arg;

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		cell.variant = &variants[i];
		if (cell.variant->populate && !is_private(cell.kind) && cell.variant->cpu_first)
			continue;
		dynamic(cell.kind->needs | cell.variant->needs, live, &cell, "%s",
			cell.variant->name);
	}
}

static void subtests(void)
{
	char describe[200];

	for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(memories); k++) {
			const struct cell cell = { &lives[i], kind_find(memories[k]), NULL };

			if (lives[i].private_only && !is_private(cell.kind))
				continue;
			snprintf(describe, sizeof(describe), "Between uses: %s; %s",
				 lives[i].describe, cell.kind->describe);
			subtest_of(describe, cells, &cell, "%s-%s", cell.kind->name,
				   lives[i].name);
		}
	}
}

SUITE("What a process does to its mappings between the device's uses of them", subtests)
