// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Others that use a process's memory: the kernel's own features and system calls. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "suite.h"

#define SIZE	(32 * PAGE)

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

struct place {
	const char *name;
	bool populate;
	unsigned int needs;
};

static const struct place places[] = {
	{ "system", false, 0 },
	{ "vram", true, NEED_VRAM },
};

/* One of them: uses the buffer, whose pages are in the place. */
struct user {
	const char *name;
	const char *describe;
	void (*use)(const struct buffer *buffer);
	unsigned int needs;
	size_t size;
};

struct cell {
	const struct user *user;
	const struct place *place;
};

/* Somebody else's copy of the memory is compared like the CPU's. */
static void check_copy(const struct buffer *buffer, const char *copy)
{
	if (memcmp(copy, buffer->shadow, buffer->size))
		FAIL("what was copied is not what was there");
}

static void write_file(const struct buffer *buffer)
{
	int fd = file_temporary(0);
	char *copy = malloc(buffer->size);

	CHECK_EQ(pwrite(fd, buffer->mem, buffer->size, 0), (long long)buffer->size);
	CHECK_EQ(pread(fd, copy, buffer->size, 0), (long long)buffer->size);
	check_copy(buffer, copy);
}

static void new_data(const struct buffer *buffer)
{
	for (size_t at = 0; at < buffer->size; at += 8)
		*(uint64_t *)(buffer->shadow + at) = new_value();
}

static void read_file(const struct buffer *buffer)
{
	int fd = file_temporary(0);

	new_data(buffer);
	CHECK_EQ(pwrite(fd, buffer->shadow, buffer->size, 0), (long long)buffer->size);
	CHECK_EQ(pread(fd, buffer->mem, buffer->size, 0), (long long)buffer->size);
}

static int direct_file(void)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT, 0600);

	if (fd < 0)
		test_skip("there is no direct I/O in /var/tmp");
	return fd;
}

static void direct_write(const struct buffer *buffer)
{
	char *copy = aligned_alloc(PAGE, buffer->size);
	int fd = direct_file();

	CHECK_EQ(pwrite(fd, buffer->mem, buffer->size, 0), (long long)buffer->size);
	CHECK_EQ(pread(fd, copy, buffer->size, 0), (long long)buffer->size);
	check_copy(buffer, copy);
}

static void direct_read(const struct buffer *buffer)
{
	char *copy = aligned_alloc(PAGE, buffer->size);
	int fd = direct_file();

	new_data(buffer);
	memcpy(copy, buffer->shadow, buffer->size);
	CHECK_EQ(pwrite(fd, copy, buffer->size, 0), (long long)buffer->size);
	CHECK_EQ(pread(fd, buffer->mem, buffer->size, 0), (long long)buffer->size);
}

static void vm_readv(const struct buffer *buffer)
{
	char *copy = malloc(buffer->size);
	struct iovec to = { copy, buffer->size }, from = { buffer->mem, buffer->size };

	CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), (long long)buffer->size);
	check_copy(buffer, copy);
}

static void vm_writev(const struct buffer *buffer)
{
	struct iovec from = { buffer->shadow, buffer->size }, to = { buffer->mem, buffer->size };

	new_data(buffer);
	CHECK_EQ(process_vm_writev(getpid(), &from, 1, &to, 1, 0), (long long)buffer->size);
}

static void proc_mem(const struct buffer *buffer)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char *copy = malloc(buffer->size);

	CHECK_SYS(fd);
	CHECK_EQ(pread(fd, copy, buffer->size, (uintptr_t)buffer->mem), (long long)buffer->size);
	check_copy(buffer, copy);
	new_data(buffer);
	CHECK_EQ(pwrite(fd, buffer->shadow, buffer->size, (uintptr_t)buffer->mem),
		 (long long)buffer->size);
}

static void be_traced(void *arg)
{
	struct buffer *buffer = arg;

	CHECK_SYS(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
	raise(SIGSTOP);
	CHECK_EQ(*(uint64_t *)buffer->mem, 0x5a5a);
	buffer_check_cpu(&(struct buffer){ .mem = buffer->mem + PAGE,
			 .shadow = buffer->shadow + PAGE, .size = buffer->size - PAGE });
}

/* The child shares the pages until the debugger writes to them. */
static void traced(const struct buffer *buffer)
{
	pid_t pid = test_fork(be_traced, (void *)buffer);
	uint64_t *words = (uint64_t *)buffer->shadow;
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSTOPPED(status));
	for (size_t i = 0; i < buffer->size / 8; i += 64) {
		errno = 0;
		CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, buffer->mem + i * 8, NULL),
			 (long long)words[i]);
	}
	CHECK_SYS(ptrace(PTRACE_POKEDATA, pid, buffer->mem, (void *)0x5a5aL));
	CHECK_SYS(ptrace(PTRACE_CONT, pid, NULL, NULL));
	test_join(pid);
}

static void spliced(const struct buffer *buffer)
{
	struct iovec piece = { buffer->mem, buffer->size };
	char *copy = malloc(buffer->size);
	int fds[2];

	CHECK_SYS(pipe(fds));
	CHECK_SYS(fcntl(fds[1], F_SETPIPE_SZ, MIB));
	CHECK_EQ(vmsplice(fds[1], &piece, 1, 0), (long long)buffer->size);
	for (size_t at = 0; at < buffer->size; at += PAGE)
		CHECK_EQ(read(fds[0], copy + at, PAGE), (long long)PAGE);
	check_copy(buffer, copy);
	close(fds[0]);
	close(fds[1]);
}

static void through_socket(const struct buffer *buffer)
{
	char *copy = malloc(buffer->size);
	int fds[2];

	CHECK_SYS(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	for (size_t at = 0; at < buffer->size; at += PAGE) {
		CHECK_EQ(send(fds[0], buffer->mem + at, PAGE, 0), (long long)PAGE);
		CHECK_EQ(recv(fds[1], copy + at, PAGE, MSG_WAITALL), (long long)PAGE);
	}
	check_copy(buffer, copy);
	close(fds[0]);
	close(fds[1]);
}

static void locked(const struct buffer *buffer)
{
	CHECK_SYS(mlock(buffer->mem, buffer->size));
	buffer_check_dev(buffer);
	if (gpu_has_vram(buffer->gpu))
		buffer_try_populate(buffer);
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
	CHECK_SYS(munlock(buffer->mem, buffer->size));
}

static void counted(const struct buffer *buffer)
{
	unsigned char map[SIZE / PAGE];

	CHECK_SYS(mincore(buffer->mem, SIZE, map));
	buffer_check_dev(buffer);
}

static void soft_dirty(const struct buffer *buffer)
{
	if (file_write("/proc/self/clear_refs", "4"))
		test_skip("the kernel does not track what is written");
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
}

static void referenced(const struct buffer *buffer)
{
	CHECK_OK(file_write("/proc/self/clear_refs", "1"));
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
}

static void look_into(const struct buffer *buffer)
{
	static const char *const files[] = { "smaps", "smaps_rollup", "numa_maps", "pagemap" };
	uint64_t entry;
	char path[64], *text = malloc(MIB);
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (i == 3)
			CHECK_EQ(pread(fd, &entry, 8, (uintptr_t)buffer->mem / PAGE * 8), 8);
		else
			while (read(fd, text, MIB) > 0)
				continue;
		close(fd);
	}
}

static void collapsed(const struct buffer *buffer)
{
	madvise(buffer->mem, buffer->size, MADV_HUGEPAGE);
	if (madvise(buffer->mem, buffer->size, MADV_COLLAPSE) && errno == EINVAL &&
	    access("/sys/kernel/mm/transparent_hugepage", F_OK))
		test_skip("the kernel has no transparent huge pages");
	buffer_check_dev(buffer);
}

static void compacted(const struct buffer *buffer)
{
	if (file_write("/proc/sys/vm/compact_memory", "1"))
		test_skip("the kernel does not compact memory");
	buffer_check_dev(buffer);
}

static void paged_out(const struct buffer *buffer)
{
	CHECK_SYS(madvise(buffer->mem, buffer->size, MADV_PAGEOUT));
	buffer_check_dev(buffer);
	CHECK_SYS(madvise(buffer->mem, buffer->size, MADV_PAGEOUT));
}

static void moved_pages(const struct buffer *buffer)
{
	void *pages[SIZE / PAGE];
	int nodes[SIZE / PAGE], status[SIZE / PAGE];

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		pages[i] = buffer->mem + i * PAGE;
		nodes[i] = 0;
	}
	if (syscall(SYS_move_pages, 0, ARRAY_SIZE(pages), pages, nodes, status, 0) < 0 &&
	    errno == ENOSYS)
		test_skip("the kernel has no NUMA");
	buffer_check_dev(buffer);
}

static void merged(const struct buffer *buffer)
{
	if (madvise(buffer->mem, buffer->size, MADV_MERGEABLE))
		test_skip("the kernel does not merge pages");
	/* Pages in VRAM stay, others need not move: both are used where they are. */
	buffer_dev_fill(buffer, 0, buffer->size, 42);
	buffer_check_dev(buffer);
	CHECK_SYS(madvise(buffer->mem, buffer->size, MADV_UNMERGEABLE));
}

/* A write-protection of others must hold for the device. */
static void futex_word(const struct buffer *buffer)
{
	uint32_t *word = (uint32_t *)buffer->mem;
	struct timespec soon = { 0, 1000000 };
	uint32_t value = *word;

	syscall(SYS_futex, word, 0, value, &soon, NULL, 0);
	syscall(SYS_futex, word, 1, 1, NULL, NULL, 0);
}

static void core_hints(const struct buffer *buffer)
{
	CHECK_SYS(madvise(buffer->mem, buffer->size, MADV_DONTDUMP));
	buffer_check_dev(buffer);
	CHECK_SYS(madvise(buffer->mem, buffer->size, MADV_DODUMP));
}

static const struct user users[] = {
	{ "write-file", "write() from it", write_file, 0, SIZE },
	{ "read-file", "read() into it", read_file, 0, SIZE },
	{ "direct-write", "direct I/O from it", direct_write, 0, SIZE },
	{ "direct-read", "direct I/O into it", direct_read, 0, SIZE },
	{ "vm-readv", "process_vm_readv()", vm_readv, 0, SIZE },
	{ "vm-writev", "process_vm_writev()", vm_writev, 0, SIZE },
	{ "proc-mem", "/proc/PID/mem", proc_mem, 0, SIZE },
	{ "ptrace", "a debugger of a child that shares it", traced, 0, SIZE },
	{ "vmsplice", "its pages go through a pipe", spliced, 0, SIZE },
	{ "socket", "it goes through a socket", through_socket, 0, SIZE },
	{ "mlock", "it is locked meanwhile", locked, 0, SIZE },
	{ "mincore", "somebody counts what is there", counted, 0, SIZE },
	{ "soft-dirty", "somebody tracks what is written", soft_dirty, 0, SIZE },
	{ "referenced", "somebody tracks what is used", referenced, 0, SIZE },
	{ "proc-maps", "somebody looks into it through /proc", look_into, 0, SIZE },
	{ "collapse", "the kernel makes huge pages of it", collapsed, NEED_THP, 2 * HUGE_PAGE },
	{ "compact", "the kernel moves pages in memory", compacted, NEED_ROOT, SIZE },
	{ "pageout", "the kernel swaps it out", paged_out, 0, SIZE },
	{ "move-pages", "its pages move to a NUMA node", moved_pages, 0, SIZE },
	{ "ksm", "its pages may be merged", merged, 0, SIZE },
	{ "futex", "a futex is in it", futex_word, 0, SIZE },
	{ "dump-hints", "it is not to be dumped", core_hints, 0, SIZE },
};

static void use(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	struct buffer buffer = buffer_filled(gpu, cell->user->size, MEM_SMALL);

	for (int round = 0; round < 3; round++) {
		buffer_dev_xor(&buffer, 0, buffer.size, new_value());
		if (cell->place->populate)
			buffer_populate(&buffer);
		buffer_dev_xor(&buffer, 0, buffer.size, new_value());
		cell->user->use(&buffer);
		buffer_check(&buffer);
	}
}

static void cells(const void *arg)
{
	struct cell cell = { arg, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cell.place = &places[i];
		dynamic(cell.user->needs | places[i].needs, use, &cell, "%s", places[i].name);
	}
}

/* Pages come when somebody is asked for them. */
static int uffd_new(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		test_skip("no userfaultfd: %s", errno_name(errno));
	CHECK_SYS(ioctl(fd, UFFDIO_API, &api));
	return fd;
}

struct filler {
	int fd;
	char *pages;
	unsigned int count;
};

static void *fill_missing(void *arg)
{
	struct filler *filler = arg;

	while (filler->count) {
		struct pollfd poll_fd = { .fd = filler->fd, .events = POLLIN };
		struct uffdio_copy copy = { .len = PAGE };
		struct uffd_msg message;

		CHECK_SYS(poll(&poll_fd, 1, -1));
		if (read(filler->fd, &message, sizeof(message)) != sizeof(message))
			continue;
		CHECK_EQ(message.event, UFFD_EVENT_PAGEFAULT);
		copy.dst = message.arg.pagefault.address / PAGE * PAGE;
		copy.src = (uintptr_t)filler->pages;
		if (!ioctl(filler->fd, UFFDIO_COPY, &copy))
			filler->count--;
		else
			CHECK_EQ(errno, EEXIST);
	}
	return NULL;
}

static void missing_pages(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, 4 * PAGE, MEM_SMALL);
	struct filler filler = { .fd = uffd_new(), .count = 4 };
	struct uffdio_register range = {
		.range = { (uintptr_t)buffer.mem, buffer.size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct crew crew;

	(void)arg;
	CHECK_SYS(ioctl(filler.fd, UFFDIO_REGISTER, &range));
	filler.pages = aligned_alloc(PAGE, PAGE);
	memset(filler.pages, 0xab, PAGE);
	memset(buffer.shadow, 0xab, buffer.size);
	crew_start(&crew, 1, fill_missing, &filler);
	buffer_check_dev(&buffer);
	crew_join(&crew);
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	buffer_check(&buffer);
}

/* Nobody answers: the device's access ends, at the latest with its process. */
static void wait_for_missing(void *arg)
{
	struct buffer buffer;
	struct gpu gpu;
	uint64_t word;
	struct uffdio_register range = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = uffd_new();

	CHECK_OK(gpu_open(&gpu, ((struct gpu *)arg)->index));
	buffer = buffer_new(&gpu, 4 * PAGE, MEM_SMALL);
	range.range.start = (uintptr_t)buffer.mem;
	range.range.len = buffer.size;
	CHECK_SYS(ioctl(fd, UFFDIO_REGISTER, &range));
	gpu_read(&gpu, buffer.vm, buffer.mem, sizeof(word), &word);
	pause();
}

static void never_filled(struct gpu *gpu, const void *arg)
{
	pid_t pid = test_fork(wait_for_missing, gpu);
	int status;

	(void)arg;
	sleep_ms(300);
	CHECK_SYS(kill(pid, SIGKILL));
	join_in_time(pid, "the end of a process whose device waits for a page");
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

/* Its memory group has no room: what it may not have is refused, nobody is hung. */
static void be_limited(void *arg)
{
	struct buffer buffer;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, ((struct gpu *)arg)->index));
	buffer = buffer_filled(&gpu, 8 * MIB, MEM_SMALL);
	if (gpu_has_vram(&gpu))
		buffer_try_populate(&buffer);
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	buffer_check(&buffer);
}

static void limited(void *arg)
{
	struct group group = group_new();

	group_set(&group, "memory.max", 40 * MIB);
	group_enter(&group);
	be_limited(arg);
}

static void memory_group(struct gpu *gpu, const void *arg)
{
	char path[64];
	pid_t pid = test_fork(limited, gpu);

	(void)arg;
	test_join(pid);
	snprintf(path, sizeof(path), "/sys/fs/cgroup/mockgpu-%d", pid);
	rmdir(path);
}

/* A process of its own that has the same memory. */
struct sharer {
	struct gpu *gpu;
	struct buffer buffer;
	volatile bool done;
};

static int share(void *arg)
{
	struct sharer *sharer = arg;

	buffer_dev_xor(&sharer->buffer, 0, SIZE, new_value());
	buffer_check(&sharer->buffer);
	sharer->done = true;
	return 0;
}

static void clone_and_wait(struct gpu *gpu, const void *arg)
{
	struct sharer sharer = { .gpu = gpu, .buffer = buffer_filled(gpu, SIZE, MEM_SMALL) };
	char *stack = malloc(256 * KIB);
	int status;
	pid_t pid;

	(void)arg;
	if (gpu_has_vram(gpu))
		buffer_populate(&sharer.buffer);
	pid = clone(share, stack + 256 * KIB, CLONE_VM | CLONE_FILES | SIGCHLD, &sharer);
	CHECK(pid > 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK(sharer.done);
	buffer_check(&sharer.buffer);
}

/* The thread that made the VM ends, the others go on with it. */
static void *make_vm(void *arg)
{
	struct buffer *buffer = arg;

	*buffer = buffer_filled(buffer->gpu, SIZE, MEM_SMALL);
	if (gpu_has_vram(buffer->gpu))
		buffer_populate(buffer);
	return NULL;
}

static void maker_ends(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = { .gpu = gpu };
	struct crew crew;

	(void)arg;
	crew_start(&crew, 1, make_vm, &buffer);
	crew_join(&crew);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

/* Whoever else may have the page for a moment lets go meanwhile. */
static int soft_offline(char *page)
{
	int tries = 0, ret;

	do {
		ret = madvise(page, PAGE, 101 /* MADV_SOFT_OFFLINE */) ? -errno : 0;
		if (ret)
			sleep_ms(10);
	} while ((ret == -EBUSY || ret == -EAGAIN) && ++tries < 20);
	return ret;
}

/* A memory error in a page that the device has: that page is lost, not the others. */
static void memory_failure(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct buffer rest = buffer_part(&buffer, PAGE, SIZE - PAGE);
	int ret;

	(void)arg;
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	ret = soft_offline(buffer.mem);
	if (ret == -EINVAL || ret == -ENOSYS || ret == -EOPNOTSUPP)
		test_skip("the kernel takes no pages out of use: %s", errno_name(ret));
	CHECK_OK(ret);
	buffer_check(&buffer);
	buffer_dev_xor(&rest, 0, rest.size, new_value());
	buffer_check(&buffer);
}

static const struct single others[] = {
	{ "userfaultfd", "The device waits for pages that another thread fills in",
	  missing_pages, NEED_ROOT },
	{ "userfaultfd-never", "Nobody fills the page in that the device waits for",
	  never_filled, NEED_ROOT },
	{ "memory-group", "A process in a memory group with little room", memory_group,
	  NEED_ROOT },
	{ "clone-vm", "Another process in the same address space uses the VM", clone_and_wait,
	  0 },
	{ "maker-ends", "The thread that made a VM ends", maker_ends, 0 },
	/* It is out of use until the next boot, so this is only for test machines. */
	{ "soft-offline", "A page that the device uses is taken out of use", memory_failure,
	  NEED_KNOBS },
};

static void subtests(void)
{
	char describe[120];

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		snprintf(describe, sizeof(describe), "Others use the memory: %s",
			 users[i].describe);
		subtest_of(describe, cells, &users[i], "%s", users[i].name);
	}
	singles(others, ARRAY_SIZE(others));
}

SUITE("Others that use a process's memory", subtests)
