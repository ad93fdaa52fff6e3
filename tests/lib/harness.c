// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "knob.h"

#define USUAL_SECONDS	120
#define MAX_DEVICES	8
/* Device pages and what they hold are released by workers. */
#define RELEASE_SECONDS	10
/* What is not released by then may wait for something that never comes. */
#define LINGER_SECONDS	1
/* Exit status of a test's process that has said why it ends. */
#define STATUS_SAID	99

/* Instead of a counter. */
#define NO_ANSWER	(-2)

enum { SAY_FAIL = 'F', SAY_SKIP = 'S' };

struct monitor {
	struct gpu gpu;
	uint64_t before[MOCKGPU_COUNTER_COUNT];
};

static struct monitor monitors[MAX_DEVICES];
static unsigned int monitor_count;
/* What all devices have caught so far, also those that are gone. */
static long long errors_before;

/* Where a test's processes say how it ends; the other end is the harness's. */
static int say_fd = -1;

double patience(double seconds)
{
	const char *slow = getenv("TEST_SLOW");
	double times = slow ? atof(slow) : 1;

	return seconds * (times > 1 ? times : 1);
}

const char *errno_name(int ret)
{
	static _Thread_local char text[2][32];
	static _Thread_local unsigned int turn;
	char *name = text[turn++ % 2];

	if (ret == 0 || !strerrorname_np(abs(ret)))
		snprintf(name, sizeof(text[0]), "%d", ret);
	else
		snprintf(name, sizeof(text[0]), "%s%s", ret < 0 ? "-" : "",
			 strerrorname_np(abs(ret)));
	return name;
}

/* One write, so that lines of several processes do not mix. */
static _Noreturn void say(char kind, const char *place, const char *format, va_list args)
{
	char line[512];
	int used;

	line[0] = kind;
	used = 1 + vsnprintf(line + 1, sizeof(line) - 128, format, args);
	if (used > (int)sizeof(line) - 128)
		used = sizeof(line) - 128;
	used += snprintf(line + used, sizeof(line) - used, "%.100s\n", place);
	fflush(NULL);
	if (write(say_fd, line, used) != used)
		abort();
	_exit(STATUS_SAID);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	char place[100];
	va_list args;

	snprintf(place, sizeof(place), " (%s:%d)", base ? base + 1 : file, line);
	va_start(args, format);
	say(SAY_FAIL, place, format, args);
}

void test_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(SAY_SKIP, "", format, args);
}

pid_t test_fork(void (*fn)(void *arg), void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid)
		return pid;
	fn(arg);
	fflush(NULL);
	_exit(0);
}

void test_join(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		CHECK_EQ(errno, EINTR);
	if (WIFSIGNALED(status))
		FAIL("a process of the test was killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) == STATUS_SAID)
		_exit(STATUS_SAID);
	CHECK_EQ(WEXITSTATUS(status), 0);
}

static bool thp_available(void)
{
	char line[64];

	file_line("/sys/kernel/mm/transparent_hugepage/enabled", line, sizeof(line));
	return *line && !strstr(line, "[never]");
}

static const char *missing_need(unsigned int needs, const struct gpu *gpu)
{
	if (needs & NEED_VRAM && !gpu_has_vram(gpu))
		return "the device has no VRAM";
	if (needs & NEED_PRIVATE && gpu->tier != MOCKGPU_TIER_PRIVATE)
		return "only for VRAM that the CPU cannot touch";
	if (needs & NEED_COHERENT && gpu->tier != MOCKGPU_TIER_COHERENT)
		return "only for VRAM that the CPU can touch";
	if (needs & NEED_ROOT && geteuid())
		return "must run as root";
	if (needs & NEED_KNOBS && (geteuid() || !(gpu->caps & MOCKGPU_CAP_TEST_KNOBS)))
		return "needs root and the module parameter test_knobs=1";
	if (needs & NEED_THP && !thp_available())
		return "the kernel has no transparent huge pages";
	if (needs & NEED_TWO_DEVICES && monitor_count < 2)
		return "needs two devices";
	return NULL;
}

/* The process of a test. */
static _Noreturn void run_test(const struct test *test, unsigned int index)
{
	const char *missing;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, index));
	missing = missing_need(test->needs, &gpu);
	if (missing)
		test_skip("%s", missing);
	test->run(&gpu);
	fflush(NULL);
	_exit(0);
}

static void note_line(struct verdict *verdict, const char *line)
{
	/* The first reason is the cause, but a failure beats a skip. */
	if (verdict->failed || (verdict->skipped && *line != SAY_FAIL))
		return;
	verdict->failed = *line == SAY_FAIL;
	verdict->skipped = !verdict->failed;
	snprintf(verdict->reason, sizeof(verdict->reason), "%s", line + 1);
}

static void note_failure(struct verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void note_failure(struct verdict *verdict, const char *format, ...)
{
	char line[sizeof(verdict->reason)] = { SAY_FAIL };
	va_list args;

	va_start(args, format);
	vsnprintf(line + 1, sizeof(line) - 1, format, args);
	va_end(args);
	note_line(verdict, line);
}

/* Reads until all processes of the test have ended. False when time is up. */
static bool read_verdict(int fd, double deadline, struct verdict *verdict)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	FILE *lines = fdopen(fd, "r");
	char line[512];

	for (;;) {
		double left = deadline - seconds_now();

		if (left <= 0 || !poll(&poll_fd, 1, left * 1000)) {
			fclose(lines);
			return false;
		}
		if (!fgets(line, sizeof(line), lines))
			break;
		line[strcspn(line, "\n")] = '\0';
		note_line(verdict, line);
	}
	fclose(lines);
	return true;
}

/* False when the process does not even go away when it is killed. */
static bool reap(pid_t pid, int *status)
{
	double deadline = seconds_now() + patience(RELEASE_SECONDS);

	while (waitpid(pid, status, WNOHANG) != pid) {
		if (seconds_now() > deadline)
			return false;
		sleep_ms(2);
	}
	/* Processes that outlived their parent are ours now. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	return true;
}

static void print_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		printf("#   %s", line);
	if (file)
		fclose(file);
}

static void print_stacks(int pid)
{
	char path[320];
	DIR *tasks;
	struct dirent *task;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (task = readdir(tasks))) {
		if (*task->d_name == '.')
			continue;
		printf("# kernel stack of task %s:\n", task->d_name);
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stack", pid, task->d_name);
		print_file(path);
	}
	if (tasks)
		closedir(tasks);
}

/* Where all processes of the group hang. */
static void print_group(pid_t group)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	while (processes && (entry = readdir(processes))) {
		int pid = atoi(entry->d_name);

		if (pid > 0 && getpgid(pid) == group)
			print_stacks(pid);
	}
	if (processes)
		closedir(processes);
}

static void finish_process(pid_t pid, bool in_time, unsigned int seconds, struct verdict *verdict)
{
	int status = 0;

	if (!in_time) {
		note_failure(verdict, "not finished after %u s", seconds);
		print_group(pid);
		kill(-pid, SIGKILL);
	}
	if (!reap(pid, &status))
		note_failure(verdict, "process %d cannot be killed", pid);
	else if (in_time && WIFSIGNALED(status))
		note_failure(verdict, "killed by signal %d", WTERMSIG(status));
	else if (in_time && WEXITSTATUS(status) && WEXITSTATUS(status) != STATUS_SAID)
		note_failure(verdict, "exit status %d", WEXITSTATUS(status));
	kill(-pid, SIGKILL);
}

static void run_process(const struct test *test, unsigned int index, struct verdict *verdict)
{
	unsigned int seconds = patience(test->seconds ? test->seconds : USUAL_SECONDS);
	double deadline = seconds_now() + seconds;
	int fds[2];
	pid_t pid;

	fflush(NULL);
	if (pipe(fds) || (pid = fork()) < 0) {
		note_failure(verdict, "no process: %s", errno_name(errno));
		return;
	}
	if (!pid) {
		setpgid(0, 0);
		close(fds[0]);
		say_fd = fds[1];
		run_test(test, index);
	}
	setpgid(pid, pid);
	close(fds[1]);
	finish_process(pid, read_verdict(fds[0], deadline, verdict), seconds, verdict);
}

/* The first counter that says that something lives on, or -1, or NO_ANSWER. */
static int find_leak(struct monitor *monitor, uint64_t now[])
{
	if (gpu_counters(&monitor->gpu, now))
		return NO_ANSWER;
	for (int i = 0; i < MOCKGPU_COUNTER_COUNT; i++)
		if (gpu_counter_is_live(i) && now[i] > monitor->before[i])
			return i;
	return -1;
}

/* Whoever makes mistakes on purpose lets the device count anew. */
static uint64_t new_errors(const struct monitor *monitor, const uint64_t now[])
{
	uint64_t errors = now[MOCKGPU_COUNTER_DEVICE_ERRORS];
	uint64_t before = monitor->before[MOCKGPU_COUNTER_DEVICE_ERRORS];

	return errors < before ? errors : errors - before;
}

/* Returns what find_leak() says in the end. */
static int wait_for_release(struct monitor *monitor, uint64_t now[], double seconds)
{
	double deadline = seconds_now() + patience(seconds);
	int leak = find_leak(monitor, now);

	while (leak >= 0 && seconds_now() < deadline) {
		sleep_ms(5);
		leak = find_leak(monitor, now);
	}
	return leak;
}

static void check_leaks(struct monitor *monitor, struct verdict *verdict)
{
	uint64_t now[MOCKGPU_COUNTER_COUNT] = { };
	int leak = wait_for_release(monitor, now, LINGER_SECONDS);

	if (leak >= 0) {
		processors_empty_lists();
		leak = wait_for_release(monitor, now, RELEASE_SECONDS);
	}
	if (leak >= 0)
		note_failure(verdict, "leak: device %u has %llu %s", monitor->gpu.index,
			     (unsigned long long)now[leak], gpu_counter_name(leak));
	if (leak == NO_ANSWER) {
		note_failure(verdict, "device %u does not tell its counters", monitor->gpu.index);
		return;
	}
	if (new_errors(monitor, now))
		note_failure(verdict, "device %u caught %llu wrong accesses", monitor->gpu.index,
			     (unsigned long long)new_errors(monitor, now));
	/* What is lost stays lost: the next test is not to blame. */
	memcpy(monitor->before, now, sizeof(now));
}

/* A device that the test took away and gave back has another file; the node may be late. */
static void follow(struct monitor *monitor, struct verdict *verdict)
{
	double deadline = seconds_now() + patience(RELEASE_SECONDS);
	struct gpu gpu;
	int ret;

	while ((ret = gpu_open(&gpu, monitor->gpu.index)) && seconds_now() < deadline)
		sleep_ms(5);
	if (ret) {
		note_failure(verdict, "device %u did not come back", monitor->gpu.index);
		return;
	}
	gpu_close(&monitor->gpu);
	monitor->gpu = gpu;
	monitor->before[MOCKGPU_COUNTER_DEVICE_ERRORS] = 0;
}

/* What a device catches while it goes nobody can ask it any more. */
static void check_errors_of_all(struct verdict *verdict)
{
	long long errors = errors_of_all(), news = errors - errors_before;

	if (errors < 0 && errors_before >= 0)
		note_failure(verdict, "the driver does not tell what devices caught");
	if (news > errors_were_on_purpose())
		note_failure(verdict, "devices caught %lld wrong accesses, maybe as they went",
			     news - errors_were_on_purpose());
	errors_before = errors;
}

static bool report(const struct test *test, const struct verdict *verdict)
{
	const char *program = program_invocation_short_name;

	if (verdict->failed)
		printf("not ok %s.%s: %s\n", program, test->name, verdict->reason);
	else if (verdict->skipped)
		printf("skip %s.%s: %s\n", program, test->name, verdict->reason);
	else
		printf("ok %s.%s\n", program, test->name);
	fflush(stdout);
	return !verdict->failed;
}

void harness_run(const struct test *test, unsigned int index, struct verdict *verdict)
{
	*verdict = (struct verdict){ };
	news_begin();
	run_process(test, index, verdict);
	for (unsigned int i = 0; i < monitor_count; i++) {
		if (device_was_gone(monitors[i].gpu.index))
			follow(&monitors[i], verdict);
		/* A test that failed may have left some on. */
		if (test->needs & NEED_KNOBS)
			knobs_off(&monitors[i].gpu);
		check_leaks(&monitors[i], verdict);
	}
	check_errors_of_all(verdict);
}

static bool run_one(const struct test *test, unsigned int index)
{
	struct verdict verdict;

	harness_run(test, index, &verdict);
	return report(test, &verdict);
}

/* Nothing may live before the first test either. */
static void open_monitors(void)
{
	errors_before = errors_of_all();
	while (monitor_count < MAX_DEVICES &&
	       !gpu_open(&monitors[monitor_count].gpu, monitor_count)) {
		struct monitor *monitor = &monitors[monitor_count++];
		uint64_t now[MOCKGPU_COUNTER_COUNT] = { };

		gpu_counters(&monitor->gpu, now);
		monitor->before[MOCKGPU_COUNTER_DEVICE_ERRORS] = now[MOCKGPU_COUNTER_DEVICE_ERRORS];
		/* Those are nobody's whose tests have all ended. */
		if (now[MOCKGPU_COUNTER_DEVICE_ERRORS])
			printf("# device %u has caught %llu wrong accesses before\n",
			       monitor->gpu.index,
			       (unsigned long long)now[MOCKGPU_COUNTER_DEVICE_ERRORS]);
	}
}

void harness_watch(void)
{
	while (monitor_count)
		gpu_close(&monitors[--monitor_count].gpu);
	open_monitors();
	for (unsigned int i = 0; i < monitor_count; i++)
		gpu_counters(&monitors[i].gpu, monitors[i].before);
}

static bool is_wanted(const struct test *test, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, test->name))
			return true;
	return false;
}

static bool all_known(const struct test *tests, unsigned int count, char **names)
{
	for (; *names; names++) {
		unsigned int i = 0;

		while (i < count && strcmp(*names, tests[i].name))
			i++;
		if (i == count) {
			fprintf(stderr, "%s: no test is named %s (see --list)\n",
				program_invocation_short_name, *names);
			return false;
		}
	}
	return true;
}

static int usage(void)
{
	fprintf(stderr, "usage: %s [--list | --device N] [TEST...]\n",
		program_invocation_short_name);
	return 2;
}

static int list(const struct test *tests, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		printf("%s\n", tests[i].name);
	return 0;
}

int harness_main(int argc, char **argv, const struct test *tests, unsigned int count)
{
	unsigned int index = 0, failed = 0;
	char **names = argv + 1;

	if (argc > 1 && !strcmp(argv[1], "--list"))
		return list(tests, count);
	if (argc > 2 && !strcmp(argv[1], "--device")) {
		index = strtoul(argv[2], NULL, 0);
		names += 2;
	}
	if (*names && **names == '-')
		return usage();
	if (!all_known(tests, count, names))
		return 2;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	open_monitors();
	for (unsigned int i = 0; i < count; i++)
		if (is_wanted(&tests[i], names))
			failed += !run_one(&tests[i], index);
	return failed ? 1 : 0;
}
