// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Mappings, files and processes end or change while memory is in VRAM. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "knob.h"

#define FLIP	0x6655443322110099ULL

static struct area populated(struct gpu *gpu, size_t size)
{
	struct area area = area_filled(gpu, size, 0, MEM_SMALL);

	area_populate(&area);
	area_device_flip(&area, FLIP);
	return area;
}

/* The memory works again after whatever was done to it. */
static void check_usable(struct area *area)
{
	area_check_device(area);
	area_populate(area);
	area_device_flip(area, FLIP);
	area_check_cpu(area);
	area_fill(area);
	area_check_device(area);
}

static void child_reads(void *arg)
{
	area_check_cpu(arg);
}

static void fork_read(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);

	test_join(test_fork(child_reads, &area));
	area_check_device(&area);
	area_check_cpu(&area);
	check_usable(&area);
}

static void child_writes(void *arg)
{
	struct area *area = arg;

	area_check_cpu(area);
	area_fill(area);
	area_check_cpu(area);
}

static void fork_child_writes(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);

	test_join(test_fork(child_writes, &area));
	area_check_device(&area);
	area_check_cpu(&area);
	check_usable(&area);
}

/* Two processes with the same memory, one step at a time. */
struct turn {
	struct area area;
	int fds[2];
};

static void wait_for_turn(struct turn *turn)
{
	char byte;

	close(turn->fds[1]);
	CHECK_EQ(read(turn->fds[0], &byte, 1), 0);
}

static void child_waits_and_reads(void *arg)
{
	struct turn *turn = arg;

	wait_for_turn(turn);
	area_check_cpu(&turn->area);
}

static void fork_parent_writes(struct gpu *gpu)
{
	struct turn turn = { .area = populated(gpu, 2 * MIB) };
	struct area mine = turn.area;
	pid_t child;

	CHECK_SYS(pipe(turn.fds));
	child = test_fork(child_waits_and_reads, &turn);
	area_fill(&mine);
	area_check_device(&mine);
	close(turn.fds[1]);
	test_join(child);
	area_check_cpu(&mine);
}

/* The device writes for the parent only; the child keeps what it had. */
static void fork_device_writes(struct gpu *gpu)
{
	struct turn turn = { .area = populated(gpu, 2 * MIB) };
	struct area mine = turn.area;
	pid_t child;

	CHECK_SYS(pipe(turn.fds));
	child = test_fork(child_waits_and_reads, &turn);
	area_device_flip(&mine, ~FLIP);
	area_check_device(&mine);
	close(turn.fds[1]);
	test_join(child);
	area_check_cpu(&mine);
}

/* Memory shared by fork is populated by one of its owners. */
static void fork_populate(struct gpu *gpu)
{
	struct turn turn = { .area = area_filled(gpu, 2 * MIB, 0, MEM_SMALL) };
	pid_t child;
	int ret;

	CHECK_SYS(pipe(turn.fds));
	child = test_fork(child_waits_and_reads, &turn);
	ret = gpu_populate(gpu, turn.area.vm, turn.area.mem, turn.area.size);
	CHECK(!ret || ret == -EBUSY);
	area_check_device(&turn.area);
	CHECK_OK(gpu_evict_vm(gpu, turn.area.vm));
	area_check_cpu(&turn.area);
	close(turn.fds[1]);
	test_join(child);
}

/* The child outlives its parent and uses, then evicts, what that populated. */
static void orphan(void *arg)
{
	struct turn *turn = arg;
	struct gpu gpu;
	uint32_t vm;

	wait_for_turn(turn);
	CHECK_OK(gpu_open(&gpu, turn->area.gpu->index));
	vm = vm_new(&gpu);
	CHECK_OK(gpu_evict_device(&gpu, vm));
	area_check_cpu(&turn->area);
	turn->area.gpu = &gpu;
	turn->area.vm = vm;
	check_usable(&turn->area);
}

static void fork_parent_exits(struct gpu *gpu)
{
	struct turn turn = { .area = populated(gpu, 2 * MIB) };

	CHECK_SYS(pipe(turn.fds));
	test_fork(orphan, &turn);
}

static void tree_level(struct area *area, int levels)
{
	pid_t left, right;

	area_check_cpu(area);
	if (!levels)
		return;
	left = fork();
	CHECK_SYS(left);
	if (!left) {
		area_fill(area);
		tree_level(area, levels - 1);
		area_check_cpu(area);
		_exit(0);
	}
	right = fork();
	CHECK_SYS(right);
	if (!right) {
		tree_level(area, levels - 1);
		_exit(0);
	}
	test_join(left);
	test_join(right);
	area_check_cpu(area);
}

static void fork_tree(struct gpu *gpu)
{
	struct area area = populated(gpu, 256 * KIB);

	tree_level(&area, 3);
	area_check_device(&area);
}

static void exit_populated(struct gpu *gpu)
{
	populated(gpu, 4 * MIB);
}

static void close_file(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);
	struct gpu again;

	gpu_close(gpu);
	area_check_cpu(&area);
	area_fill(&area);
	area_check_cpu(&area);
	CHECK_OK(gpu_open(&again, gpu->index));
	area.gpu = &again;
	area.vm = vm_new(&again);
	check_usable(&area);
}

static void destroy_vm(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);

	CHECK_OK(gpu_vm_destroy(gpu, area.vm));
	area_check_cpu(&area);
	area.vm = vm_new(gpu);
	check_usable(&area);
}

/* The file that populated is gone; the pages can be brought home all the same. */
static void evict_orphans(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);
	struct gpu again;

	gpu_close(gpu);
	CHECK_OK(gpu_open(&again, gpu->index));
	area.gpu = &again;
	area.vm = vm_new(&again);
	CHECK_OK(gpu_evict_device(&again, area.vm));
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	area_check_cpu(&area);
}

static void unmap_all(struct gpu *gpu)
{
	struct area area = populated(gpu, 4 * MIB);
	char byte;

	CHECK_SYS(munmap(area.mem, area.size));
	CHECK_RET(gpu_read(gpu, area.vm, area.mem, 1, &byte), -EFAULT);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_NONE), area.size / PAGE);
}

/* The pages that are left, when others of the same allocation are gone. */
static void check_remains(struct area *area, size_t start, size_t size)
{
	struct area low = area_part(area, 0, start);
	char byte;

	CHECK_SYS(munmap(area->mem + start, size));
	CHECK_RET(gpu_read(area->gpu, area->vm, area->mem + start, 1, &byte), -EFAULT);
	area_check_device(&low);
	area_device_flip(&low, FLIP);
	CHECK_OK(gpu_evict_vm(area->gpu, area->vm));
	area_check_cpu(&low);
	for (size_t i = (start + size) / 8; i < area->size / 8; i++)
		CHECK(((uint64_t *)area->mem)[i] == (pattern_word(area->seed, i) ^ area->flip));
}

static void unmap_part(struct gpu *gpu)
{
	static const size_t parts[][2] = {
		{ MIB, MIB }, { MIB, PAGE }, { PAGE, HUGE_PAGE - 2 * PAGE }, { 3 * MIB, 2 * MIB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct area area = populated(gpu, 6 * MIB);

		check_remains(&area, parts[i][0], parts[i][1]);
	}
}

/* New memory in the place of what was unmapped. */
static void map_over(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);

	CHECK(mmap(area.mem, area.size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area.mem);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_NONE), area.size / PAGE);
	area_fill(&area);
	check_usable(&area);
}

static void discard(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB), first = area_part(&area, 0, MIB);
	char *copy = malloc(first.size);
	struct mismatch bad;

	CHECK(copy);
	CHECK_SYS(madvise(first.mem, first.size, MADV_DONTNEED));
	CHECK_OK(gpu_read(gpu, area.vm, first.mem, first.size, copy));
	CHECK_DATA(words_are(copy, first.size, 0, &bad), bad);
	CHECK_DATA(words_are(first.mem, first.size, 0, &bad), bad);
	area_fill(&area);
	check_usable(&area);
}

/* Each page has its data or zeros until somebody writes to it. */
static void discard_lazily(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);

	CHECK_SYS(madvise(area.mem, area.size, MADV_FREE));
	for (size_t i = 0; i < area.size / 8; i++) {
		uint64_t word = ((volatile uint64_t *)area.mem)[i];

		CHECK(!word || word == (pattern_word(area.seed, i) ^ area.flip));
	}
	area_fill(&area);
	check_usable(&area);
}

static void move_mapping(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB), moved = area;
	char *place = mem_map(area.size, MIB, MEM_SMALL);
	char byte;

	CHECK(place);
	moved.mem = mremap(area.mem, area.size, area.size, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	CHECK(moved.mem == place);
	CHECK_PLACE(&moved, MOCKGPU_PAGE_DEVICE);
	CHECK_RET(gpu_read(gpu, area.vm, area.mem, 1, &byte), -EFAULT);
	area_check_device(&moved);
	area_device_flip(&moved, FLIP);
	area_check_cpu(&moved);
	check_usable(&moved);
}

/* The old mapping stays, empty. */
static void move_pages(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB), moved = area;
	struct mismatch bad;

	moved.mem = mremap(area.mem, area.size, area.size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(moved.mem != MAP_FAILED);
	area_check_device(&moved);
	CHECK_DATA(words_are(area.mem, area.size, 0, &bad), bad);
	check_usable(&moved);
}

static void grow_and_shrink(struct gpu *gpu)
{
	struct area area = populated(gpu, 4 * MIB), half = area_part(&area, 0, 2 * MIB);

	CHECK(mremap(area.mem, area.size, half.size, 0) == area.mem);
	area_check_device(&half);
	area_check_cpu(&half);
	check_usable(&half);
}

static void protect(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);

	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ));
	CHECK_RET(gpu_fill(gpu, area.vm, area.mem, area.size, 1), -EFAULT);
	area_check_device(&area);
	area_check_cpu(&area);
	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ | PROT_WRITE));
	check_usable(&area);
}

static void protect_none(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);
	char byte;

	CHECK_SYS(mprotect(area.mem, area.size, PROT_NONE));
	CHECK_RET(gpu_read(gpu, area.vm, area.mem, 1, &byte), -EFAULT);
	CHECK_RET(gpu_fill(gpu, area.vm, area.mem, 8, 1), -EFAULT);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ | PROT_WRITE));
	area_check_cpu(&area);
	check_usable(&area);
}

static void run_program(void *arg)
{
	populated(arg, 2 * MIB);
	execl("/bin/true", "true", NULL);
	FAIL("execl: %s", errno_name(errno));
}

static void exec(struct gpu *gpu)
{
	int flags = fcntl(gpu->fd, F_GETFD);

	test_join(test_fork(run_program, gpu));
	/* Now with a file that stays open in the new program. */
	CHECK_SYS(fcntl(gpu->fd, F_SETFD, flags & ~FD_CLOEXEC));
	test_join(test_fork(run_program, gpu));
}

static void populate_for_ever(void *arg)
{
	struct area area = area_filled(arg, 8 * MIB, 0, MEM_SMALL);

	for (;;) {
		gpu_populate(area.gpu, area.vm, area.mem, area.size);
		gpu_xor(area.gpu, area.vm, area.mem, area.size, FLIP);
		gpu_evict_vm(area.gpu, area.vm);
	}
}

/* Processes that are killed wherever they are; the harness looks for leaks. */
static void killed(struct gpu *gpu)
{
	uint64_t state = 3;

	for (int i = 0; i < 20; i++) {
		pid_t pid = test_fork(populate_for_ever, gpu);
		int status;

		sleep_ms(5 + random_next(&state) % 100);
		CHECK_SYS(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status));
	}
}

/* With a slow copy engine the kill comes in the middle of a copy. */
static void killed_in_copy(struct gpu *gpu)
{
	CHECK_OK(knob_set(gpu, "copy_delay_us", 20000));
	killed(gpu);
}

static const struct test tests[] = {
	{ "fork-read", fork_read, NEED_VRAM, 0 },
	{ "fork-child-writes", fork_child_writes, NEED_VRAM, 0 },
	{ "fork-parent-writes", fork_parent_writes, NEED_VRAM, 0 },
	{ "fork-device-writes", fork_device_writes, NEED_VRAM, 0 },
	{ "fork-populate", fork_populate, NEED_VRAM, 0 },
	{ "fork-parent-exits", fork_parent_exits, NEED_VRAM | NEED_ROOT, 0 },
	{ "fork-tree", fork_tree, NEED_VRAM, 0 },
	{ "exit-populated", exit_populated, NEED_VRAM, 0 },
	{ "close-file", close_file, NEED_VRAM, 0 },
	{ "destroy-vm", destroy_vm, NEED_VRAM, 0 },
	{ "evict-orphans", evict_orphans, NEED_VRAM | NEED_ROOT, 0 },
	{ "unmap-all", unmap_all, NEED_VRAM, 0 },
	{ "unmap-part", unmap_part, NEED_VRAM, 0 },
	{ "map-over", map_over, NEED_VRAM, 0 },
	{ "discard", discard, NEED_VRAM, 0 },
	{ "discard-lazily", discard_lazily, NEED_VRAM, 0 },
	{ "move-mapping", move_mapping, NEED_VRAM, 0 },
	{ "move-pages", move_pages, NEED_VRAM, 0 },
	{ "grow-and-shrink", grow_and_shrink, NEED_VRAM, 0 },
	{ "protect", protect, NEED_VRAM, 0 },
	{ "protect-none", protect_none, NEED_VRAM, 0 },
	{ "exec", exec, NEED_VRAM, 0 },
	{ "killed", killed, NEED_VRAM, 0 },
	{ "killed-in-copy", killed_in_copy, NEED_VRAM | NEED_KNOBS, 0 },
};

HARNESS_MAIN(tests)
