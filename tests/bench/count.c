// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How often something happens in the kernel on behalf of this program: counters on
 * tracepoints, and on functions that have none. They take time, so there are none
 * while it is measured.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define TRACING	"/sys/kernel/tracing"
#define KPROBE	"/sys/bus/event_source/devices/kprobe/type"

/* The first name that there is: a tracepoint has a slash, a function has none. */
static const struct {
	const char *name;
	const char *sources[3];
} what[EVENT_COUNT] = {
	[EVENT_DMA_MAP] = { "dma-maps", { "dma/dma_map_phys", "dma/dma_map_page" } },
	[EVENT_DMA_UNMAP] = { "dma-unmaps", { "dma/dma_unmap_phys", "dma/dma_unmap_page" } },
	[EVENT_TLB_FLUSH] = { "tlb-flushes", { "tlb/tlb_flush" } },
	[EVENT_KMALLOC] = { "kmallocs", { "kmem/kmalloc" } },
	[EVENT_SLAB_ALLOC] = { "slab-allocs", { "kmem/kmem_cache_alloc" } },
	[EVENT_PAGE_ALLOC] = { "page-allocs", { "kmem/mm_page_alloc" } },
	[EVENT_MIGRATE_VMA] = { "migrate-vma", { "migrate_vma_setup" } },
	[EVENT_MIGRATE_DEVICE] = { "migrate-device",
				   { "migrate_device_pfns", "migrate_device_range" } },
};

static int fds[EVENT_COUNT];
static bool can[EVENT_COUNT];

static long read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	long number = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

static int open_event(struct perf_event_attr *attr)
{
	attr->size = sizeof(*attr);
	attr->disabled = 1;
	attr->inherit = 1;	/* by the threads of a row */
	return syscall(SYS_perf_event_open, attr, 0, -1, -1, 0);
}

static int open_tracepoint(const char *name)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
	char path[200];
	long id;

	snprintf(path, sizeof(path), TRACING "/events/%s/id", name);
	id = read_number(path);
	if (id < 0)
		return -1;
	attr.config = id;
	return open_event(&attr);
}

static int open_function(const char *name)
{
	struct perf_event_attr attr = {};
	long type = read_number(KPROBE);

	if (type < 0)
		return -1;
	attr.type = type;
	attr.kprobe_func = (uintptr_t)name;
	return open_event(&attr);
}

static int open_first(const char *const sources[3])
{
	for (int i = 0; i < 3 && sources[i]; i++) {
		int fd = strchr(sources[i], '/') ? open_tracepoint(sources[i]) :
						   open_function(sources[i]);

		if (fd >= 0)
			return fd;
	}
	return -1;
}

static void open_all(void)
{
	for (int i = 0; i < EVENT_COUNT; i++)
		fds[i] = open_first(what[i].sources);
}

static void close_all(void)
{
	for (int i = 0; i < EVENT_COUNT; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Finds out what can be counted. */
void count_open(void)
{
	/* It may be there already. */
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	open_all();
	for (int i = 0; i < EVENT_COUNT; i++) {
		can[i] = fds[i] >= 0;
		if (!can[i])
			fprintf(stderr, "# %s cannot be counted on this machine\n", what[i].name);
	}
	close_all();
}

bool count_has(enum event event)
{
	return can[event];
}

const char *count_name(enum event event)
{
	return what[event].name;
}

/* What a counter is at takes longer as long as it exists, even if it does not count. */
void count_start(void)
{
	open_all();
	for (int i = 0; i < EVENT_COUNT; i++) {
		if (fds[i] < 0)
			continue;
		ioctl(fds[i], PERF_EVENT_IOC_RESET, 0);
		ioctl(fds[i], PERF_EVENT_IOC_ENABLE, 0);
	}
}

void count_stop(uint64_t events[EVENT_COUNT])
{
	for (int i = 0; i < EVENT_COUNT; i++) {
		events[i] = 0;
		if (fds[i] < 0)
			continue;
		ioctl(fds[i], PERF_EVENT_IOC_DISABLE, 0);
		if (read(fds[i], &events[i], sizeof(events[i])) != sizeof(events[i]))
			events[i] = 0;
	}
	close_all();
}
