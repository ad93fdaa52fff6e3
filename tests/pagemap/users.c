// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Others use memory that is on its way between RAM and VRAM: parts of the kernel
 * that take pages, share, mark or move them, and other processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "common.h"
#include "queue.h"
#include "swap.h"

#define FLIP		0x5772156649015328ULL
#define PAGES		512
#define HALF_WORDS	(PAGE / 16)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/*
 * The first half of each page belongs to one thread, which counts in it by CPU
 * and device and knows what must be there. The second half never changes: that
 * is what the other user looks at.
 */
struct stage {
	struct area area;
	atomic_bool stop;
	uint64_t counts[PAGES];
	atomic_ulong moves, steps;
	/* How often what needs luck has worked. */
	unsigned long lucky;
	/* Pages that ever moved to a device, of anybody. */
	uint64_t moved_before;
};

static uint64_t *page_words(const struct stage *stage, size_t page)
{
	return (uint64_t *)(stage->area.mem + page * PAGE);
}

static uint64_t still_word(size_t page, size_t i)
{
	return pattern_word(page + 1000, i);
}

static void still_fill(struct stage *stage)
{
	for (size_t page = 0; page < PAGES; page++)
		for (size_t i = HALF_WORDS; i < PAGE / 8; i++)
			page_words(stage, page)[i] = still_word(page, i);
}

/* @half is what somebody read of the second half of a page. */
static void still_check(const uint64_t *half, size_t page, const char *who)
{
	for (size_t i = 0; i < HALF_WORDS; i++)
		if (((const volatile uint64_t *)half)[i] != still_word(page, HALF_WORDS + i))
			FAIL("%s: page %zu, word %zu: got %#llx", who, page, HALF_WORDS + i,
			     (unsigned long long)half[i]);
}

static void count_by_cpu(struct stage *stage, size_t page)
{
	volatile uint64_t *words = page_words(stage, page);

	for (size_t i = 0; i < HALF_WORDS; i += 32) {
		CHECK_EQ(words[i], stage->counts[page]);
		words[i] = stage->counts[page] + 1;
	}
	stage->counts[page]++;
}

/* While the page keeps moving the device may give up before it did anything. */
static void count_by_device(struct stage *stage, size_t page)
{
	const struct area *area = &stage->area;
	uint64_t next = stage->counts[page] + 1;
	struct drm_mockgpu_access access = {
		.vm_id = area->vm, .op = MOCKGPU_ACCESS_FILL, .value = next,
		.addr = (uintptr_t)page_words(stage, page), .size = PAGE / 2,
	};
	int ret = gpu_access(area->gpu, &access);

	CHECK(!ret || ret == -EBUSY);
	CHECK_EQ(access.done, ret ? 0 : PAGE / 2);
	if (!ret)
		stage->counts[page] = next;
}

static void *count_and_move(void *arg)
{
	struct stage *stage = arg;
	const struct area *area = &stage->area;
	uint64_t state = 7;
	int ret;

	while (!atomic_load(&stage->stop)) {
		size_t page = random_next(&state) % PAGES;

		switch (random_next(&state) % 16) {
		case 0:
			ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);
			CHECK(!ret || ret == -EBUSY);
			stage->moves += !ret;
			break;
		case 1:
			ret = gpu_evict_vm(area->gpu, area->vm);
			CHECK(!ret || ret == -EBUSY);
			break;
		case 2 ... 8:
			count_by_device(stage, page);
			break;
		default:
			count_by_cpu(stage, page);
		}
		stage->steps++;
	}
	return NULL;
}

static void stage_check(struct stage *stage)
{
	for (size_t page = 0; page < PAGES; page++) {
		still_check(page_words(stage, page) + HALF_WORDS, page, "at the end");
		for (size_t i = 0; i < HALF_WORDS; i += 32)
			CHECK_EQ(page_words(stage, page)[i], stage->counts[page]);
	}
}

/* A migration that leaves some pages behind has moved others. */
static uint64_t pages_moved(const struct stage *stage)
{
	return counter(stage->area.gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE) - stage->moved_before;
}

static bool enough(const struct stage *stage, unsigned long lucky)
{
	return stage->lucky >= lucky && pages_moved(stage);
}

/*
 * Lets @use happen over and over while the memory is counted in and moved, at least once
 * each, and until @use has been @lucky so often.
 */
static void with_lucky_user(struct gpu *gpu, enum mem_thp thp, void (*use)(struct stage *stage),
			    unsigned long lucky)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	double deadline = seconds_now() + brief_seconds();
	unsigned long uses = 0;
	struct crew crew;

	CHECK(stage);
	stage->area = area_new(gpu, PAGES * PAGE, 0, thp);
	still_fill(stage);
	stage->moved_before = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE);
	crew_start(&crew, 1, count_and_move, stage);
	for (; seconds_now() < deadline || !enough(stage, lucky); uses++) {
		check_bound("one migration and one use", deadline);
		use(stage);
	}
	atomic_store(&stage->stop, true);
	crew_join(&crew);
	printf("# used %lu times, %lu steps, moved %lu times, %llu pages\n", uses, stage->steps,
	       stage->moves, (unsigned long long)pages_moved(stage));
	stage_check(stage);
	free(stage);
}

static void with_user(struct gpu *gpu, enum mem_thp thp, void (*use)(struct stage *stage))
{
	with_lucky_user(gpu, thp, use, 0);
}

static void use_lock(struct stage *stage)
{
	CHECK_SYS(mlock(stage->area.mem, stage->area.size));
	CHECK_SYS(munlock(stage->area.mem, stage->area.size));
}

static void locking(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_lock);
}

/* Pages with the same contents are made one; writing takes them apart. */
static void use_merge(struct stage *stage)
{
	CHECK_SYS(madvise(stage->area.mem, stage->area.size, MADV_MERGEABLE));
	sleep_ms(50);
	CHECK_SYS(madvise(stage->area.mem, stage->area.size, MADV_UNMERGEABLE));
}

static void merge_pages(void)
{
	if (file_write("/sys/kernel/mm/ksm/pages_to_scan", "10000") ||
	    file_write("/sys/kernel/mm/ksm/sleep_millisecs", "1") ||
	    file_write("/sys/kernel/mm/ksm/run", "1"))
		test_skip("the kernel does not merge pages");
}

static void merging(struct gpu *gpu)
{
	merge_pages();
	with_user(gpu, MEM_SMALL, use_merge);
	file_write("/sys/kernel/mm/ksm/run", "2");
}

/* Pages that may be merged stay where they are, those that are in VRAM as well. */
static void check_mergeable_stays(const struct area *area)
{
	uint64_t in_vram = area_pages(area, MOCKGPU_PAGE_DEVICE);

	CHECK_RET(gpu_populate(area->gpu, area->vm, area->mem, area->size), -EBUSY);
	CHECK_EQ(area_pages(area, MOCKGPU_PAGE_DEVICE), in_vram);
}

static void wait_for_merged(size_t pages)
{
	double begin = seconds_now();
	char line[32];

	while (strtoul(file_line("/sys/kernel/mm/ksm/pages_sharing", line, sizeof(line)), NULL, 0) <
	       pages) {
		check_bound("to merge pages", begin);
		sleep_ms(10);
	}
}

/* All pages alike, merged, and then one after the other not alike any more. */
static void merged(struct gpu *gpu)
{
	struct area area = area_new(gpu, MIB, 0, MEM_SMALL);
	struct mismatch bad;

	merge_pages();
	for (size_t i = 0; i < area.size / 8; i++)
		((uint64_t *)area.mem)[i] = FLIP;
	CHECK_SYS(madvise(area.mem, area.size, MADV_MERGEABLE));
	wait_for_merged(area.size / PAGE / 2);
	check_mergeable_stays(&area);
	CHECK_OK(gpu_xor(gpu, area.vm, area.mem + MIB / 2, MIB / 2, 1));
	CHECK_DATA(words_are(area.mem, MIB / 2, FLIP, &bad), bad);
	CHECK_DATA(words_are(area.mem + MIB / 2, MIB / 2, FLIP ^ 1, &bad), bad);
	CHECK_SYS(madvise(area.mem, area.size, MADV_UNMERGEABLE));
	CHECK_OK(gpu_populate(gpu, area.vm, area.mem, area.size));
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), area.size / PAGE);
	CHECK_OK(gpu_xor(gpu, area.vm, area.mem, MIB / 2, 1));
	CHECK_DATA(words_are(area.mem, MIB, FLIP ^ 1, &bad), bad);
	CHECK_OK(file_write("/sys/kernel/mm/ksm/run", "2"));
}

/* ksmd merges and looks for pages the whole time, while somebody wants them to move. */
static void merged_twins(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL), twin = area;
	double end = seconds_now() + brief_seconds();

	twin.mem = mem_map(twin.size, 0, MEM_SMALL);
	CHECK(twin.mem);
	merge_pages();
	pattern_fill(twin.mem, twin.size, twin.seed);
	CHECK_SYS(madvise(area.mem, area.size, MADV_MERGEABLE));
	CHECK_SYS(madvise(twin.mem, twin.size, MADV_MERGEABLE));
	do {
		check_mergeable_stays(&area);
		sleep_ms(1);
	} while (seconds_now() < end);
	wait_for_merged(area.size / PAGE / 2);
	check_mergeable_stays(&area);
	CHECK_SYS(madvise(area.mem, area.size, MADV_UNMERGEABLE));
	area_populate(&area);
	area_check_device(&area);
	area_device_flip(&area, FLIP);
	area_check_cpu(&twin);
	area_check_cpu(&area);
	CHECK_OK(file_write("/sys/kernel/mm/ksm/run", "2"));
}

/* What came before it was allowed to be merged stays in VRAM, and so do new pages. */
static void mergeable_later(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);

	merge_pages();
	area_populate(&area);
	CHECK_SYS(madvise(area.mem, area.size, MADV_MERGEABLE));
	CHECK_OK(gpu_populate(gpu, area.vm, area.mem, area.size));
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	area_check_device(&area);
	CHECK_SYS(madvise(area.mem, area.size, MADV_DONTNEED));
	area.seed = 0;
	CHECK_OK(gpu_populate(gpu, area.vm, area.mem, area.size));
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	for (size_t i = 0; i < area.size; i++)
		CHECK(!area.mem[i]);
	check_mergeable_stays(&area);
	CHECK_OK(file_write("/sys/kernel/mm/ksm/run", "2"));
}

#define SOFT_DIRTY	(1ULL << 55)

static bool is_soft_dirty(const char *mem)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	CHECK_SYS(fd);
	CHECK_EQ(pread(fd, &entry, 8, (uintptr_t)mem / PAGE * 8), 8);
	close(fd);
	return entry & SOFT_DIRTY;
}

static void need_soft_dirty(void)
{
	char *mem = mem_map(PAGE, 0, MEM_SMALL);
	bool before;

	CHECK(mem);
	mem[0] = 1;
	CHECK_OK(file_write("/proc/self/clear_refs", "4"));
	before = is_soft_dirty(mem);
	mem[0] = 2;
	if (before || !is_soft_dirty(mem))
		test_skip("the kernel has no CONFIG_MEM_SOFT_DIRTY");
	CHECK_SYS(munmap(mem, PAGE));
}

/* What is written to may be told too often, within the @piece that is mapped at once. */
static void check_soft_dirty(const struct area *area, const bool *written, size_t piece)
{
	unsigned int more = 0;

	for (size_t at = 0; at < area->size; at += PAGE) {
		bool told = is_soft_dirty(area->mem + at), near = false;

		for (size_t i = at / piece * piece; i < (at / piece + 1) * piece; i += PAGE)
			near |= written[i / PAGE];
		if (written[at / PAGE] && !told)
			FAIL("page %zu was written, which nobody is told", at / PAGE);
		if (!near && told)
			FAIL("page %zu was not written, but is told to be", at / PAGE);
		more += told && !written[at / PAGE];
	}
	printf("# %u pages are told beside those that were written\n", more);
}

/* Once after the other by the device, which had them all mapped, and by the CPU. */
static void soft_dirty_by_device(const struct area *area)
{
	bool written[4 * HUGE_PAGE / PAGE] = { };

	for (int round = 0; round < 3; round++) {
		CHECK_OK(gpu_xor(area->gpu, area->vm, area->mem, area->size, FLIP));
		CHECK_OK(file_write("/proc/self/clear_refs", "4"));
		memset(written, 0, sizeof(written));
		/* Reading is not writing. */
		check_soft_dirty(area, written, PAGE);
		for (size_t page = 3 + round; page < area->size / PAGE; page += 700) {
			CHECK_OK(gpu_xor(area->gpu, area->vm, area->mem + page * PAGE, 8, 1));
			written[page] = true;
		}
		check_soft_dirty(area, written, HUGE_PAGE);
	}
}

static void soft_dirty_told(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 4 * HUGE_PAGE, 0, MEM_SMALL);

	need_soft_dirty();
	soft_dirty_by_device(&area);
	if (gpu->tier != MOCKGPU_TIER_COHERENT)
		return;
	area_populate(&area);
	soft_dirty_by_device(&area);
}

static void use_soft_dirty(struct stage *stage)
{
	uint64_t entry;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	CHECK_SYS(fd);
	CHECK_OK(file_write("/proc/self/clear_refs", "4"));
	for (size_t page = 0; page < PAGES; page++)
		CHECK_EQ(pread(fd, &entry, 8, ((uintptr_t)stage->area.mem / PAGE + page) * 8), 8);
	close(fd);
}

static void soft_dirty(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_soft_dirty);
}

static void use_referenced(struct stage *stage)
{
	(void)stage;
	CHECK_OK(file_write("/proc/self/clear_refs", "1"));
	sleep_ms(1);
}

static void referenced(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_referenced);
}

static void use_vm_read(struct stage *stage)
{
	uint64_t half[HALF_WORDS];

	for (size_t page = 0; page < PAGES; page += 5) {
		struct iovec local = { half, sizeof(half) };
		struct iovec remote = { page_words(stage, page) + HALF_WORDS, sizeof(half) };

		CHECK_EQ(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), PAGE / 2);
		still_check(half, page, "process_vm_readv");
		CHECK_EQ(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), PAGE / 2);
	}
}

static void vm_read(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_vm_read);
}

static void use_proc_mem(struct stage *stage)
{
	int fd = open("/proc/self/mem", O_RDWR);
	uint64_t half[HALF_WORDS];

	CHECK_SYS(fd);
	for (size_t page = 0; page < PAGES; page += 5) {
		off_t at = (uintptr_t)(page_words(stage, page) + HALF_WORDS);

		CHECK_EQ(pread(fd, half, sizeof(half), at), PAGE / 2);
		still_check(half, page, "/proc/self/mem");
		CHECK_EQ(pwrite(fd, half, sizeof(half), at), PAGE / 2);
	}
	close(fd);
}

static void proc_mem(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_proc_mem);
}

/* A program is looked at by a debugger. It stops by itself now and then. */
static void be_traced(void *arg)
{
	struct area area = *(struct area *)arg;
	volatile uint64_t *words = (uint64_t *)area.mem;

	area.vm = vm_new(area.gpu);
	area_fill(&area);
	CHECK_SYS(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	for (uint64_t i = 0; i < 20; i++) {
		words[0] = i;
		area_populate(&area);
		raise(SIGSTOP);
		CHECK_EQ(words[1], i);
		words[0] = pattern_word(area.seed, 0);
		words[1] = pattern_word(area.seed, 1);
		area_check_cpu(&area);
	}
}

/* It reads the first word, in VRAM, and writes it to the second one. */
static void traced(struct gpu *gpu)
{
	struct area area = area_new(gpu, 16 * PAGE, 0, MEM_SMALL);
	pid_t pid = test_fork(be_traced, &area);
	unsigned int stops = 0;
	int status;

	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		long word = ptrace(PTRACE_PEEKDATA, pid, area.mem, NULL);

		CHECK_EQ(word, stops++);
		CHECK_SYS(ptrace(PTRACE_POKEDATA, pid, area.mem + 8, word));
		CHECK_SYS(ptrace(PTRACE_CONT, pid, NULL, NULL));
	}
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status));
	CHECK_EQ(stops, 20);
}

/* Pages go into a pipe as they are, and are compared when they come out. */
static void use_pipe(struct stage *stage)
{
	struct pins pins = pins_new();
	uint64_t half[HALF_WORDS];

	for (size_t page = 0; page < PAGES; page += 9) {
		struct iovec piece = { page_words(stage, page) + HALF_WORDS, sizeof(half) };

		CHECK_EQ(vmsplice(pins.fds[1], &piece, 1, 0), PAGE / 2);
		if (page % 2)
			sleep_ms(1);
		CHECK_EQ(read(pins.fds[0], half, sizeof(half)), PAGE / 2);
		still_check(half, page, "pipe");
	}
	pins_drop(&pins);
}

static void piped(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_pipe);
}

static int direct_file(size_t size)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT, 0600);

	if (fd < 0)
		test_skip("the file system of /var/tmp has no direct I/O");
	CHECK_SYS(ftruncate(fd, size));
	return fd;
}

/* The disk reads the pages themselves; later the file has what was in them. */
static void use_direct_io(struct stage *stage)
{
	int fd = direct_file(PAGES * PAGE);
	uint64_t *copy = aligned_alloc(PAGE, PAGES * PAGE);

	CHECK(copy);
	CHECK_EQ(pwrite(fd, stage->area.mem, PAGES * PAGE, 0), (long long)(PAGES * PAGE));
	CHECK_EQ(pread(fd, copy, PAGES * PAGE, 0), (long long)(PAGES * PAGE));
	for (size_t page = 0; page < PAGES; page++)
		still_check(copy + page * (PAGE / 8) + HALF_WORDS, page, "direct I/O");
	free(copy);
	close(fd);
}

static void direct_io(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_direct_io);
}

/* Small pages are made into a huge one while they come and go: not with some in VRAM. */
static void use_collapse(struct stage *stage)
{
	stage->lucky += !madvise(stage->area.mem, stage->area.size, MADV_COLLAPSE);
	sleep_ms(2);
}

static bool can_collapse(void)
{
	char *mem = mem_map(HUGE_PAGE, 0, MEM_HUGE);

	CHECK(mem);
	memset(mem, 1, HUGE_PAGE);
	return !madvise(mem, HUGE_PAGE, MADV_COLLAPSE) && !munmap(mem, HUGE_PAGE);
}

static void collapsed(struct gpu *gpu)
{
	if (!can_collapse())
		test_skip("the kernel does not make huge pages when asked to");
	with_lucky_user(gpu, MEM_HUGE, use_collapse, 1);
}

static void use_compaction(struct stage *stage)
{
	(void)stage;
	CHECK_OK(file_write("/proc/sys/vm/compact_memory", "1"));
}

static void compacted(struct gpu *gpu)
{
	if (access("/proc/sys/vm/compact_memory", W_OK))
		test_skip("the kernel does not compact memory");
	with_user(gpu, MEM_SMALL, use_compaction);
}

static void use_caches(struct stage *stage)
{
	(void)stage;
	CHECK_OK(file_write("/proc/sys/vm/drop_caches", "3"));
	sleep_ms(5);
}

static void caches_dropped(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_caches);
}

/* A thread of the program that waits for a word to change. */
static void use_futex(struct stage *stage)
{
	struct timespec moment = { .tv_nsec = 1000000 };
	uint32_t *word = (uint32_t *)(page_words(stage, 3) + HALF_WORDS);

	CHECK_EQ(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, *word, &moment, NULL, 0), -1);
	CHECK(errno == ETIMEDOUT || errno == EAGAIN || errno == EINTR);
	CHECK(syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
	CHECK(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) >= 0);
}

static void waited_for(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_futex);
}

/* A child looks at its copy. */
static void look_in_child(void *arg)
{
	struct stage *stage = arg;

	for (size_t page = 0; page < PAGES; page++)
		still_check(page_words(stage, page) + HALF_WORDS, page, "child");
}

static void use_fork(struct stage *stage)
{
	test_join(test_fork(look_in_child, stage));
}

static void forked(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_fork);
}

static void use_protection(struct stage *stage)
{
	size_t size = stage->area.size;

	/* Rights that are no more than needed, as a page table walk of its own. */
	CHECK_SYS(mprotect(stage->area.mem, size, PROT_READ | PROT_WRITE | PROT_EXEC));
	CHECK_SYS(mprotect(stage->area.mem, size, PROT_READ | PROT_WRITE));
}

static void protected(struct gpu *gpu)
{
	with_user(gpu, MEM_SMALL, use_protection);
}

/*
 * Writes to a disk are on their way from pages whose mapping goes away: the
 * last reference on a page is dropped when the disk is done with it.
 */
struct aio {
	aio_context_t context;
	struct iocb jobs[16];
	int fd;
};

static void aio_start(struct aio *aio, char *mem)
{
	size_t piece = MIB / ARRAY_SIZE(aio->jobs);

	for (size_t i = 0; i < ARRAY_SIZE(aio->jobs); i++) {
		struct iocb *job = &aio->jobs[i];

		*job = (struct iocb){
			.aio_fildes = aio->fd, .aio_lio_opcode = IOCB_CMD_PWRITE,
			.aio_buf = (uintptr_t)(mem + i * piece), .aio_nbytes = piece,
			.aio_offset = i * piece,
		};
		CHECK_EQ(syscall(SYS_io_submit, aio->context, 1, &job), 1);
	}
}

static void aio_finish(struct aio *aio)
{
	struct io_event events[ARRAY_SIZE(aio->jobs)];
	long count = ARRAY_SIZE(events);

	CHECK_EQ(syscall(SYS_io_getevents, aio->context, count, count, events, NULL), count);
	for (long i = 0; i < count; i++)
		CHECK_EQ(events[i].res, MIB / ARRAY_SIZE(aio->jobs));
}

static void unmapped_while_written(struct gpu *gpu)
{
	struct aio aio = { .fd = direct_file(MIB) };
	char *copy = aligned_alloc(PAGE, MIB);
	double deadline = seconds_now() + 2 * brief_seconds();
	unsigned int rounds = 0;
	struct mismatch bad;

	CHECK(copy);
	CHECK_SYS(syscall(SYS_io_setup, ARRAY_SIZE(aio.jobs), &aio.context));
	for (; seconds_now() < deadline; rounds++) {
		struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);

		area_populate(&area);
		area_device_flip(&area, FLIP);
		aio_start(&aio, area.mem);
		CHECK_SYS(munmap(area.mem, area.size));
		aio_finish(&aio);
		CHECK_EQ(pread(aio.fd, copy, MIB, 0), (long long)MIB);
		CHECK_DATA(pattern_matches(copy, MIB, area.seed, area.flip, &bad), bad);
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
		CHECK_OK(gpu_vm_destroy(gpu, area.vm));
	}
	printf("# %u rounds\n", rounds);
}

/* The arguments of commands, and what they point to, are in VRAM themselves. */
struct arguments {
	struct area area;
	union {
		struct drm_mockgpu_query query;
		struct drm_mockgpu_vm vm;
		struct drm_mockgpu_populate populate;
		struct drm_mockgpu_access access;
		struct drm_mockgpu_evict evict;
		struct drm_mockgpu_residency residency;
		struct drm_mockgpu_counters counters;
	} *args;
	char *buffer;
};

/* Puts all of it there, whatever the last command brought home. */
static int from_vram(struct arguments *arguments, unsigned long request)
{
	const struct area *area = &arguments->area;

	area_move(area, 0);
	return gpu_ioctl(area->gpu, request, arguments->args);
}

#define ARGS(member, ...)	\
	(arguments.args->member = (typeof(arguments.args->member)){ __VA_ARGS__ })

static void commands_in_vram(struct gpu *gpu)
{
	struct arguments arguments = { .area = area_filled(gpu, 16 * PAGE, 0, MEM_SMALL) };
	struct area *area = &arguments.area, data = area_part(area, 8 * PAGE, 4 * PAGE);
	struct mismatch bad;
	uint32_t vm;
	int ret;

	arguments.args = (void *)area->mem;
	arguments.buffer = area->mem + 4 * PAGE;
	for (int i = 0; i < 10; i++) {
		pattern_fill(data.mem, data.size, 21);
		ARGS(query, .param = MOCKGPU_PARAM_PAGE_SIZE);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_QUERY));
		CHECK_EQ(arguments.args->query.value, PAGE);
		ARGS(vm, .flags = 0);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_VM_CREATE));
		vm = arguments.args->vm.vm_id;
		ARGS(populate, .vm_id = vm, .addr = (uintptr_t)area->mem, .size = area->size);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_POPULATE));
		ARGS(access, .vm_id = vm, .op = MOCKGPU_ACCESS_READ, .addr = (uintptr_t)data.mem,
		     .size = data.size, .data = (uintptr_t)arguments.buffer);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_ACCESS));
		CHECK_EQ(arguments.args->access.done, data.size);
		CHECK_DATA(pattern_matches(arguments.buffer, data.size, 21, 0, &bad), bad);
		ARGS(access, .vm_id = vm, .op = MOCKGPU_ACCESS_WRITE, .addr = (uintptr_t)data.mem,
		     .size = data.size, .data = (uintptr_t)arguments.buffer);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_ACCESS));
		CHECK_DATA(pattern_matches(data.mem, data.size, 21, 0, &bad), bad);
		ARGS(residency, .vm_id = vm, .addr = (uintptr_t)data.mem, .size = data.size,
		     .data = (uintptr_t)arguments.buffer);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_RESIDENCY));
		ARGS(counters, .count = MOCKGPU_COUNTER_COUNT,
		     .data = (uintptr_t)arguments.buffer);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_COUNTERS));
		CHECK(((uint64_t *)arguments.buffer)[MOCKGPU_COUNTER_LIVE_VMS] >= 2);
		ARGS(evict, .vm_id = vm, .scope = MOCKGPU_EVICT_ADDR,
		     .addr = (uintptr_t)arguments.args);
		/* To read the arguments may have brought home what is to be evicted. */
		ret = from_vram(&arguments, DRM_IOCTL_MOCKGPU_EVICT);
		CHECK(!ret || (ret == -ENOENT && gpu->tier == MOCKGPU_TIER_PRIVATE));
		ARGS(vm, .vm_id = vm);
		CHECK_OK(from_vram(&arguments, DRM_IOCTL_MOCKGPU_VM_DESTROY));
	}
}

/* The same while somebody moves the memory of the arguments to and fro. */
static void *move_arguments(void *arg)
{
	struct stage *stage = arg;
	const struct area *area = &stage->area;

	while (!atomic_load(&stage->stop)) {
		int ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);

		CHECK(!ret || ret == -EBUSY);
		ret = gpu_evict_vm(area->gpu, area->vm);
		CHECK(!ret || ret == -EBUSY);
	}
	return NULL;
}

static void commands_on_the_move(struct gpu *gpu)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	double deadline = seconds_now() + brief_seconds(), begin;
	struct drm_mockgpu_access *access;
	char *buffer;
	struct mismatch bad;
	struct crew crew;
	int ret;

	CHECK(stage);
	stage->area = area_filled(gpu, PAGES * PAGE, 0, MEM_SMALL);
	access = (void *)stage->area.mem;
	buffer = stage->area.mem + PAGE;
	crew_start(&crew, 2, move_arguments, stage);
	while (seconds_now() < deadline) {
		begin = seconds_now();
		pattern_fill(buffer, 32 * PAGE, 33);
		*access = (struct drm_mockgpu_access){
			.vm_id = stage->area.vm, .op = MOCKGPU_ACCESS_WRITE,
			.addr = (uintptr_t)buffer + 64 * PAGE, .size = 32 * PAGE,
			.data = (uintptr_t)buffer,
		};
		ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_ACCESS, access);
		CHECK(!ret || ret == -EBUSY);
		CHECK_DATA(pattern_matches(buffer + 64 * PAGE, access->done, 33, 0, &bad), bad);
		check_bound("a command", begin);
	}
	atomic_store(&stage->stop, true);
	crew_join(&crew);
}

/*
 * A group may have as much as its program uses. Most of that is in VRAM, from
 * where it cannot be swapped out, when the program wants more.
 */
static void want_more(void *arg)
{
	struct group group = *(struct group *)arg;
	struct mismatch bad;
	struct area area;
	struct gpu gpu;
	char *more;

	group_enter(&group);
	CHECK_OK(gpu_open(&gpu, 0));
	area = area_filled(&gpu, 28 * MIB, 0, MEM_SMALL);
	more = mem_map(40 * MIB, 0, MEM_SMALL);
	CHECK(more);
	pattern_fill(more, 4 * MIB, 3);
	area_populate(&area);
	group_set(&group, "memory.max", group_get(&group, "memory.current") + 2 * MIB);
	pattern_fill(more, 40 * MIB, 3);
	area_device_flip(&area, FLIP);
	/* What is home can be swapped out at once. */
	CHECK_OK(gpu_evict_vm(&gpu, area.vm));
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 0);
	area_check_cpu(&area);
	CHECK_DATA(pattern_matches(more, 40 * MIB, 3, 0, &bad), bad);
	gpu_populate(&gpu, area.vm, area.mem, area.size);
	area_check_cpu(&area);
	CHECK_DATA(pattern_matches(more, 40 * MIB, 3, 0, &bad), bad);
}

static void group_full(struct gpu *gpu)
{
	struct group group;

	if (swap_free_kib() < 100 * MIB / KIB)
		test_skip("needs 100 MiB to swap to");
	group = group_new();
	test_join(test_fork(want_more, &group));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	group_remove(&group);
}

/* Eviction does not need memory that the group does not have. */
static void evict_when_full(void *arg)
{
	struct group group = *(struct group *)arg;
	struct area area;
	struct gpu gpu;

	group_enter(&group);
	CHECK_OK(gpu_open(&gpu, 0));
	area = area_filled(&gpu, 16 * MIB, 0, MEM_SMALL);
	area_populate(&area);
	group_set(&group, "memory.max", group_get(&group, "memory.current") + 256 * KIB);
	area_evict(&area);
	area_check_cpu(&area);
	area_populate(&area);
	area_device_flip(&area, FLIP);
	area_check_cpu(&area);
}

static void group_evict(struct gpu *gpu)
{
	struct group group = group_new();
	pid_t pid = test_fork(evict_when_full, &group);

	(void)gpu;
	join_in_time(pid, "an eviction in a full group");
	test_join(pid);
	group_remove(&group);
}

/* There is no room for what a job of the group wants, but what others have goes. */
static void take_their_place(void *arg)
{
	struct group group = *(struct group *)arg;
	struct area area;
	int ret, tries = 3;
	uint64_t before;
	uint32_t queue;
	struct gpu gpu;

	group_enter(&group);
	CHECK_OK(gpu_open(&gpu, 0));
	area = area_filled(&gpu, HUGE_PAGE, 0, MEM_SMALL);
	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	queue = queue_new(&gpu, area.vm);
	before = group_get(&group, "memory.current");
	/* On a kernel that checks itself so much takes longer than a job may. */
	do
		ret = job_do(&gpu, queue, cmd_fill(area.mem, PAGE, 1));
	while (ret == -ETIME && --tries);
	CHECK_OK(ret);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	CHECK(group_get(&group, "memory.current") < before + gpu.vram_size / 4);
}

/* A buffer that fills VRAM comes home at the expense of who made it. */
static void group_others_buffer(struct gpu *gpu)
{
	struct area area = area_new(gpu, gpu->vram_size, 0, MEM_SMALL);
	struct group group = group_new();
	uint32_t handle;

	CHECK_OK(gem_create(gpu, gpu->vram_size, MOCKGPU_GEM_VRAM, &handle));
	CHECK_OK(gem_bind(gpu, area.vm, handle, 0, area.mem, gpu->vram_size));
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, PAGE, FLIP));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), gpu->vram_size / PAGE);
	/* Longer than new memory is left alone. */
	sleep_ms(100);
	test_join(test_fork(take_their_place, &group));
	CHECK_OK(gem_close(gpu, handle));
	group_remove(&group);
}

/*
 * A buffer whose maker is in a group of its own. Both see this, and when a step has
 * been done.
 */
struct made {
	struct group group;
	const struct gpu *gpu;
	size_t size;
	uint32_t handle;
	atomic_uint step;
};

static struct made *made_new(const struct gpu *gpu, size_t size)
{
	struct made *made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(made != MAP_FAILED);
	made->group = group_new();
	made->gpu = gpu;
	made->size = size;
	return made;
}

/* From now on the group may use so much more than now. */
static void group_spare(const struct group *group, size_t room)
{
	group_set(group, "memory.max", group_get(group, "memory.current") + room);
}

static void check_nobody_was_killed(const struct group *group)
{
	char path[128], line[64];
	unsigned long count = 1;
	FILE *events;

	snprintf(path, sizeof(path), "%s/memory.events", group->path);
	events = fopen(path, "r");
	CHECK(events);
	while (fgets(line, sizeof(line), events))
		if (sscanf(line, "oom_kill %lu", &count) == 1)
			break;
	fclose(events);
	CHECK_EQ(count, 0);
}

static sigjmp_buf touch_return;

static void on_touch(int signal)
{
	siglongjmp(touch_return, signal);
}

/* The signal that comes of it, or 0. In the end it is SIGALRM. */
static int touch(const char *mem)
{
	int caught;

	signal(SIGBUS, on_touch);
	signal(SIGALRM, on_touch);
	alarm(patience(BOUND_SECONDS));
	caught = sigsetjmp(touch_return, 1);
	if (!caught)
		(void)*(const volatile char *)mem;
	alarm(0);
	signal(SIGALRM, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return caught;
}

static void make_too_large(void *arg)
{
	struct made *made = arg;

	group_enter(&made->group);
	CHECK_OK(gem_create(made->gpu, made->size, 0, &made->handle));
	group_spare(&made->group, 8 * MIB);
}

/* As a dma-buf, which is all that is left of it. */
static char *map_exported(const struct gpu *gpu, const struct made *made)
{
	char *mem;
	int fd;

	CHECK_OK(gem_export(gpu, made->handle, &fd));
	CHECK_OK(gem_close(gpu, made->handle));
	mem = mmap(NULL, made->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(mem != MAP_FAILED);
	CHECK_SYS(close(fd));
	return mem;
}

/* Its maker has gone, and its group has no memory for it: that can be waited for in vain. */
static void group_gone_buffer(struct gpu *gpu)
{
	struct made *made = made_new(gpu, 32 * MIB);
	struct mismatch bad;
	char *mem;

	test_join(test_fork(make_too_large, made));
	mem = map_exported(gpu, made);
	CHECK_EQ(touch(mem), SIGBUS);
	CHECK_EQ(touch(mem + made->size - 1), SIGBUS);
	CHECK(group_get(&made->group, "memory.current") < made->size / 4);
	group_spare(&made->group, made->size + 8 * MIB);
	CHECK_EQ(touch(mem), 0);
	CHECK_DATA(words_are(mem, made->size, 0, &bad), bad);
	CHECK_SYS(munmap(mem, made->size));
	group_remove(&made->group);
}

static void touch_too_large(void *arg)
{
	struct made *made = arg;
	struct mismatch bad;
	char *mem;

	make_too_large(made);
	mem = gem_map(made->gpu, made->handle, made->size);
	CHECK_EQ(touch(mem), SIGBUS);
	group_spare(&made->group, made->size + 8 * MIB);
	CHECK_EQ(touch(mem), 0);
	CHECK_DATA(words_are(mem, made->size, 0, &bad), bad);
}

/* The same with one's own: nobody is killed for a buffer. */
static void group_own_buffer(struct gpu *gpu)
{
	struct made *made = made_new(gpu, 32 * MIB);

	test_join(test_fork(touch_too_large, made));
	check_nobody_was_killed(&made->group);
	CHECK_OK(gem_close(gpu, made->handle));
	group_remove(&made->group);
}

static void await_step(const struct made *made, unsigned int step)
{
	double begin = seconds_now();

	while (atomic_load(&made->step) < step) {
		sleep_ms(1);
		check_bound("the other process", begin);
	}
}

/* With the group full, others may take the place of its buffer: step 1. They have: step 2. */
static void lose_place(void *arg)
{
	struct made *made = arg;
	struct area area;
	struct gpu gpu;

	group_enter(&made->group);
	CHECK_OK(gpu_open(&gpu, made->gpu->index));
	area = area_new(&gpu, made->size, 0, MEM_SMALL);
	CHECK_OK(gem_create(&gpu, made->size, MOCKGPU_GEM_VRAM, &made->handle));
	CHECK_OK(gem_bind(&gpu, area.vm, made->handle, 0, area.mem, made->size));
	area_device_fill(&area, 11);
	CHECK_EQ(counter(&gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), made->size / PAGE);
	area.mem = gem_map(&gpu, made->handle, made->size);
	group_spare(&made->group, MIB);
	/* Longer than what has just come is left alone. */
	sleep_ms(100);
	atomic_store(&made->step, 1);
	await_step(made, 2);
	area_check_cpu(&area);
	gpu_close(&gpu);
}

/* A buffer that fills VRAM: it is there when the device has used it, or it is not. */
static void check_vram_can_be_had(const struct gpu *gpu)
{
	struct area area = area_new(gpu, gpu->vram_size, 0, MEM_SMALL);
	uint32_t handle;

	CHECK_OK(gem_create(gpu, area.size, MOCKGPU_GEM_VRAM, &handle));
	CHECK_OK(gem_bind(gpu, area.vm, handle, 0, area.mem, area.size));
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, PAGE, FLIP));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), gpu->vram_size / PAGE);
	CHECK_OK(gpu_vm_destroy(gpu, area.vm));
	CHECK_OK(gem_close(gpu, handle));
}

/* A group that has no memory left does not keep others from VRAM, nor is anybody killed. */
static void group_full_buffer(struct gpu *gpu)
{
	struct made *made = made_new(gpu, gpu->vram_size / 2);
	pid_t pid = test_fork(lose_place, made);

	await_step(made, 1);
	check_vram_can_be_had(gpu);
	atomic_store(&made->step, 2);
	test_join(pid);
	check_nobody_was_killed(&made->group);
	group_remove(&made->group);
}

/* Nor a device from going away for good. */
static void group_full_unbind(struct gpu *gpu)
{
	struct gpu second = *gpu;
	struct made *made;
	pid_t pid;

	second.index = 1;
	made = made_new(&second, gpu->vram_size / 2);
	pid = test_fork(lose_place, made);
	await_step(made, 1);
	CHECK_OK(device_unbind(1));
	CHECK_OK(device_bind(1));
	atomic_store(&made->step, 2);
	test_join(pid);
	check_nobody_was_killed(&made->group);
	group_remove(&made->group);
}

static const struct test tests[] = {
	{ "locking", locking, NEED_VRAM | NEED_ROOT, 0 },
	{ "merging", merging, NEED_VRAM | NEED_ROOT, 0 },
	{ "merged", merged, NEED_VRAM | NEED_ROOT, 0 },
	{ "merged-twins", merged_twins, NEED_VRAM | NEED_ROOT, 0 },
	{ "mergeable-later", mergeable_later, NEED_VRAM | NEED_ROOT, 0 },
	{ "soft-dirty-told", soft_dirty_told, NEED_VRAM, 0 },
	{ "soft-dirty", soft_dirty, NEED_VRAM, 0 },
	{ "referenced", referenced, NEED_VRAM, 0 },
	{ "vm-read", vm_read, NEED_VRAM, 0 },
	{ "proc-mem", proc_mem, NEED_VRAM, 0 },
	{ "traced", traced, NEED_VRAM, 0 },
	{ "piped", piped, NEED_VRAM, 0 },
	{ "direct-io", direct_io, NEED_VRAM, 0 },
	{ "collapsed", collapsed, NEED_VRAM | NEED_THP, 0 },
	{ "compacted", compacted, NEED_VRAM | NEED_ROOT, 0 },
	{ "caches-dropped", caches_dropped, NEED_VRAM | NEED_ROOT, 0 },
	{ "waited-for", waited_for, NEED_VRAM, 0 },
	{ "forked", forked, NEED_VRAM, 0 },
	{ "protected", protected, NEED_VRAM, 0 },
	{ "unmapped-while-written", unmapped_while_written, NEED_VRAM, 0 },
	{ "commands-in-vram", commands_in_vram, NEED_VRAM, 0 },
	{ "commands-on-the-move", commands_on_the_move, NEED_VRAM, 0 },
	{ "group-full", group_full, NEED_VRAM | NEED_ROOT, 0 },
	{ "group-evict", group_evict, NEED_VRAM | NEED_ROOT, 0 },
	{ "group-others-buffer", group_others_buffer, NEED_VRAM | NEED_ROOT, 0 },
	{ "group-gone-buffer", group_gone_buffer, NEED_ROOT, 0 },
	{ "group-own-buffer", group_own_buffer, NEED_ROOT, 0 },
	{ "group-full-buffer", group_full_buffer, NEED_VRAM | NEED_ROOT, 0 },
	{ "group-full-unbind", group_full_unbind, NEED_VRAM | NEED_ROOT | NEED_TWO_DEVICES, 0 },
};

HARNESS_MAIN(tests)
