// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Several VMs, of one device or of two, that share the ranges of an address space:
 * what happens to memory happens to all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "knob.h"
#include "queue.h"
#include "suite.h"

#define PAGES	32
#define SIZE	(PAGES * PAGE)
#define MEMBERS	3
/* As many may share. */
#define MOST	16
/* More mappings of one page than this are a leak to a kernel that checks DMA. */
#define MOST_CHECKED	7

/* Each has its own view of the same memory. */
struct team {
	struct gpu gpus[MEMBERS];
	struct buffer views[MEMBERS];
};

static int shared_vm(const struct gpu *gpu, uint32_t *id)
{
	struct drm_mockgpu_vm vm = { .flags = MOCKGPU_VM_SHARED };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_VM_CREATE, &vm);

	*id = vm.vm_id;
	return ret;
}

/* The second one is of another device, if there is to be one. */
static void team_new(struct team *team, const struct gpu *gpu, const struct buffer *buffer,
		     bool two_devices)
{
	CHECK_OK(gpu_vm_destroy(gpu, buffer->vm));
	for (unsigned int i = 0; i < MEMBERS; i++) {
		team->gpus[i] = *gpu;
		if (two_devices && i == 1)
			CHECK_OK(gpu_open(&team->gpus[i], gpu->index ? 0 : 1));
		team->views[i] = *buffer;
		team->views[i].gpu = &team->gpus[i];
		CHECK_OK(shared_vm(&team->gpus[i], &team->views[i].vm));
	}
}

/* Each changes it and all see what it has become. */
static void all_work(const struct team *team)
{
	for (unsigned int i = 0; i < MEMBERS; i++) {
		buffer_dev_xor(&team->views[i], 0, team->views[i].size / 8 * 8, new_value());
		for (unsigned int k = 0; k < MEMBERS; k++)
			buffer_check_dev(&team->views[k]);
	}
	buffer_check_cpu(&team->views[0]);
}

static void kind_shared(struct gpu *gpu, const struct kind *kind, bool two_devices)
{
	struct buffer buffer = kind_buffer(kind, gpu, SIZE, NULL);
	struct team team;

	team_new(&team, gpu, &buffer, two_devices);
	all_work(&team);
	buffer_cpu_touch(&team.views[0]);
	all_work(&team);
	if (!(kind->flags & KIND_MOVES) || !gpu_has_vram(gpu))
		return;
	/* Into the memory of one after the other. */
	for (unsigned int i = 0; i < MEMBERS; i++) {
		buffer_populate(&team.views[i]);
		all_work(&team);
	}
}

static void one_device(struct gpu *gpu, const void *arg)
{
	kind_shared(gpu, arg, false);
}

static void two_devices(struct gpu *gpu, const void *arg)
{
	kind_shared(gpu, arg, true);
}

static void kind_cells(const void *arg)
{
	const struct kind *kind = arg;

	dynamic(kind->needs, one_device, kind, "one-device");
	dynamic(kind->needs | NEED_TWO_DEVICES, two_devices, kind, "two-devices");
}

/* What happens to memory that all of them know. */
struct event {
	const char *name;
	const char *describe;
	void (*happen)(struct team *team);
	unsigned int needs;
};

/* The shadow is the same for all. */
static void set_views(struct team *team, char *mem, size_t size)
{
	for (unsigned int i = 0; i < MEMBERS; i++) {
		team->views[i].mem = mem;
		team->views[i].size = size;
	}
}

static void check_gone(const struct team *team, char *mem)
{
	uint64_t data;

	for (unsigned int i = 0; i < MEMBERS; i++)
		CHECK_RET(gpu_read(team->views[i].gpu, team->views[i].vm, mem, 8, &data), -EFAULT);
}

static void unmap_end(struct team *team)
{
	char *mem = team->views[0].mem;

	CHECK_SYS(munmap(mem + SIZE / 2, SIZE / 2));
	check_gone(team, mem + SIZE / 2);
	check_gone(team, mem + SIZE - 8);
	set_views(team, mem, SIZE / 2);
}

static void unmap_middle(struct team *team)
{
	char *mem = team->views[0].mem;

	CHECK_SYS(munmap(mem + SIZE / 4, PAGE));
	check_gone(team, mem + SIZE / 4);
	set_views(team, mem, SIZE / 4);
}

static void replace(struct team *team)
{
	char *mem = team->views[0].mem;

	CHECK(mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == mem);
	buffer_expect_zeros(&team->views[0]);
}

static void drop(struct team *team)
{
	CHECK_SYS(madvise(team->views[0].mem, SIZE, MADV_DONTNEED));
	buffer_expect_zeros(&team->views[0]);
}

static void remap(struct team *team)
{
	char *from = team->views[0].mem, *to = mem_map(SIZE, 0, MEM_SMALL);

	CHECK(to && mremap(from, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	check_gone(team, from);
	set_views(team, to, SIZE);
}

static void protect(struct team *team)
{
	CHECK_SYS(mprotect(team->views[0].mem, SIZE, PROT_READ));
	for (unsigned int i = 0; i < MEMBERS; i++) {
		buffer_dev_denied(&team->views[i], PAGE, MOCKGPU_ACCESS_FILL, -EFAULT);
		buffer_check_dev(&team->views[i]);
	}
	CHECK_SYS(mprotect(team->views[0].mem, SIZE, PROT_READ | PROT_WRITE));
}

static void write_by_cpu(void *arg)
{
	const struct team *team = arg;

	buffer_check_cpu(&team->views[0]);
	buffer_cpu_touch(&team->views[0]);
	buffer_check_cpu(&team->views[0]);
}

/* What the child writes is the child's. */
static void fork_child(struct team *team)
{
	test_join(test_fork(write_by_cpu, team));
}

static void want_read_only(struct team *team)
{
	struct drm_mockgpu_attr_range args = {
		.vm_id = team->views[0].vm, .attr = MOCKGPU_ATTR_READ_ONLY, .value = 1,
		.addr = (uintptr_t)team->views[0].mem, .size = SIZE,
	};

	/* Attributes are shared with the ranges. */
	CHECK_OK(gpu_ioctl(team->views[0].gpu, DRM_IOCTL_MOCKGPU_SET_ATTR, &args));
	for (unsigned int i = 0; i < MEMBERS; i++)
		buffer_dev_denied(&team->views[i], 0, MOCKGPU_ACCESS_XOR, -EFAULT);
	args.value = 0;
	args.vm_id = team->views[MEMBERS - 1].vm;
	CHECK_OK(gpu_ioctl(team->views[MEMBERS - 1].gpu, DRM_IOCTL_MOCKGPU_SET_ATTR, &args));
}

static void evict(struct team *team)
{
	buffer_populate(&team->views[1]);
	buffer_check_dev(&team->views[0]);
	buffer_evict(&team->views[1]);
}

/* One leaves and comes back. */
static void leave(struct team *team)
{
	struct buffer *view = &team->views[1];

	CHECK_OK(gpu_vm_destroy(view->gpu, view->vm));
	buffer_dev_xor(&team->views[0], 0, SIZE, new_value());
	buffer_check_dev(&team->views[2]);
	CHECK_OK(shared_vm(view->gpu, &view->vm));
}

/* Jobs of all of them on the same words. */
static void jobs(struct team *team)
{
	uint64_t *shadow = (uint64_t *)team->views[0].shadow;

	for (unsigned int i = 0; i < MEMBERS; i++) {
		const struct buffer *view = &team->views[i];
		uint32_t queue = queue_new(view->gpu, view->vm);

		CHECK_OK(job_do(view->gpu, queue, cmd_add_strided(view->mem, SIZE, i + 1,
								  PAGES, PAGE)));
		for (size_t page = 0; page < PAGES; page++)
			shadow[page * PAGE / 8] += i + 1;
	}
}

static const struct event events[] = {
	{ "unmap-end", "a half of it is unmapped", unmap_end, 0 },
	{ "unmap-middle", "a page of it is unmapped", unmap_middle, 0 },
	{ "replace", "other memory is mapped over it", replace, 0 },
	{ "drop", "its pages are dropped", drop, 0 },
	{ "remap", "it moves to another address", remap, 0 },
	{ "protect", "it may not be written for a while", protect, 0 },
	{ "fork", "the process forks and its child writes", fork_child, 0 },
	{ "read-only", "the device may not write for a while", want_read_only, 0 },
	{ "evict", "it moves into VRAM and back", evict, NEED_VRAM },
	{ "leave", "one VM goes and another one comes", leave, 0 },
	{ "jobs", "jobs add to it", jobs, 0 },
};

static void run_event(struct gpu *gpu, const struct event *event, bool two, bool in_vram)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct team team;

	team_new(&team, gpu, &buffer, two);
	all_work(&team);
	if (in_vram)
		buffer_populate(&team.views[0]);
	event->happen(&team);
	all_work(&team);
}

static void event_one_device(struct gpu *gpu, const void *arg)
{
	run_event(gpu, arg, false, false);
}

static void event_two_devices(struct gpu *gpu, const void *arg)
{
	run_event(gpu, arg, true, false);
}

static void event_in_vram(struct gpu *gpu, const void *arg)
{
	run_event(gpu, arg, true, true);
}

static void event_cells(const void *arg)
{
	const struct event *event = arg;

	dynamic(event->needs, event_one_device, event, "one-device");
	dynamic(event->needs | NEED_TWO_DEVICES, event_two_devices, event, "two-devices");
	dynamic(event->needs | NEED_TWO_DEVICES | NEED_VRAM, event_in_vram, event, "in-vram");
}

/* So many and no more, of which each sees the same. */
static void most(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL), views[MOST];
	unsigned int busy = dma_is_checked() ? MOST_CHECKED : MOST;
	uint32_t id;

	(void)arg;
	for (unsigned int i = 0; i < MOST; i++) {
		views[i] = buffer;
		CHECK_OK(shared_vm(gpu, &views[i].vm));
		if (i < busy)
			buffer_dev_xor(&views[i], 0, SIZE, new_value());
	}
	CHECK_RET(shared_vm(gpu, &id), -EBUSY);
	for (unsigned int i = 0; i < busy; i++)
		buffer_check_dev(&views[i]);
	CHECK_OK(gpu_vm_destroy(gpu, views[0].vm));
	CHECK_OK(shared_vm(gpu, &views[0].vm));
	buffer_check(&views[0]);
}

static const struct single others[] = {
	{ "most", "As many VMs as may share their ranges", most, 0 },
};

static void subtests(void)
{
	char describe[160];

	for (size_t i = 0; i < kind_count; i++) {
		snprintf(describe, sizeof(describe), "VMs that share their ranges: %s",
			 kinds[i].describe);
		subtest_of(describe, kind_cells, &kinds[i], "shared-%s", kinds[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		snprintf(describe, sizeof(describe), "VMs that share their ranges: %s",
			 events[i].describe);
		subtest_of(describe, event_cells, &events[i], "%s", events[i].name);
	}
	singles(others, ARRAY_SIZE(others));
}

SUITE("VMs that share the ranges of an address space", subtests)
