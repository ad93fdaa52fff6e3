// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Random and mutated arguments for all commands of the device, from several threads and
 * files at once, while memory, VMs, queues and files go away under them.
 *
 *   fuzz [--seconds N] [--seed N] [--threads N] [--device N] [--steps N] [--corpus N]
 *
 * What a thread does follows from the seed and its number; --threads 1 --steps N does
 * the same again. With --corpus 1 commands that led where none was before, on a kernel
 * that says so, are tried again with changes. What matters is what the kernel says:
 * nothing may crash, hang or leak, and a command answers with an errno that one can
 * expect of it.
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
#include <time.h>
#include <unistd.h>

#include <drm/drm.h>

#include "buffer.h"
#include "fuzz-cover.h"
#include "gpu.h"
#include "mem.h"

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof(*(array)))
#define ARENA		(4 * MIB)
/*
 * Where nothing else of a process is, and so many bits away from it that no mutation
 * makes the device write to a stack or to the data of a library.
 */
#define ARENA_AT	((void *)0x2aaaaaa00000)
#define MAX_THREADS	16
#define FILES		4
/* How much longer than told it may take before it is said to hang. */
#define GRACE		60

/* What is known of a command: how to make arguments that mean something. */
struct command {
	const char *name;
	unsigned long request;
	void (*fill)(void *args, uint64_t *random);
};

static struct {
	unsigned int index, threads, corpus;
	uint64_t seed, steps;
	double seconds;
} options = { .threads = 4, .seconds = 5 };

static char *arena;
static int files[FILES];
static volatile bool stop;
static uint64_t counts[64], successes[64];
static uint64_t unexpected;
static atomic_bool covered;

static uint64_t below(uint64_t *random, uint64_t limit)
{
	return random_next(random) % limit;
}

static bool chance(uint64_t *random, unsigned int one_in)
{
	return !below(random, one_in);
}

/* Small ones are often those of something that exists. */
static uint32_t some_id(uint64_t *random)
{
	return chance(random, 20) ? random_next(random) : below(random, 6);
}

static uint64_t some_addr(uint64_t *random)
{
	uint64_t addr = (uintptr_t)arena + below(random, ARENA / PAGE) * PAGE;

	switch (below(random, 24)) {
	case 0:
		return random_next(random);
	case 1:
		return 0;
	case 2:
		return addr + below(random, PAGE);
	case 3:
		return (1ULL << 47) - PAGE * below(random, 3);
	case 4:
		return -PAGE;
	case 5:
		return addr + 8 * below(random, PAGE / 8);
	default:
		return addr;
	}
}

static uint64_t some_size(uint64_t *random)
{
	switch (below(random, 24)) {
	case 0:
		return random_next(random);
	case 1:
		return 0;
	case 2:
		return -PAGE;
	case 3:
		return below(random, PAGE);
	case 4:
		return 2 * MIB;
	case 5:
		return 8 * below(random, 512);
	default:
		return PAGE * (1 + below(random, 32));
	}
}

static uint64_t some_flags(uint64_t *random)
{
	return chance(random, 8) ? random_next(random) : below(random, 3);
}

static void fill_query(void *data, uint64_t *random)
{
	struct drm_mockgpu_query *args = data;

	args->param = below(random, 12);
	args->value = random_next(random);
}

static void fill_vm(void *data, uint64_t *random)
{
	struct drm_mockgpu_vm *args = data;

	args->vm_id = some_id(random);
	args->flags = chance(random, 3) ? some_flags(random) : 0;
}

static void fill_populate(void *data, uint64_t *random)
{
	struct drm_mockgpu_populate *args = data;

	args->vm_id = some_id(random);
	args->timeslice_ms = below(random, 3);
	args->addr = some_addr(random);
	args->size = some_size(random);
	args->flags = some_flags(random);
}

static void fill_access(void *data, uint64_t *random)
{
	struct drm_mockgpu_access *args = data;

	args->vm_id = some_id(random);
	args->op = below(random, 5);
	args->addr = some_addr(random);
	args->size = some_size(random);
	args->data = args->op < 2 ? some_addr(random) : 0;
	args->value = args->op < 2 ? 0 : random_next(random);
}

static void fill_evict(void *data, uint64_t *random)
{
	struct drm_mockgpu_evict *args = data;

	args->vm_id = some_id(random);
	args->scope = below(random, 4);
	args->addr = args->scope ? 0 : some_addr(random);
}

static void fill_residency(void *data, uint64_t *random)
{
	struct drm_mockgpu_residency *args = data;

	args->vm_id = some_id(random);
	args->addr = some_addr(random);
	args->size = some_size(random);
	args->data = some_addr(random);
}

static void fill_counters(void *data, uint64_t *random)
{
	struct drm_mockgpu_counters *args = data;

	args->count = below(random, 64);
	args->data = some_addr(random);
}

static void fill_queue(void *data, uint64_t *random)
{
	struct drm_mockgpu_queue *args = data;

	args->vm_id = some_id(random);
	args->queue_id = some_id(random);
}

static void fill_queue_id(void *data, uint64_t *random)
{
	struct drm_mockgpu_queue *args = data;

	args->queue_id = some_id(random);
}

/* Most of what an operation does not use is 0, or it would not run. */
static void fill_step(struct drm_mockgpu_command *step, uint64_t *random)
{
	memset(step, 0, sizeof(*step));
	step->op = below(random, 12);
	step->addr = some_addr(random);
	if (step->op <= MOCKGPU_CMD_CHECKSUM || step->op == MOCKGPU_CMD_ADD_STRIDED ||
	    step->op == MOCKGPU_CMD_ADD_RANDOM)
		step->size = some_size(random);
	if (step->op >= MOCKGPU_CMD_COPY && step->op <= MOCKGPU_CMD_COMPARE_EXCHANGE)
		step->other = some_addr(random);
	if (step->op == MOCKGPU_CMD_FILL || step->op >= MOCKGPU_CMD_ADD)
		step->value = random_next(random);
	if (step->op == MOCKGPU_CMD_ADD_STRIDED || step->op == MOCKGPU_CMD_ADD_RANDOM) {
		step->count = 1 + below(random, 1000);
		step->step = 8 * below(random, 1000);
	}
	if (step->op >= MOCKGPU_CMD_WAIT_EQUAL)
		step->timeout_ms = 1 + below(random, 20);
	if (chance(random, 12))
		((uint64_t *)step)[below(random, sizeof(*step) / 8)] = random_next(random);
}

static void fill_exec(void *data, uint64_t *random)
{
	static _Thread_local struct drm_mockgpu_command steps[4];
	static _Thread_local struct drm_mockgpu_sync syncs[4];
	struct drm_mockgpu_exec *args = data;

	args->queue_id = some_id(random);
	args->timeout_ms = 1 + below(random, 200);
	args->command_count = below(random, ARRAY_SIZE(steps) + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++)
		fill_step(&steps[i], random);
	args->commands = (uintptr_t)steps;
	for (unsigned int i = 0; i < ARRAY_SIZE(syncs); i++)
		syncs[i] = (struct drm_mockgpu_sync){
			.handle = some_id(random), .point = below(random, 4),
		};
	args->in_count = chance(random, 3) ? below(random, 3) : 0;
	args->out_count = chance(random, 3) ? below(random, 3) : 0;
	args->in_syncs = (uintptr_t)syncs;
	args->out_syncs = (uintptr_t)(syncs + 2);
	args->result = chance(random, 2) ? some_addr(random) & ~7ULL : 0;
}

static void fill_attr(void *data, uint64_t *random)
{
	struct drm_mockgpu_attr_range *args = data;

	args->vm_id = some_id(random);
	args->attr = below(random, MOCKGPU_ATTR_COUNT + 1);
	args->addr = some_addr(random);
	args->size = some_size(random);
	args->value = chance(random, 4) ? PAGE << below(random, 12) : below(random, 4);
}

static void fill_get_attr(void *data, uint64_t *random)
{
	struct drm_mockgpu_attr_range *args = data;

	args->vm_id = some_id(random);
	args->attr = below(random, MOCKGPU_ATTR_COUNT + 1);
	args->addr = some_addr(random);
}

static void fill_prefetch(void *data, uint64_t *random)
{
	struct drm_mockgpu_prefetch *args = data;

	args->vm_id = some_id(random);
	args->location = below(random, 4);
	args->addr = some_addr(random);
	args->size = some_size(random);
}

static void fill_gem_create(void *data, uint64_t *random)
{
	struct drm_mockgpu_gem_create *args = data;

	args->size = some_size(random);
	args->flags = some_flags(random);
}

static void fill_mmap_offset(void *data, uint64_t *random)
{
	struct drm_mockgpu_gem_mmap_offset *args = data;

	args->handle = some_id(random);
}

static void fill_bind(void *data, uint64_t *random)
{
	struct drm_mockgpu_vm_bind *args = data;

	args->vm_id = some_id(random);
	args->op = below(random, 2);
	args->addr = some_addr(random);
	args->size = chance(random, 4) ? some_size(random) : PAGE;
	if (args->op != MOCKGPU_BIND)
		return;
	args->handle = some_id(random);
	args->offset = chance(random, 4) ? PAGE * below(random, 4) : 0;
}

static void fill_gem_close(void *data, uint64_t *random)
{
	struct drm_gem_close *args = data;

	args->handle = some_id(random);
}

static void fill_dumb(void *data, uint64_t *random)
{
	struct drm_mode_create_dumb *args = data;

	args->width = chance(random, 8) ? random_next(random) : below(random, 256);
	args->height = chance(random, 8) ? random_next(random) : below(random, 256);
	args->bpp = chance(random, 8) ? random_next(random) : 32;
}

static void fill_syncobj_create(void *data, uint64_t *random)
{
	struct drm_syncobj_create *args = data;

	args->flags = below(random, 2);
}

static void fill_syncobj_destroy(void *data, uint64_t *random)
{
	struct drm_syncobj_destroy *args = data;

	args->handle = some_id(random);
}

/* Nothing is known about it. */
static void fill_random(void *data, uint64_t *random)
{
	uint64_t *words = data;

	for (unsigned int i = 0; i < LARGEST / 8; i++)
		words[i] = chance(random, 3) ? some_addr(random) : below(random, 8);
}

#define COMMAND(name, fill)	{ #name, DRM_IOCTL_MOCKGPU_##name, fill }

static const struct command commands[] = {
	COMMAND(QUERY, fill_query),
	COMMAND(VM_CREATE, fill_vm),
	COMMAND(VM_CREATE, fill_vm),
	COMMAND(VM_DESTROY, fill_vm),
	COMMAND(POPULATE, fill_populate),
	COMMAND(ACCESS, fill_access),
	COMMAND(EVICT, fill_evict),
	COMMAND(RESIDENCY, fill_residency),
	COMMAND(COUNTERS, fill_counters),
	COMMAND(QUEUE_CREATE, fill_queue),
	COMMAND(QUEUE_CREATE, fill_queue),
	COMMAND(QUEUE_DESTROY, fill_queue_id),
	COMMAND(EXEC, fill_exec),
	COMMAND(EXEC, fill_exec),
	COMMAND(EXEC, fill_exec),
	COMMAND(SET_ATTR, fill_attr),
	COMMAND(GET_ATTR, fill_get_attr),
	COMMAND(PREFETCH, fill_prefetch),
	COMMAND(GEM_CREATE, fill_gem_create),
	COMMAND(GEM_CREATE, fill_gem_create),
	COMMAND(GEM_MMAP_OFFSET, fill_mmap_offset),
	COMMAND(VM_BIND, fill_bind),
	COMMAND(VM_BIND, fill_bind),
	{ "GEM_CLOSE", DRM_IOCTL_GEM_CLOSE, fill_gem_close },
	{ "CREATE_DUMB", DRM_IOCTL_MODE_CREATE_DUMB, fill_dumb },
	{ "SYNCOBJ_CREATE", DRM_IOCTL_SYNCOBJ_CREATE, fill_syncobj_create },
	{ "SYNCOBJ_DESTROY", DRM_IOCTL_SYNCOBJ_DESTROY, fill_syncobj_destroy },
};

/* Also numbers, directions and sizes that there are not. */
static unsigned long some_request(uint64_t *random)
{
	return _IOC(below(random, 4), DRM_IOCTL_BASE, DRM_COMMAND_BASE + below(random, 0x60),
		    below(random, LARGEST));
}

static void mutate(void *data, uint64_t *random)
{
	unsigned char *bytes = data;

	for (unsigned int n = 1 + below(random, 4); n; n--)
		bytes[below(random, 96)] ^= 1 << below(random, 8);
}

static bool is_expected(int error)
{
	static const int known[] = {
		0, EINVAL, ENOENT, EPERM, EFAULT, EBUSY, ENOSPC, ENOMEM, ENODEV, EINTR, EIO,
		EOPNOTSUPP, ECANCELED, ENOTTY, EACCES, EBADF, EAGAIN, EEXIST,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i] == error)
			return true;
	return false;
}

/* A command that led somewhere, a bit changed. */
static bool vary_command(struct sample *sample, uint64_t *random)
{
	if (!options.corpus || chance(random, 3) || !corpus_pick(sample, random))
		return false;
	if (chance(random, 2))
		mutate(sample->args, random);
	else
		sample->args[below(random, 8)] = chance(random, 2) ? some_addr(random) :
								      some_id(random);
	return true;
}

static void make_command(struct sample *sample, uint64_t *random)
{
	if (vary_command(sample, random))
		return;
	*sample = (struct sample){ .which = below(random, ARRAY_SIZE(commands)) };
	sample->request = commands[sample->which].request;
	commands[sample->which].fill(sample->args, random);
	if (chance(random, 5))
		mutate(sample->args, random);
	if (chance(random, 40)) {
		sample->request = some_request(random);
		fill_random(sample->args, random);
	}
}

static int issue(const struct sample *sample, uint64_t *random)
{
	uint64_t args[LARGEST / 8];
	int error;

	memcpy(args, sample->args, sizeof(args));
	cover_begin();
	error = ioctl(files[below(random, FILES)], sample->request, args) < 0 ? errno : 0;
	if (cover_end())
		corpus_add(sample);
	return error;
}

static void do_command(uint64_t *random)
{
	struct sample sample;
	int error;

	make_command(&sample, random);
	error = issue(&sample, random);
	__atomic_add_fetch(&counts[sample.which], 1, __ATOMIC_RELAXED);
	if (!error)
		__atomic_add_fetch(&successes[sample.which], 1, __ATOMIC_RELAXED);
	if (!is_expected(error)) {
		__atomic_add_fetch(&unexpected, 1, __ATOMIC_RELAXED);
		printf("# %s (%#lx) answers %s\n", commands[sample.which].name, sample.request,
		       strerrorname_np(error));
	}
}

/* The arena stays mapped, in parts as something else, so that threads may touch it. */
static void do_memory(uint64_t *random)
{
	char *mem = arena + below(random, ARENA / PAGE - 64) * PAGE;
	size_t size = PAGE * (1 + below(random, 64));

	switch (below(random, 8)) {
	case 0:
		munmap(mem, size);
		break;
	case 1:
		mprotect(mem, size, PROT_READ);
		break;
	case 2:
		madvise(mem, size, MADV_DONTNEED);
		break;
	case 3:
		madvise(mem, size, chance(random, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		break;
	case 4:
		mmap(mem, size, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	default:
		mmap(mem, size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		break;
	}
}

/* The CPU finds a buffer in the arena. */
static void do_map_buffer(uint64_t *random)
{
	struct drm_mockgpu_gem_mmap_offset args = { .handle = some_id(random) };
	char *mem = arena + below(random, ARENA / PAGE - 64) * PAGE;
	int fd = files[below(random, FILES)];

	if (!ioctl(fd, DRM_IOCTL_MOCKGPU_GEM_MMAP_OFFSET, &args))
		mmap(mem, PAGE * (1 + below(random, 32)), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_FIXED, fd, args.offset);
}

/* From one file to another, which may be the same. */
static void do_share_buffer(uint64_t *random)
{
	struct drm_prime_handle args = {
		.handle = some_id(random), .flags = O_CLOEXEC | O_RDWR,
	};

	if (ioctl(files[below(random, FILES)], DRM_IOCTL_PRIME_HANDLE_TO_FD, &args))
		return;
	ioctl(files[below(random, FILES)], DRM_IOCTL_PRIME_FD_TO_HANDLE, &args);
	close(args.fd);
}

/* By system calls, which survive that nothing is there. */
static void do_touch(uint64_t *random)
{
	static int pipes[2] = { -1, -1 };
	char *mem = arena + below(random, ARENA);
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	if (pipes[0] < 0 && pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
		abort();
	if (write(pipes[1], mem, 8) > 0 && read(pipes[0], mem, 8) < 0) {
		char rest[8];

		while (read(pipes[0], rest, sizeof(rest)) > 0)
			continue;
	}
	pthread_mutex_unlock(&lock);
}

/* The first one is that of the primary node, which can do some things more. */
static int open_file(unsigned int number)
{
	struct gpu gpu;
	int ret = number ? gpu_open(&gpu, options.index) :
			   gem_open_primary(&gpu, options.index);

	if (!ret)
		return gpu.fd;
	fprintf(stderr, "fuzz: device %u: %s\n", options.index, strerrorname_np(-ret));
	_exit(3);
}

/* The number stays open, but it is another file from now on. */
static void do_close(uint64_t *random)
{
	unsigned int number = below(random, FILES);
	int fd = open_file(number);

	dup2(fd, files[number]);
	close(fd);
}

static void do_fork(void)
{
	pid_t pid = fork();
	uint64_t random = 1;

	if (pid < 0)
		return;
	if (!pid) {
		cover_forget();
		for (int i = 0; i < 5; i++)
			do_command(&random);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void do_step(uint64_t *random)
{
	uint64_t kind = below(random, 1000);

	if (kind < 5)
		do_close(random);
	else if (kind < 7)
		do_fork();
	else if (kind < 100)
		do_memory(random);
	else if (kind < 150)
		do_touch(random);
	else if (kind < 160)
		do_map_buffer(random);
	else if (kind < 170)
		do_share_buffer(random);
	else
		do_command(random);
}

static void *run_thread(void *arg)
{
	uint64_t number = (uintptr_t)arg, steps = 0;
	uint64_t random = options.seed + number * 0x9e3779b97f4a7c15ULL;

	if (cover_start())
		atomic_store(&covered, true);
	while (!stop && (!options.steps || steps++ < options.steps))
		do_step(&random);
	return NULL;
}

static void run_all(void)
{
	pthread_t threads[MAX_THREADS];
	double end = seconds_now() + options.seconds;

	arena = mmap(ARENA_AT, ARENA, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (arena != ARENA_AT || madvise(arena, ARENA, MADV_HUGEPAGE))
		abort();
	for (unsigned int i = 0; i < FILES; i++)
		files[i] = open_file(i);
	for (uintptr_t i = 0; i < options.threads; i++)
		if (pthread_create(&threads[i], NULL, run_thread, (void *)i))
			abort();
	while (!options.steps && seconds_now() < end)
		sleep_ms(50);
	stop = !options.steps;
	for (unsigned int i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
}

static void print_counts(void)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		printf("# %s: %llu of %llu succeeded\n", commands[i].name,
		       (unsigned long long)successes[i], (unsigned long long)counts[i]);
		total += counts[i];
	}
	printf("# %llu commands\n", (unsigned long long)total);
	if (covered)
		printf("# %u places in the modules, %u commands led to new ones\n", cover_places(),
		       corpus_size());
}

/* All of it happens in a process of its own, with whose end everything has to go. */
static int run_process(void)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return 1;
	if (!pid) {
		alarm(options.seconds + GRACE * (getenv("TEST_SLOW") ?
						 1 + atof(getenv("TEST_SLOW")) : 1));
		run_all();
		print_counts();
		fflush(stdout);
		_exit(unexpected ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status)) {
		printf("not ok fuzz: ended by signal %d\n", WTERMSIG(status));
		return 1;
	}
	if (WEXITSTATUS(status))
		printf("not ok fuzz: %s\n", WEXITSTATUS(status) == 1 ?
		       "answers that nobody expects, see above" : "no device");
	return WEXITSTATUS(status);
}

/*
 * The process that has ended had its memory from this one, and may have moved to the
 * device what both have: that is not lost, and comes home.
 */
static void bring_home(const struct gpu *gpu)
{
	uint32_t vm;

	if (gpu_vm_create(gpu, &vm))
		return;
	gpu_evict_device(gpu, vm);
	gpu_vm_destroy(gpu, vm);
}

/* What is alive, or was caught, after the end; NULL if nothing. */
static const char *find_rest(const struct gpu *gpu, const uint64_t *before)
{
	uint64_t now[MOCKGPU_COUNTER_COUNT];

	if (gpu_counters(gpu, now))
		return "the counters";
	for (unsigned int i = 0; i < MOCKGPU_COUNTER_COUNT; i++)
		if (gpu_counter_is_live(i) && now[i] > before[i])
			return gpu_counter_name(i);
	if (now[MOCKGPU_COUNTER_DEVICE_ERRORS] > before[MOCKGPU_COUNTER_DEVICE_ERRORS])
		return gpu_counter_name(MOCKGPU_COUNTER_DEVICE_ERRORS);
	return NULL;
}

static int run_checked(void)
{
	uint64_t before[MOCKGPU_COUNTER_COUNT];
	struct gpu gpu = { .fd = open_file(1) };
	const char *rest;
	double deadline;
	int ret;

	gpu_counters(&gpu, before);
	ret = run_process();
	if (ret)
		return ret;
	deadline = seconds_now() + GRACE;
	while ((rest = find_rest(&gpu, before)) && seconds_now() < deadline) {
		bring_home(&gpu);
		sleep_ms(20);
	}
	if (rest)
		printf("not ok fuzz: left behind: %s\n", rest);
	else
		printf("ok fuzz\n");
	return rest ? 1 : 0;
}

static bool parse(int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--seconds"))
			options.seconds = atof(argv[i + 1]);
		else if (!strcmp(argv[i], "--seed"))
			options.seed = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--threads"))
			options.threads = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--device"))
			options.index = atoi(argv[i + 1]);
		else if (!strcmp(argv[i], "--steps"))
			options.steps = strtoull(argv[i + 1], NULL, 0);
		else if (!strcmp(argv[i], "--corpus"))
			options.corpus = atoi(argv[i + 1]);
		else
			return false;
	}
	return argc % 2 && options.threads && options.threads <= MAX_THREADS;
}

int main(int argc, char **argv)
{
	options.seed = time(NULL) ^ (uint64_t)getpid() << 32;
	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: fuzz [--seconds N] [--seed N] [--threads N] "
			"[--device N] [--steps N] [--corpus N]\n");
		return 2;
	}
	printf("# fuzz --seed %#llx --threads %u\n", (unsigned long long)options.seed,
	       options.threads);
	signal(SIGPIPE, SIG_IGN);
	return run_checked();
}
