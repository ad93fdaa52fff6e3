// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <unistd.h>

#include "kinds.h"
#include "knob.h"

static void *map_flags(size_t size, int flags, int fd)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
}

static void *map_malloc(size_t size, int *fd)
{
	char *mem = malloc(size);

	(void)fd;
	CHECK(mem);
	return memset(mem, 0, size);
}

static void *map_calloc(size_t size, int *fd)
{
	(void)fd;
	return calloc(1, size);
}

static void *map_private(size_t size, int *fd)
{
	(void)fd;
	return map_flags(size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void *map_locked(size_t size, int *fd)
{
	void *mem = map_private(size, fd);
	struct rlimit limit;

	CHECK_SYS(getrlimit(RLIMIT_MEMLOCK, &limit));
	if (geteuid() && limit.rlim_cur < size)
		test_skip("may not lock so much memory");
	CHECK_SYS(mlock(mem, size));
	return mem;
}

static void *map_prefaulted(size_t size, int *fd)
{
	(void)fd;
	return map_flags(size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
}

static void *map_shared(size_t size, int *fd)
{
	(void)fd;
	return map_flags(size, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static void *map_memfd(size_t size, int *fd)
{
	*fd = memfd_create("test", MFD_CLOEXEC);
	CHECK_SYS(*fd);
	CHECK_SYS(ftruncate(*fd, size));
	return map_flags(size, MAP_SHARED, *fd);
}

static void *map_sysv(size_t size, int *fd)
{
	int id = shmget(IPC_PRIVATE, size, IPC_CREAT | 0600);
	void *mem;

	(void)fd;
	CHECK_SYS(id);
	mem = shmat(id, NULL, 0);
	CHECK_SYS(shmctl(id, IPC_RMID, NULL));
	CHECK(mem != (void *)-1);
	return mem;
}

int file_temporary(size_t size)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	CHECK_SYS(fd);
	CHECK_SYS(ftruncate(fd, size));
	return fd;
}

static void *map_file_shared(size_t size, int *fd)
{
	*fd = file_temporary(size);
	return map_flags(size, MAP_SHARED, *fd);
}

static void *map_file_private(size_t size, int *fd)
{
	(void)fd;
	return map_flags(size, MAP_PRIVATE, file_temporary(size));
}

static void *map_thp(size_t size, int *fd)
{
	(void)fd;
	return mem_map(size, 0, MEM_HUGE);
}

#define HUGETLB_COUNT	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

/* What is mapped stays reserved when the number goes back to what it was. */
static void *map_hugetlb_flags(size_t size, int flags)
{
	size_t pages = (size + HUGE_PAGE - 1) / HUGE_PAGE;
	char before[32], more[32];
	void *mem;

	file_line(HUGETLB_COUNT, before, sizeof(before));
	snprintf(more, sizeof(more), "%zu", strtoul(before, NULL, 0) + pages);
	file_write(HUGETLB_COUNT, more);
	mem = map_flags(pages * HUGE_PAGE, flags | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	file_write(HUGETLB_COUNT, before);
	if (mem == MAP_FAILED)
		test_skip("needs %zu free huge pages in hugetlbfs", pages);
	return mem;
}

static void *map_hugetlb(size_t size, int *fd)
{
	(void)fd;
	return map_hugetlb_flags(size, MAP_PRIVATE);
}

static void *map_hugetlb_shared(size_t size, int *fd)
{
	(void)fd;
	return map_hugetlb_flags(size, MAP_SHARED);
}

/*
 * The main thread's stack would grow over whatever is below it; this one has the
 * flags of a stack that grows and room for it.
 */
static void *map_stack(size_t size, int *fd)
{
	size_t room = size + 64 * KIB;
	char *mem;

	(void)fd;
	mem = map_flags(room, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK |
			MAP_NORESERVE, -1);
	CHECK(mem != MAP_FAILED);
	return mem + 64 * KIB;
}

/* Each thread of a program that has it pays for it: see thread_local.c. */
__attribute__((weak)) void *map_thread_local(size_t size, int *fd)
{
	(void)size;
	(void)fd;
	FAIL("this program was linked without thread_local.o");
}

static void *map_brk(size_t size, int *fd)
{
	void *mem = sbrk(size);

	(void)fd;
	CHECK(mem != (void *)-1);
	return mem;
}

static void *map_bss(size_t size, int *fd)
{
	static char mem[KIND_STATIC_SIZE] __attribute__((aligned(8)));

	(void)fd;
	CHECK(size <= sizeof(mem));
	return mem;
}

/* Read and never written: the page of zeros, or the huge one. */
static void *map_zero_page(size_t size, int *fd)
{
	volatile char *mem = map_private(size, fd);

	for (size_t at = 0; at < size; at += PAGE)
		CHECK(!mem[at]);
	return (void *)mem;
}

static void *map_mergeable(size_t size, int *fd)
{
	void *mem = map_private(size, fd);

	if (madvise(mem, size, MADV_MERGEABLE))
		test_skip("the kernel does not merge pages");
	return mem;
}

/* A second mapping of what is mapped elsewhere, too. */
static void *map_alias(size_t size, int *fd)
{
	void *first = map_memfd(size, fd);
	void *second = map_flags(size, MAP_SHARED, *fd);

	CHECK(first != MAP_FAILED);
	memset(first, 0, size);
	return second;
}

const struct kind kinds[] = {
	{ "malloc", "what malloc() gives, which begins somewhere in a page",
	  KIND_MOVES, 0, map_malloc },
	{ "malloc-nomemset", "what calloc() gives, never touched by the CPU",
	  KIND_MOVES | KIND_UNTOUCHED, 0, map_calloc },
	{ "mmap", "a private mapping of nothing", KIND_MOVES, 0, map_private },
	{ "mmap-nomemset", "a private mapping never touched by the CPU",
	  KIND_MOVES | KIND_UNTOUCHED, 0, map_private },
	{ "mmap-mlock", "memory that may not be swapped out", KIND_MOVES, 0, map_locked },
	{ "mmap-populate", "a private mapping that the kernel filled at once",
	  KIND_MOVES | KIND_UNTOUCHED, 0, map_prefaulted },
	{ "mmap-zero", "pages that were read but not written",
	  KIND_MOVES | KIND_UNTOUCHED, 0, map_zero_page },
	{ "mmap-mergeable", "memory whose pages may be merged (KSM)", 0, 0, map_mergeable },
	{ "mmap-shared", "a shared mapping of nothing", 0, 0, map_shared },
	{ "memfd", "a shared mapping of a memfd", KIND_FILE, 0, map_memfd },
	{ "memfd-alias", "a memfd that is mapped twice", KIND_FILE, 0, map_alias },
	{ "shm", "System V shared memory", 0, 0, map_sysv },
	{ "file-shared", "a shared mapping of a file", KIND_FILE, 0, map_file_shared },
	{ "file-private", "a private mapping of a file", 0, 0, map_file_private },
	{ "thp", "memory in huge pages", KIND_MOVES, NEED_THP, map_thp },
	{ "thp-nomemset", "memory for huge pages never touched by the CPU",
	  KIND_MOVES | KIND_UNTOUCHED, NEED_THP, map_thp },
	{ "hugetlb", "private huge pages of hugetlbfs", 0, 0, map_hugetlb },
	{ "hugetlb-shared", "shared huge pages of hugetlbfs", 0, 0, map_hugetlb_shared },
	{ "stack", "a mapping that grows as a stack does", KIND_MOVES, 0, map_stack },
	{ "thread-local", "variables of a thread", KIND_MOVES, 0, map_thread_local },
	{ "brk", "what sbrk() gives", KIND_MOVES, 0, map_brk },
	{ "bss", "variables of the program", KIND_MOVES, 0, map_bss },
};

const unsigned int kind_count = ARRAY_SIZE(kinds);

const struct kind *kind_find(const char *name)
{
	for (unsigned int i = 0; i < kind_count; i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

struct buffer kind_buffer(const struct kind *kind, const struct gpu *gpu, size_t size, int *fd)
{
	int unused = -1;
	struct buffer buffer;

	buffer = buffer_at(gpu, kind->map(size, fd ? fd : &unused), size);
	if (!(kind->flags & KIND_UNTOUCHED))
		buffer_cpu_write(&buffer);
	return buffer;
}
