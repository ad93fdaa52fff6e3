// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * svmsum NODE... [-- TEST...]: memory of this process as the example's device sees
 * it, see ../examples/svmsum. Each test is a process of its own that opens all the
 * nodes, and what is asked is asked of each of them: the same source built with our
 * headers and with the kernel's own has the same answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mem.h"
#include "svmsum_drm.h"

#define MOST_NODES	4
#define SIZE		(8 * MIB)
#define SECONDS		120

static char *const *nodes;
static int files[MOST_NODES];
static int file_count;

#define CHECK(cond)								\
	do {									\
		if (!(cond))							\
			failed(__LINE__, #cond);				\
	} while (0)

/* In a test's process: why it ends is what it prints last. */
static _Noreturn void failed(int line, const char *what)
{
	printf("%s is not true (svmsum.c:%d, errno %d)", what, line, errno);
	fflush(stdout);
	_exit(1);
}

static void open_nodes(void)
{
	for (file_count = 0; nodes[file_count] && file_count < MOST_NODES; file_count++) {
		files[file_count] = open(nodes[file_count], O_RDWR | O_CLOEXEC);
		CHECK(files[file_count] >= 0);
	}
}

static void close_nodes(void)
{
	while (file_count)
		close(files[--file_count]);
}

static unsigned long long cpu_sum(const void *mem, size_t size)
{
	const unsigned char *bytes = mem;
	unsigned long long sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return sum;
}

/* 0 or a negative errno. */
static int device_sum(int device, const void *mem, size_t size, unsigned long long *sum)
{
	struct drm_svmsum_sum args = { .addr = (uintptr_t)mem, .size = size };

	int ret = ioctl(files[device], DRM_IOCTL_SVMSUM_SUM, &args) ? -errno : 0;

	*sum = args.sum;
	return ret;
}

static struct drm_svmsum_state device_state(int device)
{
	struct drm_svmsum_state state;

	CHECK(!ioctl(files[device], DRM_IOCTL_SVMSUM_STATE, &state));
	return state;
}

static bool sums_are(const void *mem, size_t size, unsigned long long want)
{
	unsigned long long sum;

	for (int i = 0; i < file_count; i++) {
		if (device_sum(i, mem, size, &sum))
			return false;
		if (sum == want)
			continue;
		printf("device %d: %llu, not %llu: ", i, sum, want);
		return false;
	}
	return true;
}

static bool sums_match(const void *mem, size_t size)
{
	return sums_are(mem, size, cpu_sum(mem, size));
}

/* All devices refuse, for a reason that has to do with the address. */
static bool sums_fail(const void *mem, size_t size)
{
	unsigned long long sum;

	for (int i = 0; i < file_count; i++) {
		int ret = device_sum(i, mem, size, &sum);

		if (ret != -EFAULT && ret != -EPERM && ret != -EINVAL) {
			printf("device %d: %s: ", i, ret ? strerrorname_np(-ret) : "no error");
			return false;
		}
	}
	return true;
}

static bool pages_are(size_t pages)
{
	for (int i = 0; i < file_count; i++)
		if (device_state(i).pages != pages)
			return false;
	return true;
}

static void *mapped(enum mem_thp thp)
{
	void *mem = mem_map(SIZE, 0, thp);

	CHECK(mem);
	return mem;
}

static void *filled(enum mem_thp thp)
{
	void *mem = mapped(thp);

	/* Not what a test before left in the same pages. */
	pattern_fill(mem, SIZE, getpid());
	return mem;
}

/* Parts with all kinds of borders. */
static void check_parts(char *mem)
{
	static const size_t sizes[] = { 1, 7, PAGE - 1, PAGE, PAGE + 1, 64 * KIB, MIB + 5 };
	uint64_t random = 1;

	for (int i = 0; i < 200; i++) {
		size_t size = sizes[i % (sizeof(sizes) / sizeof(*sizes))];
		size_t start = random_next(&random) % (SIZE - size);

		CHECK(sums_match(mem + start, size));
	}
	CHECK(sums_match(mem, SIZE));
}

static void small_pages(void)
{
	check_parts(filled(MEM_SMALL));
}

static void huge_pages(void)
{
	check_parts(filled(MEM_HUGE));
}

/* Huge pages, small pages, none and some that were split beside each other. */
static void mixed_pages(void)
{
	char *mem = filled(MEM_HUGE);

	CHECK(!madvise(mem + HUGE_PAGE + 64 * KIB, 256 * KIB, MADV_DONTNEED));
	mem[HUGE_PAGE + 100 * KIB] = 5;
	CHECK(!mprotect(mem + 2 * HUGE_PAGE + MIB, PAGE, PROT_READ));
	for (size_t at = 3 * HUGE_PAGE; at < SIZE; at += 3 * PAGE)
		CHECK(!madvise(mem + at, PAGE, MADV_DONTNEED));
	check_parts(mem);
}

static void untouched(void)
{
	CHECK(sums_are(mapped(MEM_SMALL), SIZE, 0));
	CHECK(sums_are(mapped(MEM_HUGE), SIZE, 0));
}

/* What the CPU writes later is seen without anything mapped anew. */
static void written_later(void)
{
	char *mem = filled(MEM_SMALL);
	unsigned long long before;

	CHECK(sums_match(mem, SIZE));
	before = device_state(0).invalidations;
	pattern_fill(mem, SIZE, 2);
	CHECK(sums_match(mem, SIZE));
	CHECK(device_state(0).invalidations == before);
}

static void dropped(void)
{
	char *mem = filled(MEM_SMALL);

	CHECK(sums_match(mem, SIZE));
	CHECK(pages_are(SIZE / PAGE));
	CHECK(!madvise(mem, SIZE, MADV_DONTNEED));
	CHECK(pages_are(0));
	CHECK(sums_are(mem, SIZE, 0));
	pattern_fill(mem, SIZE, 3);
	CHECK(sums_match(mem, SIZE));
}

static void protected(void)
{
	char *mem = filled(MEM_SMALL);
	unsigned long long sum = cpu_sum(mem, SIZE);

	CHECK(sums_match(mem, SIZE));
	CHECK(!mprotect(mem, SIZE, PROT_NONE));
	CHECK(pages_are(0));
	CHECK(sums_fail(mem, SIZE));
	CHECK(!mprotect(mem, SIZE, PROT_READ));
	CHECK(sums_are(mem, SIZE, sum));
}

static void unmapped(void)
{
	char *mem = filled(MEM_SMALL);

	CHECK(sums_match(mem, SIZE));
	CHECK(device_state(0).ranges);
	CHECK(!munmap(mem, SIZE));
	CHECK(pages_are(0));
	CHECK(!device_state(0).ranges);
	CHECK(sums_fail(mem, SIZE));
}

static void torn(void)
{
	char *mem = filled(MEM_HUGE);
	size_t hole = 5 * MIB;

	CHECK(sums_match(mem, SIZE));
	CHECK(!munmap(mem + hole, PAGE));
	CHECK(sums_match(mem, hole));
	CHECK(sums_match(mem + hole + PAGE, SIZE - hole - PAGE));
	CHECK(sums_fail(mem + hole, PAGE));
	CHECK(sums_fail(mem, SIZE));
}

static void moved(void)
{
	char *mem = filled(MEM_SMALL), *place = mapped(MEM_SMALL);
	unsigned long long sum = cpu_sum(mem, SIZE);

	CHECK(sums_match(mem, SIZE));
	CHECK(mremap(mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
	CHECK(sums_are(place, SIZE, sum));
	CHECK(sums_fail(mem, SIZE));
}

static void replaced(void)
{
	char *mem = filled(MEM_SMALL);

	CHECK(sums_match(mem, SIZE));
	CHECK(mmap(mem, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == mem);
	CHECK(sums_are(mem, SIZE, 0));
	pattern_fill(mem, SIZE, 4);
	CHECK(sums_match(mem, SIZE));
}

/* The same bytes in memory of a file, shared and private. */
static void of_file(void)
{
	int file = memfd_create("svmsum", 0);
	char *shared, *private;

	CHECK(!ftruncate(file, SIZE));
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	CHECK(shared != MAP_FAILED && private != MAP_FAILED);
	pattern_fill(shared, SIZE, 5);
	CHECK(sums_match(shared, SIZE));
	CHECK(sums_match(private, SIZE));
	private[MIB]++;
	CHECK(sums_match(private, SIZE));
	CHECK(sums_match(shared, SIZE));
	/* What is behind the end of the file cannot be read by anybody. */
	CHECK(!ftruncate(file, MIB));
	CHECK(sums_fail(shared + MIB, PAGE));
}

static void bad_addresses(void)
{
	char *mem = filled(MEM_SMALL);
	unsigned long long sum;

	CHECK(device_sum(0, mem, 0, &sum) == 0 && sum == 0);
	CHECK(sums_fail(NULL, 1));
	CHECK(sums_fail(mem + SIZE, 1));
	CHECK(sums_fail((void *)~0UL, 1));
	CHECK(sums_fail((void *)0xffff888000000000, PAGE));
	CHECK(sums_fail(mem, ~0UL));
	CHECK(sums_match(mem, SIZE));
}

static void join(pid_t pid)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The device sees the parent, also after copy-on-write. */
static void forked(void)
{
	char *mem = filled(MEM_SMALL);
	unsigned long long sum;
	pid_t pid;

	CHECK(sums_match(mem, SIZE));
	pid = fork();
	if (!pid)
		_exit(device_sum(0, mem, SIZE, &sum) != -EPERM);
	pattern_fill(mem, SIZE / 2, 6);
	CHECK(sums_match(mem, SIZE));
	join(pid);
	CHECK(sums_match(mem, SIZE));
}

/* The file goes with the process that it sees, or after it. */
static void gone(void)
{
	char *mem = filled(MEM_HUGE);
	pid_t pid;

	for (int i = 0; i < 10; i++) {
		pid = fork();
		if (!pid) {
			close_nodes();
			open_nodes();
			if (i % 2 && !fork()) {
				sleep_ms(20);
				_exit(0);
			}
			_exit(!sums_match(mem, SIZE));
		}
		join(pid);
	}
	CHECK(sums_match(mem, SIZE));
}

static void closed(void)
{
	char *mem = filled(MEM_HUGE);

	for (int i = 0; i < 10; i++) {
		CHECK(sums_match(mem, SIZE));
		close_nodes();
		open_nodes();
		CHECK(!device_state(0).ranges);
	}
	CHECK(sums_match(mem, SIZE));
}

static char *disturbed;
static atomic_bool stop;

static void *protect_by_turns(void *unused)
{
	for (unsigned int i = 0; !stop; i++)
		mprotect(disturbed + i * 64 * KIB % SIZE, 64 * KIB,
			 i % 2 ? PROT_READ : PROT_READ | PROT_WRITE);
	return unused;
}

static void *replace_by_turns(void *unused)
{
	while (!stop) {
		munmap(disturbed, SIZE);
		mmap(disturbed, SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
	return unused;
}

/* How long what depends on time goes on. */
static double test_seconds(void)
{
	const char *seconds = getenv("TEST_SECONDS");

	return seconds ? atof(seconds) : 2;
}

/* Its pages come and go while they are read; the bytes stay the same. */
static void race_protect(void)
{
	double end = seconds_now() + test_seconds();
	unsigned long long sum;
	pthread_t thread;

	disturbed = filled(MEM_SMALL);
	sum = cpu_sum(disturbed, SIZE);
	CHECK(!pthread_create(&thread, NULL, protect_by_turns, NULL));
	do
		CHECK(sums_are(disturbed, SIZE, sum));
	while (seconds_now() < end);
	stop = true;
	pthread_join(thread, NULL);
}

/* All there is to read are zeroes; sometimes there is nothing. */
static void race_replace(void)
{
	double end = seconds_now() + test_seconds();
	unsigned long long sum;
	pthread_t thread;

	disturbed = mapped(MEM_SMALL);
	CHECK(!pthread_create(&thread, NULL, replace_by_turns, NULL));
	do {
		for (int i = 0; i < file_count; i++) {
			int ret = device_sum(i, disturbed, SIZE, &sum);

			CHECK(ret == -EFAULT || ret == -EAGAIN || (ret == 0 && sum == 0));
		}
	} while (seconds_now() < end);
	stop = true;
	pthread_join(thread, NULL);
	CHECK(sums_match(disturbed, SIZE));
}

/* What the process unmaps while a file is closed goes with it. */
static void race_close(void)
{
	double end = seconds_now() + test_seconds();
	unsigned long long sum;
	pthread_t thread;

	disturbed = mapped(MEM_SMALL);
	CHECK(!pthread_create(&thread, NULL, replace_by_turns, NULL));
	do {
		for (int i = 0; i < file_count; i++)
			device_sum(i, disturbed, SIZE, &sum);
		close_nodes();
		open_nodes();
	} while (seconds_now() < end);
	stop = true;
	pthread_join(thread, NULL);
}

struct test {
	const char *name;
	void (*run)(void);
};

static const struct test tests[] = {
	{ "small-pages", small_pages },
	{ "huge-pages", huge_pages },
	{ "mixed-pages", mixed_pages },
	{ "untouched", untouched },
	{ "written-later", written_later },
	{ "dropped", dropped },
	{ "protected", protected },
	{ "unmapped", unmapped },
	{ "torn", torn },
	{ "moved", moved },
	{ "replaced", replaced },
	{ "of-file", of_file },
	{ "bad-addresses", bad_addresses },
	{ "forked", forked },
	{ "gone", gone },
	{ "closed", closed },
	{ "race-protect", race_protect },
	{ "race-replace", race_replace },
	{ "race-close", race_close },
};

static _Noreturn void run_test(const struct test *test, int output)
{
	dup2(output, STDOUT_FILENO);
	alarm(SECONDS);
	open_nodes();
	test->run();
	_exit(0);
}

static void report(const struct test *test)
{
	char reason[256] = "";
	int fds[2], status;
	pid_t pid;

	fflush(stdout);
	if (pipe(fds))
		exit(1);
	pid = fork();
	if (pid < 0)
		exit(1);
	if (!pid)
		run_test(test, fds[1]);
	close(fds[1]);
	waitpid(pid, &status, 0);
	if (read(fds[0], reason, sizeof(reason) - 1) < 0)
		exit(1);
	close(fds[0]);
	if (WIFSIGNALED(status))
		printf("not ok svmsum.%s: killed by signal %d\n", test->name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		printf("not ok svmsum.%s: %s\n", test->name, reason);
	else
		printf("ok svmsum.%s\n", test->name);
}

static bool is_wanted(const struct test *test, char **names)
{
	bool wanted = !*names;

	for (; *names; names++)
		wanted |= !strcmp(*names, test->name);
	return wanted;
}

int main(int argc, char **argv)
{
	char **names = argv + 1;

	nodes = argv + 1;
	while (*names && strcmp(*names, "--"))
		names++;
	if (*names)
		*names++ = NULL;
	if (argc < 2)
		return 2;
	for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		if (is_wanted(&tests[i], names))
			report(&tests[i]);
	return 0;
}
