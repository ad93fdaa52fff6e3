// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory of which fork() makes two, while the device has it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kinds.h"
#include "suite.h"

#define SIZE	(32 * PAGE)

struct variant {
	const char *name;
	const char *kind;
	bool populate;
	size_t size;
	unsigned int needs;
};

static const struct variant variants[] = {
	{ "system", "mmap", false, SIZE, 0 },
	{ "vram", "mmap", true, SIZE, NEED_VRAM },
	{ "huge-system", "thp", false, HUGE_PAGE, NEED_THP },
	{ "huge-vram", "thp", true, HUGE_PAGE, NEED_VRAM | NEED_THP },
};

/* Both know when the other is there. */
struct family {
	struct buffer buffer;
	unsigned int index;
	int to_child[2];
	int to_parent[2];
};

struct scene {
	const char *name;
	const char *describe;
	void (*child)(void *family);
	void (*parent)(struct family *family);
};

struct cell {
	const struct scene *scene;
	const struct variant *variant;
};

static void say(const int fds[2])
{
	CHECK_EQ(write(fds[1], "", 1), 1);
}

static void hear(const int fds[2])
{
	char byte;

	CHECK_EQ(read(fds[0], &byte, 1), 1);
}

/* The child's own VM of what it inherited. */
static struct buffer own_view(const struct family *family)
{
	static struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, family->index));
	return buffer_as_seen_by(&family->buffer, &gpu);
}

static void child_reads(void *arg)
{
	struct family *family = arg;

	buffer_check_cpu(&family->buffer);
	say(family->to_parent);
}

static void parent_reads_after(struct family *family)
{
	hear(family->to_parent);
	buffer_check(&family->buffer);
}

static void parent_reads_at_once(struct family *family)
{
	buffer_check(&family->buffer);
	hear(family->to_parent);
}

/* Its shadow is a copy, too, and each has its own from now on. */
static void child_writes(void *arg)
{
	struct family *family = arg;

	buffer_cpu_write(&family->buffer);
	say(family->to_parent);
	hear(family->to_child);
	buffer_check_cpu(&family->buffer);
}

static void parent_keeps(struct family *family)
{
	hear(family->to_parent);
	buffer_check(&family->buffer);
	buffer_dev_xor(&family->buffer, 0, family->buffer.size, new_value());
	buffer_check(&family->buffer);
	say(family->to_child);
}

static void child_waits(void *arg)
{
	struct family *family = arg;

	hear(family->to_child);
	buffer_check_cpu(&family->buffer);
}

static void parent_writes(struct family *family)
{
	buffer_cpu_write(&family->buffer);
	buffer_check(&family->buffer);
	say(family->to_child);
}

static void parent_dev_writes(struct family *family)
{
	buffer_dev_xor(&family->buffer, 0, family->buffer.size, new_value());
	buffer_dev_write(&family->buffer, 5, 3 * PAGE);
	buffer_check(&family->buffer);
	say(family->to_child);
}

static void child_dev_writes(void *arg)
{
	struct family *family = arg;
	struct buffer mine = own_view(family);

	buffer_check_dev(&mine);
	buffer_dev_xor(&mine, 0, mine.size, new_value());
	buffer_check(&mine);
	say(family->to_parent);
	hear(family->to_child);
	buffer_check(&mine);
}

static void child_populates(void *arg)
{
	struct family *family = arg;
	struct buffer mine = own_view(family);
	int ret;

	if (gpu_has_vram(mine.gpu)) {
		ret = buffer_try_populate(&mine);
		CHECK(!ret || ret == -EBUSY);
	}
	buffer_dev_xor(&mine, 0, mine.size, new_value());
	buffer_check(&mine);
	say(family->to_parent);
	hear(family->to_child);
	buffer_check(&mine);
}

static void both_write(void *arg)
{
	struct family *family = arg;
	struct buffer mine = own_view(family);

	for (int round = 0; round < 4; round++) {
		buffer_dev_xor(&mine, 0, mine.size, new_value());
		buffer_cpu_touch(&mine);
		buffer_check_dev(&mine);
	}
	say(family->to_parent);
	hear(family->to_child);
}

static void parent_writes_too(struct family *family)
{
	for (int round = 0; round < 4; round++) {
		buffer_cpu_touch(&family->buffer);
		buffer_dev_xor(&family->buffer, 0, family->buffer.size, new_value());
		buffer_check_dev(&family->buffer);
	}
	hear(family->to_parent);
	buffer_check(&family->buffer);
	say(family->to_child);
}

/* The child has what the parent has no more. */
static void parent_unmaps(struct family *family)
{
	CHECK_SYS(munmap(family->buffer.mem, family->buffer.size));
	say(family->to_child);
}

static void child_unmaps(void *arg)
{
	struct family *family = arg;

	CHECK_SYS(munmap(family->buffer.mem, family->buffer.size));
	say(family->to_parent);
}

/* Killed with memory in VRAM that it shares with its parent. */
static void child_is_killed(void *arg)
{
	struct family *family = arg;

	buffer_cpu_touch(&family->buffer);
	say(family->to_parent);
	pause();
}

static void grandchild(void *arg)
{
	struct family *family = arg;

	buffer_check_cpu(&family->buffer);
	buffer_cpu_write(&family->buffer);
	buffer_check_cpu(&family->buffer);
}

static void child_forks(void *arg)
{
	struct family *family = arg;
	struct buffer mine = own_view(family);
	pid_t pids[3];

	for (int i = 0; i < 3; i++) {
		buffer_dev_xor(&mine, 0, mine.size, new_value());
		pids[i] = test_fork(grandchild, family);
	}
	for (int i = 0; i < 3; i++)
		test_join(pids[i]);
	buffer_check(&mine);
	say(family->to_parent);
}

static void exec_child(void *arg)
{
	(void)arg;
	execl("/bin/true", "true", (char *)NULL);
	FAIL("exec: %s", errno_name(errno));
}

static void parent_after_exec(struct family *family)
{
	buffer_dev_xor(&family->buffer, 0, family->buffer.size, new_value());
	buffer_check(&family->buffer);
}

static const struct scene scenes[] = {
	{ "child-reads", "the child reads, then the parent", child_reads, parent_reads_after },
	{ "both-read", "parent and child read at once", child_reads, parent_reads_at_once },
	{ "child-writes", "what the child writes is its own", child_writes, parent_keeps },
	{ "parent-writes", "what the parent writes is its own", child_waits, parent_writes },
	{ "parent-device-writes", "what the parent's device writes is the parent's", child_waits,
	  parent_dev_writes },
	{ "child-device-writes", "what the child's device writes is the child's",
	  child_dev_writes, parent_keeps },
	{ "child-populates", "the child moves its part", child_populates, parent_keeps },
	{ "both-write", "both and their devices write all the time", both_write,
	  parent_writes_too },
	{ "parent-unmaps", "the child keeps what the parent gives up", child_waits,
	  parent_unmaps },
	{ "child-unmaps", "the parent keeps what the child gives up", child_unmaps,
	  parent_reads_after },
	{ "grandchildren", "children of the child write", child_forks, parent_reads_after },
	{ "child-execs", "the child becomes another program", exec_child, parent_after_exec },
};

static struct family begin(struct gpu *gpu, const struct variant *variant)
{
	struct family family = { .index = gpu->index };

	family.buffer = kind_buffer(kind_find(variant->kind), gpu, variant->size, NULL);
	CHECK_SYS(pipe(family.to_child));
	CHECK_SYS(pipe(family.to_parent));
	buffer_dev_xor(&family.buffer, 0, family.buffer.size, new_value());
	if (variant->populate)
		buffer_populate(&family.buffer);
	buffer_dev_xor(&family.buffer, 0, family.buffer.size, new_value());
	return family;
}

static void play(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	struct family family = begin(gpu, cell->variant);

	for (int round = 0; round < 2; round++) {
		pid_t pid = test_fork(cell->scene->child, &family);

		cell->scene->parent(&family);
		test_join(pid);
		if (cell->scene->parent == parent_unmaps)
			return;
		buffer_check(&family.buffer);
		if (cell->variant->populate)
			buffer_populate(&family.buffer);
	}
}

static void killed(struct gpu *gpu, const void *arg)
{
	struct family family = begin(gpu, arg);
	int status;
	pid_t pid;

	for (int round = 0; round < 3; round++) {
		pid = test_fork(child_is_killed, &family);
		hear(family.to_parent);
		CHECK_SYS(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		buffer_dev_xor(&family.buffer, 0, family.buffer.size, new_value());
		buffer_check(&family.buffer);
	}
}

/* The same pages for both: all see what any of them writes. */
static void shared_child(void *arg)
{
	struct family *family = arg;
	struct buffer mine = own_view(family);

	hear(family->to_child);
	CHECK_OK(gpu_xor(mine.gpu, mine.vm, mine.mem, mine.size, 5));
	say(family->to_parent);
}

static void shared(struct gpu *gpu, const void *arg)
{
	struct family family = { .index = gpu->index };
	uint64_t *words;
	pid_t pid;

	family.buffer = kind_buffer(kind_find(arg), gpu, SIZE, NULL);
	CHECK_SYS(pipe(family.to_child));
	CHECK_SYS(pipe(family.to_parent));
	pid = test_fork(shared_child, &family);
	buffer_dev_xor(&family.buffer, 0, SIZE, new_value());
	say(family.to_child);
	hear(family.to_parent);
	words = (uint64_t *)family.buffer.shadow;
	for (size_t i = 0; i < SIZE / 8; i++)
		words[i] ^= 5;
	buffer_check(&family.buffer);
	test_join(pid);
}

/* vfork() and its like have one address space: the child's device is the parent's. */
static void same_space(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	int status;
	pid_t pid;

	(void)arg;
	if (gpu_has_vram(gpu))
		buffer_populate(&buffer);
	pid = vfork();
	if (!pid) {
		/* The one thing it may do with the stack of its parent: nothing. */
		_exit(gpu_fill(gpu, buffer.vm, buffer.mem, PAGE, 11) ? 1 : 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	for (size_t i = 0; i < PAGE / 8; i++)
		((uint64_t *)buffer.shadow)[i] = 11;
	buffer_check(&buffer);
}

static void wipe_child(void *arg)
{
	struct family *family = arg;

	for (size_t i = 0; i < SIZE; i++)
		CHECK(!family->buffer.mem[i]);
}

static void not_inherited(struct gpu *gpu, const void *arg)
{
	struct family family = { .buffer = buffer_filled(gpu, SIZE, MEM_SMALL) };
	int advice = *(const int *)arg;

	if (gpu_has_vram(gpu))
		buffer_populate(&family.buffer);
	CHECK_SYS(madvise(family.buffer.mem, SIZE, advice));
	if (advice == MADV_WIPEONFORK)
		test_join(test_fork(wipe_child, &family));
	else
		test_join(test_fork(exec_child, &family));
	buffer_dev_xor(&family.buffer, 0, SIZE, new_value());
	buffer_check(&family.buffer);
}

static void cells(const void *arg)
{
	struct cell cell = { arg, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		cell.variant = &variants[i];
		dynamic(variants[i].needs, play, &cell, "%s", variants[i].name);
	}
}

static void subtests(void)
{
	static const char *const kinds_shared[] = { "mmap-shared", "memfd", "file-shared", "shm",
						    "hugetlb-shared" };
	static const int wipe = MADV_WIPEONFORK, dont = MADV_DONTFORK;
	char describe[200];

	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		snprintf(describe, sizeof(describe), "fork(): %s", scenes[i].describe);
		subtest_of(describe, cells, &scenes[i], "%s", scenes[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		subtest("A child that shares the device's pages is killed", variants[i].needs,
			killed, &variants[i], "child-killed-%s", variants[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(kinds_shared); i++)
		subtest("Devices of parent and child write to the same pages", 0, shared,
			kinds_shared[i], "shared-%s", kinds_shared[i]);
	subtest("vfork(): the child is in its parent's address space", 0, same_space, NULL,
		"vfork");
	subtest("A child has zeros where the parent's device works", 0, not_inherited, &wipe,
		"wipe-on-fork");
	subtest("A child has nothing where the parent's device works", 0, not_inherited, &dont,
		"dont-fork");
}

SUITE("fork() and copy-on-write", subtests)
