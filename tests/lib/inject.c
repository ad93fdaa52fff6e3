// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The kernel's /proc/PID/fail-nth. It counts what is asked for by the thread, so the
 * reading and writing of the file itself, which copies from and to user memory, counts
 * as well: a refusal may also hit that.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "inject.h"
#include "knob.h"

#define DEBUGFS	"/sys/kernel/debug"
#define WORKER_SECONDS	10

static int nth_fd = -1;

/* Else only those who cannot wait for memory, or want much at once, would be refused. */
static const char *const settings[][2] = {
	{ DEBUGFS "/failslab/ignore-gfp-wait", "N" },
	{ DEBUGFS "/fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUGFS "/fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUGFS "/fail_page_alloc/min-order", "0" },
};

const char *inject_missing(void)
{
	if (access("/proc/thread-self/fail-nth", F_OK))
		return "the kernel has no CONFIG_FAULT_INJECTION";
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (file_write(settings[i][0], settings[i][1]))
			return "the kernel does not let memory fail (CONFIG_FAILSLAB, CONFIG_FAIL_PAGE_ALLOC)";
	return NULL;
}

static void write_nth(const char *text)
{
	while (write(nth_fd, text, strlen(text)) < 0)
		CHECK_EQ(errno, EFAULT);
}

static void arm(const char *path, unsigned int nth)
{
	char text[16];

	nth_fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK_SYS(nth_fd);
	snprintf(text, sizeof(text), "%u", nth);
	write_nth(text);
}

void inject_arm(unsigned int nth)
{
	arm("/proc/thread-self/fail-nth", nth);
}

/* A worker's name ends with + and what it works for, or - and what it did last. */
static int find_worker(const char *queue)
{
	DIR *processes = opendir("/proc");
	char path[320], name[80], *end;
	struct dirent *entry;
	int pid = 0;

	CHECK(processes);
	while (!pid && (entry = readdir(processes))) {
		if (!atoi(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		end = strrchr(file_line(path, name, sizeof(name)), '+');
		if (end && !strcmp(end + 1, queue))
			pid = atoi(entry->d_name);
	}
	closedir(processes);
	return pid;
}

void inject_arm_worker(const char *queue, unsigned int nth)
{
	double deadline = seconds_now() + patience(WORKER_SECONDS);
	char path[64];
	int pid;

	while (!(pid = find_worker(queue)) && seconds_now() < deadline)
		sleep_ms(2);
	if (!pid)
		FAIL("nobody works for %s", queue);
	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	arm(path, nth);
}

/* A read that is refused itself was the first that could be. */
static bool read_fired(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 0) {
		CHECK_EQ(errno, EFAULT);
		return false;
	}
	return !atoi(text);
}

bool inject_disarm(void)
{
	bool fired = read_fired(nth_fd);

	write_nth("0");
	close(nth_fd);
	return fired;
}

bool inject_fired(int pid)
{
	char path[64];
	bool fired;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK_SYS(fd);
	fired = read_fired(fd);
	close(fd);
	return fired;
}
