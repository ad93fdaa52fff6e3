// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define PIPE_PAGES	256

double brief_seconds(void)
{
	const char *seconds = getenv("TEST_SECONDS");

	return (seconds ? atof(seconds) : 4) / 4;
}

void check_bound(const char *what, double begin)
{
	double seconds = seconds_now() - begin;

	if (seconds > patience(BOUND_SECONDS))
		FAIL("%s took %.1f s", what, seconds);
}

void crew_start(struct crew *crew, unsigned int count, void *(*work)(void *arg), void *arg)
{
	CHECK(count <= MOST_THREADS);
	for (crew->count = 0; crew->count < count; crew->count++)
		CHECK_EQ(pthread_create(&crew->threads[crew->count], NULL, work, arg), 0);
}

void crew_join(struct crew *crew)
{
	for (unsigned int i = 0; i < crew->count; i++)
		CHECK_EQ(pthread_join(crew->threads[i], NULL), 0);
}

struct pins pins_new(void)
{
	struct pins pins;

	CHECK_SYS(pipe2(pins.fds, O_CLOEXEC));
	CHECK_SYS(fcntl(pins.fds[1], F_SETPIPE_SZ, PIPE_PAGES * PAGE));
	return pins;
}

void pins_add(const struct pins *pins, const char *page)
{
	struct iovec piece = { (void *)page, PAGE };

	CHECK_EQ(vmsplice(pins->fds[1], &piece, 1, SPLICE_F_NONBLOCK), (long long)PAGE);
}

void pins_drop(const struct pins *pins)
{
	close(pins->fds[0]);
	close(pins->fds[1]);
}

void wait_for_counter(const struct gpu *gpu, unsigned int which, uint64_t value)
{
	double begin = seconds_now();

	while (counter(gpu, which) != value && seconds_now() - begin < patience(BOUND_SECONDS))
		sleep_ms(2);
	if (counter(gpu, which) != value)
		FAIL("%s: %llu, not %llu", gpu_counter_name(which),
		     (unsigned long long)counter(gpu, which), (unsigned long long)value);
}

void wait_for_copy(const struct gpu *gpu)
{
	double begin = seconds_now();

	while (!counter(gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES)) {
		check_bound("to begin a copy", begin);
		sleep_ms(1);
	}
}

/* The files are with the primary node, whose name has another number. */
static unsigned int card_number(const struct gpu *gpu)
{
	unsigned int number = gpu->minor;
	struct dirent *entry;
	char path[64];
	DIR *nodes;

	snprintf(path, sizeof(path), "/sys/dev/char/226:%u/device/drm", gpu->minor);
	nodes = opendir(path);
	CHECK(nodes);
	while ((entry = readdir(nodes)))
		if (sscanf(entry->d_name, "card%u", &number) == 1)
			break;
	closedir(nodes);
	return number;
}

void device_file(const struct gpu *gpu, const char *name, char *path, size_t size)
{
	snprintf(path, size, "/sys/kernel/debug/dri/%u/%s", card_number(gpu), name);
}

uint8_t *area_map(const struct area *area)
{
	uint8_t *map = malloc(area->size / PAGE);

	CHECK(map);
	CHECK_OK(gpu_residency(area->gpu, area->vm, area->mem, area->size, map));
	return map;
}

void check_all_but(const struct area *area, bool (*stays)(size_t page))
{
	uint8_t *map = area_map(area);

	for (size_t page = 0; page < area->size / PAGE; page++) {
		unsigned int want = stays(page) ? MOCKGPU_PAGE_SYSTEM : MOCKGPU_PAGE_DEVICE;

		if (map[page] != want)
			FAIL("page %zu is of kind %u, not %u", page, map[page], want);
	}
	free(map);
}

#define GROUPS	"/sys/fs/cgroup"

static void group_file(const struct group *group, const char *file, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", group->path, file);
}

struct group group_new(void)
{
	struct group group;
	char path[128];

	if (file_write(GROUPS "/cgroup.subtree_control", "+memory"))
		test_skip("no memory controller in the unified hierarchy of control groups");
	snprintf(group.path, sizeof(group.path), GROUPS "/mockgpu-%d", getpid());
	CHECK_SYS(mkdir(group.path, 0755));
	group_file(&group, "memory.max", path, sizeof(path));
	if (access(path, W_OK))
		test_skip("control groups have no memory.max");
	return group;
}

void group_enter(const struct group *group)
{
	char path[128];

	group_file(group, "cgroup.procs", path, sizeof(path));
	CHECK_OK(file_write(path, "0"));
}

void group_set(const struct group *group, const char *file, uint64_t value)
{
	char path[128], text[32];

	group_file(group, file, path, sizeof(path));
	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	CHECK_OK(file_write(path, text));
}

uint64_t group_get(const struct group *group, const char *file)
{
	char path[128], line[64];

	group_file(group, file, path, sizeof(path));
	return strtoull(file_line(path, line, sizeof(line)), NULL, 10);
}

/* Its processes have ended, which the group learns a little later. */
void group_remove(const struct group *group)
{
	double begin = seconds_now();

	while (rmdir(group->path) && seconds_now() - begin < patience(BOUND_SECONDS))
		sleep_ms(10);
}

void join_in_time(pid_t pid, const char *what)
{
	double begin = seconds_now();
	siginfo_t info = { };

	do {
		CHECK_SYS(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
		if (!info.si_pid)
			sleep_ms(2);
		check_bound(what, begin);
	} while (!info.si_pid);
}

size_t huge_kib(const char *mem)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	size_t kib = 0;
	bool here = false;
	char line[256];

	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)mem && (uintptr_t)mem < end;
		if (here && sscanf(line, "AnonHugePages: %zu kB", &kib) == 1)
			break;
	}
	fclose(maps);
	return here ? kib : 0;
}

unsigned long huge_pages_split(void)
{
	return file_number("/proc/vmstat", "thp_split_page ");
}

/* The kernel's number, as 6012 for 6.12. */
static unsigned int kernel_release(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname name;

	CHECK_SYS(uname(&name));
	CHECK_EQ(sscanf(name.release, "%u.%u", &major, &minor), 2);
	return major * 1000 + minor;
}

bool torn_pages_move(void)
{
	return kernel_release() >= 6019;
}
