// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory in VRAM outlives files, parents and programs, and ends with its last user. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#ifndef SYS_process_mrelease
#define SYS_process_mrelease	448
#endif

#define FLIP	0x1618033988749894ULL

static struct area populated(struct gpu *gpu, size_t size)
{
	struct area area = area_filled(gpu, size, 0, MEM_SMALL);

	area_populate(&area);
	area_device_flip(&area, FLIP);
	return area;
}

/* A process and the children of its child wait for each other. */
struct relay {
	unsigned int index;
	int go[2], ready[2];
};

static struct relay relay_new(const struct gpu *gpu)
{
	struct relay relay = { .index = gpu->index };

	CHECK_SYS(pipe(relay.go));
	CHECK_SYS(pipe(relay.ready));
	return relay;
}

static void relay_say(const int fds[2])
{
	CHECK_EQ(write(fds[1], "", 1), 1);
}

static void relay_wait(const int fds[2])
{
	char byte;

	CHECK_EQ(read(fds[0], &byte, 1), 1);
}

/* Nothing of the device is open in it, so nothing but pages keeps anything alive. */
static void grandchild(struct area *area, struct relay *relay)
{
	struct gpu again;

	close(area->gpu->fd);
	relay_say(relay->ready);
	relay_wait(relay->go);
	area_check_cpu(area);
	CHECK_OK(gpu_open(&again, relay->index));
	area->gpu = &again;
	area->vm = vm_new(&again);
	CHECK_EQ(area_pages(area, MOCKGPU_PAGE_DEVICE), 0);
	area_populate(area);
	area_device_flip(area, FLIP);
	area_check_cpu(area);
	relay_say(relay->ready);
}

static void parent_of_one(void *arg)
{
	struct relay *relay = arg;
	struct area area;
	struct gpu gpu;
	pid_t pid;

	CHECK_OK(gpu_open(&gpu, relay->index));
	area = populated(&gpu, 4 * MIB);
	pid = fork();
	CHECK_SYS(pid);
	if (!pid) {
		grandchild(&area, relay);
		_exit(0);
	}
}

static void do_nothing(void *arg)
{
	(void)arg;
}

/*
 * Who put the memory into VRAM is gone, and new processes have what was its
 * address space's: eviction finds the pages all the same.
 */
static void parent_gone(struct gpu *gpu)
{
	struct relay relay = relay_new(gpu);
	uint32_t vm = vm_new(gpu);

	test_join(test_fork(parent_of_one, &relay));
	relay_wait(relay.ready);
	for (int i = 0; i < 40; i++)
		test_join(test_fork(do_nothing, NULL));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES), 4 * MIB / PAGE);
	CHECK_OK(gpu_evict_device(gpu, vm));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES, 0);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	relay_say(relay.go);
	relay_wait(relay.ready);
}

/* The program dies with its memory in VRAM: the image of it has all data. */
static void die(void *arg)
{
	struct area *area = arg;
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	gpu_close((struct gpu *)area->gpu);
	CHECK_SYS(setrlimit(RLIMIT_CORE, &unlimited));
	CHECK_SYS(chdir("/tmp"));
	signal(SIGABRT, SIG_DFL);
	abort();
}

/* Where in the image the address is, or 0. */
static off_t image_offset(int fd, uintptr_t address)
{
	Elf64_Ehdr header;
	Elf64_Phdr part;

	CHECK_EQ(pread(fd, &header, sizeof(header), 0), sizeof(header));
	for (unsigned int i = 0; i < header.e_phnum; i++) {
		off_t at = header.e_phoff + i * header.e_phentsize;

		CHECK_EQ(pread(fd, &part, sizeof(part), at), sizeof(part));
		if (part.p_type == PT_LOAD && part.p_vaddr <= address &&
		    address < part.p_vaddr + part.p_filesz)
			return part.p_offset + (address - part.p_vaddr);
	}
	return 0;
}

static void check_image(const char *path, const struct area *area)
{
	char *copy = malloc(area->size);
	struct mismatch bad;
	int fd = open(path, O_RDONLY);
	off_t at;

	CHECK_SYS(fd);
	CHECK(copy);
	at = image_offset(fd, (uintptr_t)area->mem);
	CHECK(at);
	CHECK_EQ(pread(fd, copy, area->size, at), (long long)area->size);
	CHECK_DATA(pattern_matches(copy, area->size, area->seed, area->flip, &bad), bad);
	close(fd);
	unlink(path);
}

static void core_dump(struct gpu *gpu)
{
	static const char pattern[] = "/proc/sys/kernel/core_pattern";
	struct area area = populated(gpu, 2 * MIB);
	char before[128], path[64];
	int status;
	pid_t pid;

	file_line(pattern, before, sizeof(before));
	CHECK_OK(file_write(pattern, "/tmp/core-of-test-%p"));
	pid = test_fork(die, &area);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	file_write(pattern, before);
	CHECK(WIFSIGNALED(status));
	if (!WCOREDUMP(status))
		test_skip("the kernel makes no image of a process that dies");
	snprintf(path, sizeof(path), "/tmp/core-of-test-%d", pid);
	check_image(path, &area);
	area_check_cpu(&area);
}

/* Another process with the same table of files closes the one of the device. */
static void closed_by_sibling(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);
	struct gpu again;
	pid_t pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	uint64_t value;

	CHECK_SYS(pid);
	if (!pid) {
		close(gpu->fd);
		area_check_cpu(&area);
		_exit(0);
	}
	test_join(pid);
	CHECK_RET(gpu_query(gpu, MOCKGPU_PARAM_TIER, &value), -EBADF);
	area_check_cpu(&area);
	CHECK_OK(gpu_open(&again, gpu->index));
	area.gpu = &again;
	area.vm = vm_new(&again);
	area_populate(&area);
	area_device_flip(&area, FLIP);
	area_check_cpu(&area);
}

/* The ways to let go of memory that is in VRAM; each gives all VRAM back. */
static void go_unmap(struct area *area)
{
	CHECK_SYS(munmap(area->mem, area->size));
}

static void go_discard(struct area *area)
{
	CHECK_SYS(madvise(area->mem, area->size, MADV_DONTNEED));
}

static void go_map_over(struct area *area)
{
	CHECK(mmap(area->mem, area->size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == area->mem);
}

static void go_move_over(struct area *area)
{
	char *other = mem_map(area->size, 0, MEM_SMALL);

	CHECK(other);
	CHECK(mremap(other, area->size, area->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		     area->mem) == area->mem);
}

static void go_page_by_page(struct area *area)
{
	for (size_t at = 0; at < area->size; at += PAGE)
		CHECK_SYS(madvise(area->mem + at, PAGE, MADV_DONTNEED));
}

static void go_write_over(struct area *area)
{
	area_fill(area);
	CHECK_OK(gpu_evict_vm(area->gpu, area->vm));
}

static void let_go(struct gpu *gpu)
{
	static void (*const ways[])(struct area *area) = {
		go_unmap, go_discard, go_map_over, go_move_over, go_page_by_page, go_write_over,
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct area area = populated(gpu, 4 * MIB);

		ways[i](&area);
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES, 0);
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_ZDD, 0);
	}
}

static void leave_populated(void *arg)
{
	populated(arg, 4 * MIB);
}

static void let_go_by_exit(struct gpu *gpu)
{
	for (int i = 0; i < 10; i++) {
		test_join(test_fork(leave_populated, gpu));
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_ZDD, 0);
	}
}

/* The kernel is made to look for pages to reclaim where there are none to take. */
static void reclaim_in_group(void *arg)
{
	struct group group = *(struct group *)arg;
	struct gpu gpu;
	struct area area;
	char path[128];

	group_enter(&group);
	CHECK_OK(gpu_open(&gpu, 0));
	area = populated(&gpu, 8 * MIB);
	snprintf(path, sizeof(path), "%s/memory.reclaim", group.path);
	/* It is told that less than that was reclaimed. */
	file_write(path, "64M");
	CHECK_SYS(madvise(area.mem, area.size, MADV_COLD));
	CHECK_SYS(madvise(area.mem, area.size, MADV_PAGEOUT));
	area_check_device(&area);
	area_check_cpu(&area);
	area_populate(&area);
	CHECK_SYS(madvise(area.mem, area.size, MADV_FREE));
	file_write(path, "64M");
	CHECK_SYS(munmap(area.mem, area.size));
	wait_for_counter(&gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
}

static void reclaim(struct gpu *gpu)
{
	struct group group = group_new();

	(void)gpu;
	test_join(test_fork(reclaim_in_group, &group));
	group_remove(&group);
}

static void use_again(unsigned int index)
{
	struct gpu gpu;
	struct area area;

	CHECK_OK(gpu_open(&gpu, index));
	area = populated(&gpu, MIB);
	area_check_cpu(&area);
	area_evict(&area);
	area_check_cpu(&area);
	CHECK_OK(gpu_vm_destroy(&gpu, area.vm));
	gpu_close(&gpu);
}

/* Only pages are left; the last of them goes by unmapping. Then there are new ones. */
static void last_is_unmap(struct gpu *gpu)
{
	for (int i = 0; i < 20; i++) {
		struct gpu mine;
		struct area area;

		CHECK_OK(gpu_open(&mine, gpu->index));
		area = populated(&mine, MIB);
		gpu_close(&mine);
		CHECK_SYS(munmap(area.mem, area.size));
		use_again(gpu->index);
	}
}

/* A child has the last pages, and it is killed. */
static void wait_to_be_killed(void *arg)
{
	struct relay *relay = arg;

	relay_say(relay->ready);
	for (;;)
		pause();
}

static void last_is_exit(struct gpu *gpu)
{
	for (int i = 0; i < 10; i++) {
		struct relay relay = relay_new(gpu);
		struct gpu mine;
		struct area area;
		pid_t child;

		CHECK_OK(gpu_open(&mine, gpu->index));
		area = populated(&mine, MIB);
		gpu_close(&mine);
		child = test_fork(wait_to_be_killed, &relay);
		relay_wait(relay.ready);
		CHECK_SYS(munmap(area.mem, area.size));
		CHECK(counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES));
		CHECK_SYS(kill(child, SIGKILL));
		CHECK_EQ(waitpid(child, NULL, 0), child);
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES, 0);
		use_again(gpu->index);
	}
}

/* A busy program whose threads do everything when one of them ends it. */
static void *be_busy(void *arg)
{
	static atomic_uint turn;
	struct area *area = arg;
	unsigned int kind = atomic_fetch_add(&turn, 1);
	uint8_t map[HUGE_PAGE / PAGE];

	while (area) {
		switch (kind++ % 5) {
		case 0:
			gpu_populate(area->gpu, area->vm, area->mem, area->size);
			break;
		case 1:
			gpu_xor(area->gpu, area->vm, area->mem, area->size, FLIP);
			break;
		case 2:
			gpu_residency(area->gpu, area->vm, area->mem, area->size, map);
			break;
		case 3:
			gpu_evict_vm(area->gpu, area->vm);
			break;
		default:
			for (size_t at = 0; at < area->size; at += PAGE)
				((volatile char *)area->mem)[at]++;
		}
	}
	return NULL;
}

static void end_busy(void *arg)
{
	struct gpu *gpu = arg;
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	uint64_t state = getpid();
	struct crew crew;

	crew_start(&crew, 6, be_busy, &area);
	usleep(random_next(&state) % 30000);
	_exit(0);
}

static void exit_anywhere(struct gpu *gpu)
{
	double deadline = seconds_now() + 2 * brief_seconds();
	unsigned int rounds = 0;

	for (; seconds_now() < deadline; rounds++) {
		pid_t pid = test_fork(end_busy, gpu);

		join_in_time(pid, "the end of a process");
		test_join(pid);
	}
	printf("# %u rounds\n", rounds);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
}

/* Each process has a pattern of its own, written by the CPU or by the device. */
static void own_pattern(struct area *area, uint64_t *state, unsigned int index)
{
	struct gpu gpu;

	area_check_cpu(area);
	if (random_next(state) % 2) {
		area_fill(area);
		return;
	}
	CHECK_OK(gpu_open(&gpu, index));
	area->gpu = &gpu;
	area->vm = vm_new(&gpu);
	if (random_next(state) % 2)
		gpu_populate(&gpu, area->vm, area->mem, area->size);
	area_device_flip(area, random_next(state));
	area_check_cpu(area);
	gpu_populate(&gpu, area->vm, area->mem, area->size);
	gpu_close(&gpu);
}

static void branch(struct area area, unsigned int index, int levels, uint64_t state)
{
	pid_t children[2];

	own_pattern(&area, &state, index);
	for (int i = 0; i < 2 && levels; i++) {
		children[i] = fork();
		CHECK_SYS(children[i]);
		if (!children[i]) {
			branch(area, index, levels - 1, state * 2 + i);
			_exit(0);
		}
		area_check_cpu(&area);
	}
	for (int i = 0; i < 2 && levels; i++)
		test_join(children[i]);
	area_check_cpu(&area);
}

static void tree(struct gpu *gpu)
{
	for (uint64_t i = 0; i < 3; i++) {
		struct area area = populated(gpu, 128 * KIB);

		branch(area, gpu->index, 4, i + 1);
	}
}

/* Blocks that are smaller than the ranges asked for, in many processes at once. */
static void use_blocks(void *arg)
{
	struct gpu *parents = arg, gpu;
	uint64_t state = getpid();
	char *blocks[64];
	struct mismatch bad;
	uint32_t vm;

	CHECK_OK(gpu_open(&gpu, parents->index));
	vm = vm_new(&gpu);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = malloc(16 * KIB);
		CHECK(blocks[i]);
		pattern_fill(blocks[i], 16 * KIB, i + getpid());
		uintptr_t start = (uintptr_t)blocks[i] & ~(uintptr_t)(64 * KIB - 1);
		int ret = gpu_populate(&gpu, vm, (void *)start, 64 * KIB);

		CHECK(!ret || ret == -EBUSY || ret == -ENOENT || ret == -ENOSPC);
	}
	for (int n = 0; n < 200; n++) {
		size_t i = random_next(&state) % ARRAY_SIZE(blocks);

		CHECK_DATA(pattern_matches(blocks[i], 16 * KIB, i + getpid(), 0, &bad), bad);
	}
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		CHECK_DATA(pattern_matches(blocks[i], 16 * KIB, i + getpid(), 0, &bad), bad);
}

static void small_blocks(struct gpu *gpu)
{
	pid_t children[8];

	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		children[i] = test_fork(use_blocks, gpu);
	for (size_t i = 0; i < ARRAY_SIZE(children); i++)
		test_join(children[i]);
}

/* What a process other than its own may do with a VM: nothing. */
static void check_refused(const struct gpu *gpu, uint32_t vm, char *mem, size_t size)
{
	uint8_t map[64];

	CHECK_EQ(size / PAGE, sizeof(map));
	CHECK_RET(gpu_populate(gpu, vm, mem, size), -EPERM);
	CHECK_RET(gpu_fill(gpu, vm, mem, size, 1), -EPERM);
	CHECK_RET(gpu_evict_vm(gpu, vm), -EPERM);
	CHECK_RET(gpu_residency(gpu, vm, mem, size, map), -EPERM);
	CHECK_RET(gpu_vm_destroy(gpu, vm), -EPERM);
}

static void use_inherited(void *arg)
{
	struct area *area = arg, mine;

	check_refused(area->gpu, area->vm, area->mem, area->size);
	area_check_cpu(area);
	mine = area_filled(area->gpu, area->size, 0, MEM_SMALL);
	area_populate(&mine);
	area_device_flip(&mine, FLIP);
	area_check_cpu(&mine);
}

static void inherited(struct gpu *gpu)
{
	struct area area = populated(gpu, 64 * PAGE);

	test_join(test_fork(use_inherited, &area));
	area_check_device(&area);
	area_check_cpu(&area);
}

/* Two threads are the first to use a file. */
struct first_use {
	struct gpu gpu;
	pthread_barrier_t gate;
};

static void *use_first(void *arg)
{
	struct first_use *first = arg;
	struct area area;

	pthread_barrier_wait(&first->gate);
	area = populated(&first->gpu, 64 * PAGE);
	area_check_cpu(&area);
	CHECK_OK(gpu_vm_destroy(&first->gpu, area.vm));
	return NULL;
}

static void first_use(struct gpu *gpu)
{
	for (int i = 0; i < 20; i++) {
		struct first_use first;
		struct crew crew;

		CHECK_OK(gpu_open(&first.gpu, gpu->index));
		CHECK_EQ(pthread_barrier_init(&first.gate, NULL, 4), 0);
		crew_start(&crew, 4, use_first, &first);
		crew_join(&crew);
		gpu_close(&first.gpu);
	}
}

/* The same program again, with the file of the device and no memory in common. */
static int after_exec(char **argv)
{
	struct gpu gpu = { .fd = atoi(argv[0]) };
	uint32_t vm = strtoul(argv[1], NULL, 0);
	struct drm_mockgpu_populate populate = { };
	struct area area;
	char *mem = mem_map(64 * PAGE, 0, MEM_SMALL);
	unsigned int tries;
	uint8_t map[64];

	if (!mem || gpu_populate(&gpu, vm, mem, 64 * PAGE) != -EPERM ||
	    gpu_fill(&gpu, vm, mem, 64 * PAGE, 1) != -EPERM ||
	    gpu_residency(&gpu, vm, mem, 64 * PAGE, map) != -EPERM ||
	    gpu_evict_vm(&gpu, vm) != -EPERM || gpu_vm_destroy(&gpu, vm) != -EPERM)
		return 1;
	area = (struct area){ .gpu = &gpu, .mem = mem, .size = 64 * PAGE };
	area_fill(&area);
	if (gpu_vm_create(&gpu, &area.vm))
		return 2;
	populate.vm_id = area.vm;
	populate.addr = (uintptr_t)mem;
	populate.size = area.size;
	if (gpu_populate_patiently(&gpu, &populate, &tries) ||
	    gpu_xor(&gpu, area.vm, mem, area.size, FLIP))
		return 2;
	return pattern_matches(mem, area.size, area.seed, FLIP, &(struct mismatch){ }) ? 0 : 3;
}

static void exec_again(void *arg)
{
	struct area area = populated(arg, 2 * MIB);
	char fd[16], vm[16];

	CHECK_SYS(fcntl(area.gpu->fd, F_SETFD, 0));
	snprintf(fd, sizeof(fd), "%d", area.gpu->fd);
	snprintf(vm, sizeof(vm), "%u", area.vm);
	execl("/proc/self/exe", "family", "--after-exec", fd, vm, NULL);
	FAIL("exec: %s", errno_name(errno));
}

static void exec_and_use(struct gpu *gpu)
{
	test_join(test_fork(exec_again, gpu));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES, 0);
}

#define COPY_SECONDS	3

/* One copy of the engine takes long, and who waits for that is gone no sooner. */
static void *wait_for_engine(void *arg)
{
	struct area slow = area_filled(arg, PAGE, 0, MEM_SMALL);

	gpu_populate(slow.gpu, slow.vm, slow.mem, slow.size);
	return NULL;
}

struct doomed {
	struct gpu *gpu;
	struct relay relay;
};

/* Ranges with pages in VRAM and in RAM, and memory that no device knows. */
static void be_doomed(void *arg)
{
	struct doomed *doomed = arg;
	struct area vram = populated(doomed->gpu, 2 * MIB);
	struct area ram = area_filled(doomed->gpu, 2 * MIB, 0, MEM_SMALL);
	char *other = mem_map(8 * MIB, 0, MEM_SMALL);
	struct crew crew;

	CHECK(other);
	memset(other, 1, 8 * MIB);
	area_device_flip(&ram, FLIP);
	area_check_device(&vram);
	CHECK_OK(knob_set(doomed->gpu, "copy_delay_us", COPY_SECONDS * 1000000));
	crew_start(&crew, 1, wait_for_engine, doomed->gpu);
	sleep_ms(300);
	relay_say(doomed->relay.ready);
	for (;;)
		pause();
}

/*
 * The memory of a process that was killed and cannot end yet is taken from it, as by the
 * kernel when there is no other memory left (whose report would look like a failure):
 * core mm may not wait for devices then, which keep what they have until the end.
 */
static void reaped(struct gpu *gpu)
{
	struct doomed doomed = { .gpu = gpu, .relay = relay_new(gpu) };
	pid_t pid = test_fork(be_doomed, &doomed);
	int fd = syscall(SYS_pidfd_open, pid, 0);
	unsigned int times = 0;
	siginfo_t info = { };
	double begin;

	CHECK_SYS(fd);
	relay_wait(doomed.relay.ready);
	CHECK_SYS(kill(pid, SIGKILL));
	begin = seconds_now();
	do {
		int ret = syscall(SYS_process_mrelease, fd, 0) ? errno : 0;

		if (ret == ENOSYS)
			test_skip("the kernel has no process_mrelease");
		CHECK(!ret || ret == EAGAIN || ret == ESRCH || ret == EINVAL);
		times += !ret || ret == EAGAIN;
		check_bound("the end of a process whose memory was taken", begin);
		sleep_ms(50);
		CHECK_SYS(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	} while (!info.si_pid);
	CHECK_SYS(waitpid(pid, NULL, 0));
	CHECK_OK(knob_set(gpu, "copy_delay_us", 0));
	printf("# taken %u times\n", times);
	CHECK(times);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	close(fd);
}

static const struct test tests[] = {
	{ "parent-gone", parent_gone, NEED_VRAM | NEED_ROOT, 0 },
	{ "core-dump", core_dump, NEED_VRAM | NEED_ROOT, 0 },
	{ "closed-by-sibling", closed_by_sibling, NEED_VRAM, 0 },
	{ "let-go", let_go, NEED_VRAM, 0 },
	{ "let-go-by-exit", let_go_by_exit, NEED_VRAM, 0 },
	{ "reclaim", reclaim, NEED_VRAM | NEED_ROOT, 0 },
	{ "last-is-unmap", last_is_unmap, NEED_VRAM, 0 },
	{ "last-is-exit", last_is_exit, NEED_VRAM, 0 },
	{ "exit-anywhere", exit_anywhere, NEED_VRAM, 0 },
	{ "tree", tree, NEED_VRAM, 0 },
	{ "small-blocks", small_blocks, NEED_VRAM, 0 },
	{ "inherited", inherited, NEED_VRAM, 0 },
	{ "first-use", first_use, NEED_VRAM, 0 },
	{ "exec-and-use", exec_and_use, NEED_VRAM, 0 },
	{ "reaped", reaped, NEED_VRAM | NEED_KNOBS, 0 },
};

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "--after-exec"))
		return after_exec(argv + 2);
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
