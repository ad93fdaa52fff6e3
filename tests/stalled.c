// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory of a file whose server does not answer, and memory that nobody but the
 * process may see. The device gets neither, and who has nothing to do with it does
 * not notice.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knob.h"
#include "queue.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret	447
#endif

#define VALUE	0x5851f42d4c957f2dULL
#define SEED	0x14057b7ef767814fULL
/* What must happen soon, although a page may be waited for much longer. */
#define SOON	3
/* How often the driver waits a second for a page, and some more. */
#define SEVERAL	15
/* Threads of one process that wait at a time, so that the last one does not get on soon. */
#define SHARERS	4
/* How long a test may take. */
#define SECONDS	60

#define PAGES		64
#define FILE_SIZE	(PAGES * PAGE)
/* The server gets what is written in one piece, behind two headers. */
#define REQUEST_MAX	(FILE_SIZE + PAGE)
#define READS_MAX	PAGES

/*
 * A file that a process of the test provides. What both have to know is in memory that
 * they share. No number is ever changed by both.
 */
struct server {
	/* Reads are answered from now on, also those of before. */
	volatile bool answers;
	/* Until then they are answered one by one, each after so long; 0: none is. */
	volatile unsigned int pause_ms;
	/* So many reads fail first. */
	volatile unsigned int fail;
	/* Reads so far. */
	volatile unsigned int asked;
	/* For who wants VRAM meanwhile. */
	volatile bool populated;
	/* What the file holds. */
	uint64_t words[FILE_SIZE / sizeof(uint64_t)];
	pid_t pid;
	int device;
	/* The mapping, of the process that the test is. */
	char *mem;
};

/* A read that waits for its answer. */
struct wanted {
	uint64_t unique;
	uint64_t offset;
	uint32_t size;
};

/* What the process of the server has for itself. */
static struct wanted wanted[READS_MAX];
static unsigned int wanted_count;

static void answer(const struct server *server, uint64_t unique, const void *data, size_t size)
{
	struct fuse_out_header header = { .len = sizeof(header) + size, .unique = unique };
	struct iovec parts[2] = { { &header, sizeof(header) }, { (void *)data, size } };

	/* Whoever wanted it may have gone. */
	if (writev(server->device, parts, 2) < 0 && errno != ENOENT)
		_exit(1);
}

static void refuse(const struct server *server, uint64_t unique, int error)
{
	struct fuse_out_header header = {
		.len = sizeof(header), .unique = unique, .error = error,
	};

	if (write(server->device, &header, sizeof(header)) < 0 && errno != ENOENT)
		_exit(1);
}

static void answer_init(const struct server *server, uint64_t unique, const void *args)
{
	const struct fuse_init_in *in = args;
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = in->max_readahead, .flags = in->flags & FUSE_ASYNC_READ,
		.max_background = READS_MAX, .congestion_threshold = READS_MAX,
		.max_write = PAGE,
	};

	answer(server, unique, &out, sizeof(out));
}

/* Nothing of it ever changes. */
static void answer_attr(const struct server *server, uint64_t unique)
{
	struct fuse_attr_out out = {
		.attr_valid = 1000,
		.attr = {
			.ino = FUSE_ROOT_ID, .size = FILE_SIZE, .blocks = FILE_SIZE / 512,
			.mode = S_IFREG | 0600, .nlink = 1, .blksize = PAGE,
		},
	};

	answer(server, unique, &out, sizeof(out));
}

static void answer_open(const struct server *server, uint64_t unique)
{
	struct fuse_open_out out = { .open_flags = FOPEN_KEEP_CACHE };

	answer(server, unique, &out, sizeof(out));
}

static void answer_write(struct server *server, uint64_t unique, const void *args)
{
	const struct fuse_write_in *in = args;
	struct fuse_write_out out = { .size = in->size };

	if (in->offset > FILE_SIZE || in->size > FILE_SIZE - in->offset)
		_exit(1);
	memcpy((char *)server->words + in->offset, in + 1, in->size);
	answer(server, unique, &out, sizeof(out));
}

static void note_read(struct server *server, uint64_t unique, const void *args)
{
	const struct fuse_read_in *in = args;

	if (server->asked++ < server->fail)
		return refuse(server, unique, -EIO);
	if (in->offset > FILE_SIZE || wanted_count == READS_MAX)
		_exit(1);
	wanted[wanted_count++] = (struct wanted){
		.unique = unique, .offset = in->offset,
		.size = in->size < FILE_SIZE - in->offset ? in->size : FILE_SIZE - in->offset,
	};
}

static void answer_read(const struct server *server)
{
	const struct wanted *last = &wanted[--wanted_count];

	answer(server, last->unique, (char *)server->words + last->offset, last->size);
}

/* Those that are due. */
static void answer_reads(const struct server *server)
{
	static double due;

	while (server->answers && wanted_count)
		answer_read(server);
	if (!wanted_count || !server->pause_ms)
		due = 0;
	else if (!due)
		due = seconds_now() + server->pause_ms / 1000.;
	else if (seconds_now() >= due)
		answer_read(server), due = 0;
}

static void handle(struct server *server, const struct fuse_in_header *header)
{
	switch (header->opcode) {
	case FUSE_INIT:
		return answer_init(server, header->unique, header + 1);
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		return answer_attr(server, header->unique);
	case FUSE_OPEN:
		return answer_open(server, header->unique);
	case FUSE_READ:
		return note_read(server, header->unique, header + 1);
	case FUSE_WRITE:
		return answer_write(server, header->unique, header + 1);
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_FSYNC:
		return refuse(server, header->unique, 0);
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		/* They expect no answer. */
		return;
	default:
		return refuse(server, header->unique, -ENOSYS);
	}
}

/* As long as the test: its end, however it comes, is the end of the connection. */
static void serve(void *arg)
{
	static char request[REQUEST_MAX] __attribute__((aligned(8)));
	struct server *server = arg;
	struct pollfd poll_fd = { .fd = server->device, .events = POLLIN };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		if (poll(&poll_fd, 1, 5) > 0 &&
		    read(server->device, request, sizeof(request)) > 0)
			handle(server, (struct fuse_in_header *)request);
		answer_reads(server);
		if (poll_fd.revents & POLLERR)
			_exit(0);
	}
}

static int fuse_open(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0 && !system("modprobe -q fuse"))
		fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		test_skip("/dev/fuse: %s", errno_name(errno));
	return fd;
}

/* Has to be opened while it is mounted, then it needs no name any more. */
static int server_open_file(struct server *server)
{
	char path[] = "/tmp/stalled-XXXXXX", options[96];
	struct stat st;
	int fd;

	fd = mkstemp(path);
	CHECK_SYS(fd);
	close(fd);
	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0",
		 server->device, S_IFREG);
	CHECK_SYS(mount("stalled", path, "fuse", MS_NOSUID | MS_NODEV, options));
	server->pid = test_fork(serve, server);
	fd = open(path, O_RDWR | O_CLOEXEC);
	umount2(path, MNT_DETACH);
	unlink(path);
	CHECK_SYS(fd);
	/* The kernel does not know its size before it is asked for. */
	CHECK_SYS(fstat(fd, &st));
	CHECK_EQ(st.st_size, FILE_SIZE);
	return fd;
}

/* It is at the first read that it does not answer. flags are those of the mapping. */
static struct server *server_new(int flags)
{
	struct server *server = mmap(NULL, sizeof(*server), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd;

	CHECK(server != MAP_FAILED);
	pattern_fill(server->words, FILE_SIZE, SEED);
	server->device = fuse_open();
	fd = server_open_file(server);
	/* From here on the process of the server is the only one that has it. */
	close(server->device);
	server->mem = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(server->mem != MAP_FAILED);
	close(fd);
	return server;
}

/* Nothing that was asked for will come any more. */
static void server_kill(const struct server *server)
{
	CHECK_SYS(kill(server->pid, SIGKILL));
	CHECK_EQ(waitpid(server->pid, NULL, 0), server->pid);
}

static void wait_until_asked(const struct server *server, unsigned int times)
{
	double end = seconds_now() + patience(10);

	while (server->asked < times && seconds_now() < end)
		sleep_ms(2);
	CHECK(server->asked >= times);
}

static int is_over(const struct job *job)
{
	int ret = sync_wait(job->gpu, job->sync, 0, 0);

	CHECK(!ret || ret == -ETIME);
	return !ret;
}

static void check_time(double start, double seconds, const char *what)
{
	double took = seconds_now() - start;

	if (took > patience(seconds))
		FAIL("%s took %.1f s", what, took);
}

/* A job that waits for the first page of a file. */
struct stall {
	struct server *server;
	uint32_t vm;
	uint32_t queue;
	uint64_t sum;
	struct job job;
	double start;
};

static struct stall *stall_new(const struct gpu *gpu, unsigned int fail, unsigned int timeout_ms)
{
	struct drm_mockgpu_exec exec = { .timeout_ms = timeout_ms };
	struct stall *stall = calloc(1, sizeof(*stall));

	CHECK(stall);
	stall->server = server_new(MAP_SHARED);
	stall->server->fail = fail;
	stall->vm = vm_new(gpu);
	stall->queue = queue_new(gpu, stall->vm);
	/* Results are stored there, for which there need be no page fault any more. */
	CHECK_OK(job_do(gpu, stall->queue, cmd_fill(&stall->sum, 8, 0)));
	stall->start = seconds_now();
	job_add(&stall->job, cmd_checksum(stall->server->mem, PAGE, &stall->sum));
	CHECK_OK(job_try_start(&stall->job, gpu, stall->queue, &exec));
	wait_until_asked(stall->server, fail + 1);
	return stall;
}

/* A file of that kind is memory like other, if it is served. */
static void file_answers(struct gpu *gpu)
{
	struct server *server = server_new(MAP_SHARED);
	char *mem = server->mem + 3 * PAGE;
	uint32_t vm = vm_new(gpu), queue;
	uint64_t sum, copy[PAGE / 8];
	struct mismatch bad;

	server->answers = true;
	queue = queue_new(gpu, vm);
	CHECK_OK(job_do(gpu, queue, cmd_checksum(mem, PAGE, &sum)));
	CHECK(sum == device_sum(server->words + 3 * PAGE / 8, PAGE / 8));
	mem += PAGES / 2 * PAGE;
	CHECK_OK(gpu_read(gpu, vm, mem, PAGE, copy));
	CHECK_DATA(words_match(copy, server->words + (PAGES / 2 + 3) * PAGE / 8, PAGE, &bad), bad);
	CHECK_OK(job_do(gpu, queue, cmd_fill(mem, PAGE, VALUE)));
	CHECK_DATA(words_are(mem, PAGE, VALUE, &bad), bad);
	CHECK_SYS(msync(mem, PAGE, MS_SYNC));
	CHECK_DATA(words_are(server->words + (PAGES / 2 + 3) * PAGE / 8, PAGE, VALUE, &bad), bad);
}

/* An own copy of such a page would be waited for with a lock held, were it taken. */
static void file_atomic(struct gpu *gpu)
{
	struct server *server = server_new(MAP_PRIVATE);
	struct area area = { .gpu = gpu, .mem = server->mem, .size = PAGE };
	uint32_t queue;

	if (!(gpu->caps & MOCKGPU_CAP_EXCLUSIVE))
		test_skip("this kernel gives devices no pages for themselves");
	server->answers = true;
	area.vm = vm_new(gpu);
	queue = queue_new(gpu, area.vm);
	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_SYSTEM));
	*(volatile uint64_t *)area.mem = 5;
	CHECK_RET(job_do(gpu, queue, cmd_add(area.mem, 1, NULL)), -EOPNOTSUPP);
	CHECK_EQ(*(volatile uint64_t *)area.mem, 5);
}

static volatile bool may_stop;

static void *drop_for_ever(void *mem)
{
	while (!may_stop) {
		CHECK_SYS(madvise(mem, 16 * PAGE, MADV_DONTNEED));
		usleep(50);
	}
	return NULL;
}

/* What is gone as soon as it has come is no bad address. */
static void file_dropped(struct gpu *gpu)
{
	struct server *server = server_new(MAP_SHARED);
	double end = seconds_now() + patience(1);
	uint32_t vm = vm_new(gpu);
	unsigned int won = 0, lost = 0;
	pthread_t thread;

	server->answers = true;
	CHECK(!pthread_create(&thread, NULL, drop_for_ever, server->mem));
	while (seconds_now() < end || won + lost < 3) {
		uint64_t word;
		int ret = gpu_read(gpu, vm, server->mem + won % 16 * PAGE, 8, &word);

		CHECK(!ret || ret == -EBUSY);
		won += !ret;
		lost += !!ret;
	}
	may_stop = true;
	CHECK(!pthread_join(thread, NULL));
	printf("# won %u, lost %u\n", won, lost);
}

/* A late answer is one. */
static void file_late(struct gpu *gpu)
{
	struct stall *stall = stall_new(gpu, 0, 0);

	sleep_ms(1500);
	CHECK(!is_over(&stall->job));
	stall->server->answers = true;
	CHECK_OK(job_end(&stall->job));
	CHECK(stall->sum == device_sum(stall->server->words, PAGE / 8));
}

static void file_silent_job(struct gpu *gpu)
{
	struct stall *stall = stall_new(gpu, 0, 500);

	CHECK_RET(job_end(&stall->job), -ETIME);
	check_time(stall->start, SOON, "a job of half a second");
	/* The memory has not become unusable by that, and the queue neither. */
	stall->server->answers = true;
	CHECK_OK(job_do(gpu, stall->queue, cmd_checksum(stall->server->mem, PAGE, &stall->sum)));
	CHECK(stall->sum == device_sum(stall->server->words, PAGE / 8));
}

/* The server dies while a page is waited for. */
static void file_server_killed(struct gpu *gpu)
{
	struct stall *stall = stall_new(gpu, 0, 0);
	double start = seconds_now();

	server_kill(stall->server);
	CHECK_RET(job_end(&stall->job), -EFAULT);
	check_time(start, SOON, "the end of a job without its server");
}

static void file_silent_access(struct gpu *gpu)
{
	struct server *server = server_new(MAP_SHARED);
	uint32_t vm = vm_new(gpu);
	double start = seconds_now();
	uint64_t word;

	CHECK_RET(gpu_read(gpu, vm, server->mem, 8, &word), -EBUSY);
	check_time(start, SEVERAL, "ACCESS");
}

/* An access by a process of its own. */
struct reader {
	unsigned int index;
	char *mem;
	struct server *server;
};

static void read_page(void *arg)
{
	struct reader *reader = arg;
	struct gpu mine;
	uint64_t word;

	CHECK_OK(gpu_open(&mine, reader->index));
	gpu_read(&mine, vm_new(&mine), reader->mem, 8, &word);
	FAIL("there was an answer");
}

static void file_silent_killed(struct gpu *gpu)
{
	struct server *server = server_new(MAP_SHARED);
	struct reader reader = { .index = gpu->index, .mem = server->mem };
	double start;
	pid_t pid = test_fork(read_page, &reader);

	wait_until_asked(server, 1);
	sleep_ms(200);
	start = seconds_now();
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	check_time(start, SOON, "the end of a process");
}

static void use_device(void *arg)
{
	struct gpu mine;
	struct area area;

	CHECK_OK(gpu_open(&mine, ((struct gpu *)arg)->index));
	area = area_filled(&mine, 16 * PAGE, 0, MEM_SMALL);
	area_check_device(&area);
	CHECK_OK(job_do(&mine, queue_new(&mine, area.vm), cmd_fill(area.mem, area.size, 1)));
	CHECK_OK(gpu_vm_destroy(&mine, area.vm));
	gpu_close(&mine);
}

static void use_memory(void)
{
	char *mem = mem_map(16 * PAGE, 0, MEM_SMALL);

	CHECK(mem);
	memset(mem, 1, 16 * PAGE);
	CHECK_SYS(mprotect(mem, PAGE, PROT_READ));
	CHECK_SYS(munmap(mem, 16 * PAGE));
}

static void read_fdinfo(const struct gpu *gpu)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", gpu->fd);
	CHECK(*file_line(path, text, sizeof(text)));
}

/* Other processes, and what the same does elsewhere. */
static void file_silent_others(struct gpu *gpu)
{
	struct stall *stall = stall_new(gpu, 0, 0);
	double start = seconds_now();

	for (int i = 0; i < 3; i++) {
		read_fdinfo(gpu);
		check_time(start, SOON, "fdinfo");
		use_memory();
		check_time(start, SOON, "mapping and unmapping of memory");
		test_join(test_fork(use_device, gpu));
		check_time(start, SOON, "use of the device by another process");
	}
	if (seconds_now() - stall->start < SOON)
		CHECK(!is_over(&stall->job));
}

static void *touch_page(void *mem)
{
	(void)*(volatile char *)mem;
	return NULL;
}

/* Asks for VRAM while a fault of its own process waits for the file, with the mmap_lock. */
static void populate_behind_fault(void *arg)
{
	struct reader *reader = arg;
	struct gpu mine;
	struct area area;
	pthread_t thread;

	CHECK_OK(gpu_open(&mine, reader->index));
	area = area_filled(&mine, 16 * PAGE, 0, MEM_SMALL);
	CHECK(!pthread_create(&thread, NULL, touch_page, reader->mem));
	wait_until_asked(reader->server, reader->server->fail + 1);
	sleep_ms(100);
	gpu_populate(&mine, area.vm, area.mem, area.size);
	reader->server->populated = true;
	sleep(1000);
}

static void populate_some(void *arg)
{
	struct gpu mine;
	struct area area;

	CHECK_OK(gpu_open(&mine, ((struct gpu *)arg)->index));
	area = area_filled(&mine, 16 * PAGE, 0, MEM_SMALL);
	area_populate(&area);
	area_check_device(&area);
	CHECK_OK(gpu_vm_destroy(&mine, area.vm));
	gpu_close(&mine);
}

/* The first thread of a process is, whatever became of its others. */
static bool is_dead(pid_t pid)
{
	char path[32], state = 0;
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = fopen(path, "r");
	CHECK(stat && fscanf(stat, "%*d %*s %c", &state) == 1);
	fclose(stat);
	return state == 'Z';
}

static bool is_asked(const struct server *server, unsigned int times)
{
	double end = seconds_now() + patience(1);

	while (server->asked < times && seconds_now() < end)
		sleep_ms(2);
	return server->asked >= times;
}

/* The first answers are errors; after some of them core mm waits so, or gives up. */
static void populate_while_silent(struct gpu *gpu, unsigned int fail)
{
	struct server *server = server_new(MAP_SHARED);
	struct reader reader = { .index = gpu->index, .mem = server->mem, .server = server };
	double start;
	pid_t pid;

	server->fail = fail;
	pid = test_fork(populate_behind_fault, &reader);
	if (is_asked(server, fail + 1)) {
		sleep_ms(500);
		start = seconds_now();
		test_join(test_fork(populate_some, gpu));
		check_time(start, SOON, "to populate memory of another process");
		printf("# after %u errors: its own %s\n", fail,
		       server->populated ? "is populated" : "waits");
	}
	start = seconds_now();
	CHECK_SYS(kill(pid, SIGKILL));
	while (!is_dead(pid))
		check_time(start, SOON, "the end of a thread that populates");
	/* The thread that reads the file ends when there is an answer. */
	server_kill(server);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

/* Nobody else's memory waits for that, and who waits can be killed. */
static void file_silent_populate(struct gpu *gpu)
{
	for (unsigned int fail = 0; fail < 3; fail++)
		populate_while_silent(gpu, fail);
}

/* A thread that reads memory of a file by the device. */
struct sharer {
	const struct gpu *gpu;
	uint32_t vm;
	char *mem;
};

static void *read_shared(void *arg)
{
	struct sharer *sharer = arg;
	uint64_t word;
	int ret = gpu_read(sharer->gpu, sharer->vm, sharer->mem, 8, &word);

	CHECK(!ret || ret == -EBUSY);
	return NULL;
}

static void *destroy_shared(void *arg)
{
	struct sharer *sharer = arg;

	CHECK_OK(gpu_vm_destroy(sharer->gpu, sharer->vm));
	return NULL;
}

/* In a process of its own: who flushes files waits for those that a thread reads. */
static void list_ranges(void *gpu)
{
	free(knob_text(gpu, "ranges"));
}

/*
 * Those that share ranges wait for the file one after the other, a second each, and so
 * does who lists the ranges, and the end of a VM. Nobody else waits for any of them.
 */
static void file_silent_shared(struct gpu *gpu)
{
	struct server *server = server_new(MAP_SHARED);
	struct sharer sharers[SHARERS] = { }, ends = { .gpu = gpu };
	pthread_t threads[SHARERS], destroyer;
	double end, start;
	pid_t lister;

	CHECK_OK(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &ends.vm));
	CHECK_OK(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &sharers->vm));
	for (unsigned int i = 0; i < SHARERS; i++) {
		sharers[i] = (struct sharer){ gpu, sharers->vm, server->mem + i * PAGE };
		CHECK(!pthread_create(&threads[i], NULL, read_shared, &sharers[i]));
	}
	wait_until_asked(server, 1);
	/* Until all are waiting. */
	sleep_ms(200);
	lister = test_fork(list_ranges, gpu);
	CHECK(!pthread_create(&destroyer, NULL, destroy_shared, &ends));
	end = seconds_now() + 2 * SHARERS;
	do {
		start = seconds_now();
		test_join(test_fork(use_device, gpu));
		check_time(start, SOON, "use of the device by another process");
		read_fdinfo(gpu);
		check_time(start, SOON, "fdinfo");
	} while (seconds_now() < end);
	server->answers = true;
	for (unsigned int i = 0; i < SHARERS; i++)
		CHECK(!pthread_join(threads[i], NULL));
	test_join(lister);
	CHECK(!pthread_join(destroyer, NULL));
}

/* What waits can be given up. */
static void file_silent_destroy(struct gpu *gpu)
{
	struct stall *stall = stall_new(gpu, 0, 0);
	double start = seconds_now();

	CHECK_OK(gpu_queue_destroy(gpu, stall->queue));
	check_time(start, SOON, "QUEUE_DESTROY");
	CHECK_RET(job_end(&stall->job), -ECANCELED);
	CHECK_OK(gpu_vm_destroy(gpu, stall->vm));
	check_time(start, SOON, "VM_DESTROY");
}

/* Memory that is the process's own where it has written, which can be moved elsewhere. */
static void file_silent_moved(struct gpu *gpu)
{
	struct server *server = server_new(MAP_PRIVATE);
	struct drm_mockgpu_exec quick = { .timeout_ms = 500 };
	struct area area = { .gpu = gpu, .mem = server->mem, .size = 16 * PAGE };
	double start = seconds_now();
	struct job job = { };
	uint32_t queue;

	area.vm = vm_new(gpu);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -EBUSY);
	CHECK_RET(area_prefetch(&area, MOCKGPU_PREFER_DEVICE), -EBUSY);
	check_time(start, SEVERAL, "to move a page that does not come");
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_NONE), 16);
	CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	if (gpu->caps & MOCKGPU_CAP_ATOMIC_SYSTEM)
		CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_SYSTEM));
	queue = queue_new(gpu, area.vm);
	job_add(&job, cmd_add(area.mem, 1, NULL));
	CHECK_OK(job_try_start(&job, gpu, queue, &quick));
	wait_until_asked(server, 1);
	start = seconds_now();
	use_memory();
	test_join(test_fork(use_device, gpu));
	check_time(start, SOON, "what others do");
	server->answers = true;
	CHECK_OK(sync_wait(gpu, job.sync, 0, patience(SEVERAL)));
	CHECK_OK(job_do(gpu, queue, cmd_fill(area.mem, area.size, VALUE)));
	CHECK_EQ(*(uint64_t *)area.mem, (long long)VALUE);
}

/* A piece that does not come is waited for, the pieces behind it are not. */
static void file_silent_pieces(struct gpu *gpu)
{
	struct server *server = server_new(MAP_PRIVATE);
	struct area area = { .gpu = gpu, .mem = server->mem, .size = 4 * PAGE };
	unsigned int pieces;
	double start;

	area.vm = vm_new(gpu);
	for (pieces = 0; pieces < 4; pieces++) {
		/* What has other attributes is another piece. */
		CHECK_OK(area_set_attr(&area, MOCKGPU_ATTR_TIMESLICE_MS, pieces));
		area.mem += area.size;
	}
	area.mem = server->mem;
	area.size *= pieces;
	start = seconds_now();
	CHECK_RET(area_prefetch(&area, MOCKGPU_PREFER_SYSTEM), -EBUSY);
	check_time(start, SEVERAL, "PREFETCH");
	server->answers = true;
	CHECK_OK(area_prefetch(&area, MOCKGPU_PREFER_SYSTEM));
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_SYSTEM), 16);
}

/* A thread that cannot but wait for mmap_lock. */
static volatile bool may_map;

static void *map_later(void *unused)
{
	(void)unused;
	while (!may_map)
		sleep_ms(2);
	use_memory();
	return NULL;
}

/*
 * Reads that fail are tried again, and core mm may wait for the last with mmap_lock
 * held. Who then has to wait for that lock can be the process, but not the device.
 */
static void file_failing(struct gpu *gpu)
{
	struct stall *stall;
	pthread_t thread;
	double start;

	CHECK(!pthread_create(&thread, NULL, map_later, NULL));
	stall = stall_new(gpu, 2, 500);
	/* Such a read there is by then. */
	sleep_ms(200);
	may_map = true;
	CHECK_OK(sync_wait(gpu, stall->job.sync, 0, patience(SEVERAL)));
	start = seconds_now();
	CHECK_OK(device_unbind(gpu->index));
	check_time(start, SEVERAL, "unbinding");
	CHECK_OK(device_bind(gpu->index));
}

static void file_silent_unbind(struct gpu *gpu)
{
	struct stall *stall = stall_new(gpu, 0, 0);
	double start = seconds_now();

	if (device_unbind(!gpu->index))
		test_skip("the device is not of the platform");
	CHECK_OK(device_bind(!gpu->index));
	check_time(start, SEVERAL, "unbinding of another device");
	if (seconds_now() - stall->start < SOON)
		CHECK(!is_over(&stall->job));
	start = seconds_now();
	CHECK_OK(device_unbind(gpu->index));
	check_time(start, SEVERAL, "unbinding of the device");
	CHECK_OK(device_bind(gpu->index));
}

static void *prefetch_file(void *arg)
{
	area_prefetch(arg, MOCKGPU_PREFER_SYSTEM);
	return NULL;
}

/* No page of it takes long, but all of them together do. */
static void file_slow_unbind(struct gpu *gpu)
{
	struct server *server = server_new(MAP_SHARED);
	struct area area = { .gpu = gpu, .mem = server->mem, .size = FILE_SIZE };
	pthread_t thread;
	double start;

	CHECK_SYS(madvise(area.mem, area.size, MADV_RANDOM));
	server->pause_ms = 900;
	area.vm = vm_new(gpu);
	CHECK(!pthread_create(&thread, NULL, prefetch_file, &area));
	wait_until_asked(server, 2);
	start = seconds_now();
	if (device_unbind(!gpu->index))
		test_skip("the device is not of the platform");
	check_time(start, SEVERAL, "unbinding of another device");
	CHECK_OK(device_bind(!gpu->index));
	server->answers = true;
	CHECK(!pthread_join(thread, NULL));
}

/* Ordinary pages, and behind them as many that only the process may see. */
struct secret {
	struct area area, open, hidden;
	uint32_t queue;
};

static struct secret secret_new(const struct gpu *gpu)
{
	struct secret secret = { .area = area_filled(gpu, 8 * PAGE, 0, MEM_SMALL) };
	int fd = syscall(SYS_memfd_secret, 0);

	if (fd < 0)
		test_skip("memfd_secret: %s", errno_name(errno));
	secret.open = area_part(&secret.area, 0, 4 * PAGE);
	secret.hidden = area_part(&secret.area, 4 * PAGE, 4 * PAGE);
	CHECK_SYS(ftruncate(fd, secret.hidden.size));
	CHECK(mmap(secret.hidden.mem, secret.hidden.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, fd, 0) == secret.hidden.mem);
	close(fd);
	pattern_fill(secret.hidden.mem, secret.hidden.size, SEED);
	secret.queue = queue_new(gpu, secret.area.vm);
	return secret;
}

/* It is what it was, and the VM can be used as before. */
static void secret_check(struct secret *secret)
{
	struct mismatch bad;

	CHECK_DATA(pattern_matches(secret->hidden.mem, secret->hidden.size, SEED, 0, &bad), bad);
	area_device_fill(&secret->open, SEED);
	area_check_cpu(&secret->open);
	CHECK_OK(job_do(secret->area.gpu, secret->queue,
			cmd_fill(secret->open.mem, secret->open.size, VALUE)));
	CHECK_DATA(words_are(secret->open.mem, secret->open.size, VALUE, &bad), bad);
}

static void secret_access(struct gpu *gpu)
{
	struct secret secret = secret_new(gpu);
	char *mem = secret.hidden.mem;
	uint64_t word = VALUE;

	CHECK_RET(gpu_read(gpu, secret.area.vm, mem, 8, &word), -EFAULT);
	CHECK(word == VALUE);
	CHECK_RET(gpu_write(gpu, secret.area.vm, mem, 8, &word), -EFAULT);
	CHECK_RET(gpu_fill(gpu, secret.area.vm, mem, PAGE, 1), -EFAULT);
	CHECK_RET(gpu_xor(gpu, secret.area.vm, mem + PAGE, PAGE, 1), -EFAULT);
	secret_check(&secret);
}

static void secret_job(struct gpu *gpu)
{
	struct secret secret = secret_new(gpu);
	char *mem = secret.hidden.mem;
	uint64_t sum = VALUE;

	CHECK_RET(job_do(gpu, secret.queue, cmd_fill(mem, PAGE, 1)), -EFAULT);
	CHECK_RET(job_do(gpu, secret.queue, cmd_checksum(mem, 8, &sum)), -EFAULT);
	CHECK_RET(job_do(gpu, secret.queue, cmd_copy(secret.open.mem, mem, 8)), -EFAULT);
	CHECK_RET(job_do(gpu, secret.queue, cmd_add(mem, 1, &sum)), -EFAULT);
	CHECK(sum == VALUE);
	secret_check(&secret);
}

/* Such as the CPU does not have either while the device works on it. */
static void secret_atomic(struct gpu *gpu)
{
	struct secret secret = secret_new(gpu);
	struct drm_mockgpu_exec quick = { .timeout_ms = 500 };
	struct job job = { };
	int ret;

	if (!(gpu->caps & MOCKGPU_CAP_ATOMIC_SYSTEM))
		test_skip("the kernel cannot give a device pages for itself");
	CHECK_OK(area_set_attr(&secret.area, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_SYSTEM));
	job_add(&job, cmd_add(secret.hidden.mem, 1, NULL));
	CHECK_OK(job_try_start(&job, gpu, secret.queue, &quick));
	ret = job_end(&job);
	/* Memory of a file is not taken, and it does not go into coherent VRAM either. */
	CHECK(ret == -EOPNOTSUPP || ret == -EFAULT);
	secret_check(&secret);
}

/* The part that is ordinary is worked on. */
static void secret_in_part(struct gpu *gpu)
{
	struct secret secret = secret_new(gpu);
	struct drm_mockgpu_access access = {
		.vm_id = secret.area.vm, .op = MOCKGPU_ACCESS_FILL, .value = VALUE,
		.addr = (uintptr_t)secret.area.mem, .size = secret.area.size,
	};
	struct mismatch bad;

	CHECK_RET(gpu_access(gpu, &access), -EFAULT);
	CHECK_EQ(access.done, (long long)secret.open.size);
	CHECK_DATA(words_are(secret.open.mem, secret.open.size, VALUE, &bad), bad);
	CHECK_RET(job_do(gpu, secret.queue, cmd_fill(secret.area.mem, secret.area.size, 1)),
		  -EFAULT);
	CHECK_DATA(words_are(secret.open.mem, secret.open.size, 1, &bad), bad);
	secret_check(&secret);
}

/* What is ordinary memory later is usable as such. */
static void secret_replaced(struct gpu *gpu)
{
	struct secret secret = secret_new(gpu);
	struct area hidden = secret.hidden;

	CHECK_RET(gpu_fill(gpu, hidden.vm, hidden.mem, hidden.size, 1), -EFAULT);
	CHECK(mmap(hidden.mem, hidden.size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == hidden.mem);
	area_device_fill(&hidden, SEED);
	area_check_cpu(&hidden);
}

static void secret_moved(struct gpu *gpu)
{
	struct secret secret = secret_new(gpu);
	struct area *hidden = &secret.hidden;

	CHECK_RET(gpu_populate(gpu, hidden->vm, hidden->mem, hidden->size), -EBUSY);
	CHECK_RET(gpu_populate(gpu, hidden->vm, secret.area.mem, secret.area.size), -EBUSY);
	CHECK_EQ(area_pages(hidden, MOCKGPU_PAGE_DEVICE), 0);
	secret_check(&secret);
}

static void secret_prefetched(struct gpu *gpu)
{
	struct secret secret = secret_new(gpu);

	/* To VRAM comes first, and that is not for memory of a file. */
	if (gpu_has_vram(gpu)) {
		CHECK_RET(area_prefetch(&secret.hidden, MOCKGPU_PREFER_DEVICE), -EBUSY);
		CHECK_RET(area_prefetch(&secret.area, MOCKGPU_PREFER_DEVICE), -EBUSY);
	}
	CHECK_RET(area_prefetch(&secret.hidden, MOCKGPU_PREFER_SYSTEM), -EFAULT);
	CHECK_RET(area_prefetch(&secret.area, MOCKGPU_PREFER_SYSTEM), -EFAULT);
	secret_check(&secret);
}

static const struct test tests[] = {
	{ "secret-access", secret_access, 0, 0 },
	{ "secret-job", secret_job, 0, 0 },
	{ "secret-atomic", secret_atomic, 0, 0 },
	{ "secret-in-part", secret_in_part, 0, 0 },
	{ "secret-replaced", secret_replaced, 0, 0 },
	{ "secret-moved", secret_moved, NEED_VRAM, 0 },
	{ "secret-prefetched", secret_prefetched, 0, 0 },
	{ "file-answers", file_answers, NEED_ROOT, SECONDS },
	{ "file-atomic", file_atomic, NEED_ROOT, SECONDS },
	{ "file-dropped", file_dropped, NEED_ROOT, SECONDS },
	{ "file-late", file_late, NEED_ROOT, SECONDS },
	{ "file-server-killed", file_server_killed, NEED_ROOT, SECONDS },
	{ "file-silent-job", file_silent_job, NEED_ROOT, SECONDS },
	{ "file-silent-access", file_silent_access, NEED_ROOT, SECONDS },
	{ "file-silent-killed", file_silent_killed, NEED_ROOT, SECONDS },
	{ "file-silent-others", file_silent_others, NEED_ROOT, SECONDS },
	{ "file-silent-populate", file_silent_populate, NEED_ROOT | NEED_VRAM, SECONDS },
	{ "file-silent-shared", file_silent_shared, NEED_ROOT, SECONDS },
	{ "file-silent-moved", file_silent_moved, NEED_ROOT | NEED_VRAM, SECONDS },
	{ "file-silent-pieces", file_silent_pieces, NEED_ROOT | NEED_VRAM, SECONDS },
	{ "file-silent-destroy", file_silent_destroy, NEED_ROOT, SECONDS },
	/* Last, as the harness does not follow. */
	{ "file-silent-unbind", file_silent_unbind, NEED_ROOT | NEED_TWO_DEVICES, SECONDS },
	{ "file-slow-unbind", file_slow_unbind, NEED_ROOT | NEED_TWO_DEVICES, SECONDS },
	{ "file-failing", file_failing, NEED_ROOT, SECONDS },
};

HARNESS_MAIN(tests)
