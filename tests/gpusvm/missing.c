// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Pages that another process has to deliver, through a userfaultfd. */
#include <dirent.h>
#include <errno.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define CONTENT	0x5555555555555555ULL

static int fault_file(char *mem, size_t size, uint64_t mode)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .range = { (uintptr_t)mem, size }, .mode = mode };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		test_skip("no userfaultfd: %s", errno_name(errno));
	CHECK_SYS(ioctl(fd, UFFDIO_API, &api));
	CHECK_SYS(ioctl(fd, UFFDIO_REGISTER, &area));
	return fd;
}

struct server {
	pthread_t thread;
	int fd, stop[2];
	unsigned int served, unprotected;
};

static void deliver(struct server *server, uint64_t addr)
{
	static uint64_t content[PAGE / sizeof(uint64_t)];
	struct uffdio_copy copy = {
		.dst = addr & -PAGE, .src = (uintptr_t)content, .len = PAGE,
	};

	memset(content, 0x55, sizeof(content));
	if (!ioctl(server->fd, UFFDIO_COPY, &copy))
		server->served++;
}

static void unprotect(struct server *server, uint64_t addr)
{
	struct uffdio_writeprotect clear = { .range = { addr & -PAGE, PAGE } };

	if (!ioctl(server->fd, UFFDIO_WRITEPROTECT, &clear))
		server->unprotected++;
}

static void *serve(void *arg)
{
	struct server *server = arg;
	struct pollfd fds[2] = {
		{ .fd = server->fd, .events = POLLIN },
		{ .fd = server->stop[0], .events = POLLIN },
	};
	struct uffd_msg message;

	while (poll(fds, 2, -1) > 0 && !fds[1].revents) {
		if (read(server->fd, &message, sizeof(message)) != sizeof(message))
			continue;
		/* Not before who waits has really begun to. */
		sleep_ms(20);
		if (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
			unprotect(server, message.arg.pagefault.address);
		else
			deliver(server, message.arg.pagefault.address);
	}
	return NULL;
}

static void server_start(struct server *server, int fd)
{
	server->fd = fd;
	CHECK_SYS(pipe(server->stop));
	CHECK_EQ(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	CHECK_EQ(write(server->stop[1], "", 1), 1);
	CHECK_EQ(pthread_join(server->thread, NULL), 0);
}

/* With nobody to deliver it, the fault ends; as soon as there is, it works. */
static void delivered(struct gpu *gpu)
{
	char *mem = mem_map(HUGE_PAGE, 0, MEM_SMALL);
	int fd = fault_file(mem, 8 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	struct server server = { };

	(void)gpu;
	svm_open();
	CHECK_RET(svm_fault_bounded(mem, 0), -EBUSY);
	CHECK_RET(svm_fault_bounded(mem + PAGE, READS), -EBUSY);
	server_start(&server, fd);
	CHECK_EQ(svm_value(mem + 2 * PAGE), (long long)CONTENT);
	CHECK_EQ(svm_value(mem), (long long)CONTENT);
	CHECK_OK(svm_write(mem + 3 * PAGE, 8));
	CHECK_EQ(word_at(mem + 3 * PAGE), 8);
	CHECK_OK(svm_write(mem + MIB, 9));
	server_stop(&server);
	CHECK(server.served >= 3);
}

/* Other memory is served while somebody waits for a page that never comes. */
static void *wait_for_ever(void *arg)
{
	svm_fault(arg, PARALLEL);
	return NULL;
}

static void others_go_on(struct gpu *gpu)
{
	/* No larger chunk fits: each waits for a range of its own. */
	char *mem = mem_map(20 * PAGE, 9 * PAGE, MEM_SMALL), *other = anonymous(PAGE);
	pthread_t threads[20];
	uint64_t value = 4;

	(void)gpu;
	svm_open();
	fault_file(mem, 20 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_ever, mem + i * PAGE), 0);
	for (int i = 0; i < 50; i++) {
		double begin = seconds_now();

		CHECK_OK(svm_access(other, &value, sizeof(value), WRITES | PARALLEL, 0));
		CHECK_SYS(madvise(other, PAGE, MADV_DONTNEED));
		if (seconds_now() - begin > patience(1))
			FAIL("%.1f s", seconds_now() - begin);
	}
	for (int i = 0; i < 20; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* A page is there, but who wants to write to it has to wait. */
static void write_protected(struct gpu *gpu)
{
	char *mem = mem_map(8 * PAGE, 0, MEM_SMALL);
	struct uffdio_writeprotect protect = {
		.range = { (uintptr_t)mem, 8 * PAGE }, .mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	struct server server = { };
	int fd;

	(void)gpu;
	svm_open();
	memset(mem, 1, 8 * PAGE);
	CHECK_OK(svm_write(mem, 2));
	fd = fault_file(mem, 8 * PAGE, UFFDIO_REGISTER_MODE_WP);
	CHECK_SYS(ioctl(fd, UFFDIO_WRITEPROTECT, &protect));
	CHECK(!svm_has(mem));
	CHECK_EQ(svm_value(mem), 2);
	CHECK_RET(svm_fault_bounded(mem, 0), -EBUSY);
	server_start(&server, fd);
	CHECK_OK(svm_write(mem, 3));
	CHECK_EQ(word_at(mem), 3);
	server_stop(&server);
	CHECK(server.unprotected >= 1);
}

static void wait_and_exit(void *arg)
{
	svm_open();
	fault_file(arg, 8 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	svm_fault(arg, 0);
}

static void wait_until_killed(void *arg)
{
	svm_open();
	fault_file(arg, 8 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	for (;;)
		svm_fault(arg, 0);
}

/* Nobody serves it, and the process goes away. */
static void ends(struct gpu *gpu)
{
	char *mem = mem_map(HUGE_PAGE, 0, MEM_SMALL);
	double begin;
	int status;
	pid_t pid;

	(void)gpu;
	test_join(test_fork(wait_and_exit, mem));
	pid = test_fork(wait_until_killed, mem);
	sleep_ms(300);
	begin = seconds_now();
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	check_bounded("to kill it", begin);
	check_gone("live_ranges");
}

/* Threads of the kernel that wait for a page; they do for a second, so it is to be quick. */
static unsigned int waiting_threads(void)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	char path[300], name[32];
	unsigned int count = 0;

	CHECK(processes);
	while ((entry = readdir(processes))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		count += !strcmp(file_line(path, name, sizeof(name)), "gpusvm_slow");
	}
	closedir(processes);
	return count;
}

/* Nobody waits any more, so nothing does on his behalf, or keeps his memory. */
static void given_up(struct gpu *gpu)
{
	char *mem = mem_map(20 * PAGE, 9 * PAGE, MEM_SMALL);
	unsigned int now, most = 0;
	pthread_t threads[20];
	double end;

	(void)gpu;
	svm_open();
	fault_file(mem, 20 * PAGE, UFFDIO_REGISTER_MODE_MISSING);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_ever, mem + i * PAGE), 0);
	end = seconds_now() + patience(1);
	while (most < 10 && seconds_now() < end) {
		now = waiting_threads();
		most = now > most ? now : most;
		sleep_ms(2);
	}
	printf("# %u threads of the kernel waited\n", most);
	CHECK(most > 0);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	end = seconds_now() + patience(2);
	while (waiting_threads() && seconds_now() < end)
		sleep_ms(20);
	CHECK_EQ(waiting_threads(), 0);
}

static const struct test tests[] = {
	{ "delivered", delivered, NEED_ROOT, 0 },
	{ "others-go-on", others_go_on, NEED_ROOT, 0 },
	{ "write-protected", write_protected, NEED_ROOT, 0 },
	{ "ends", ends, NEED_ROOT, 0 },
	{ "given-up", given_up, NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
