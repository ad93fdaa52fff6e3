// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a process may not do to its memory the device may not do either. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kinds.h"
#include "suite.h"

#define SIZE	(32 * PAGE)

struct place {
	const char *name;
	bool populate;
	enum mem_thp thp;
	size_t size;
	unsigned int needs;
};

static const struct place places[] = {
	{ "system", false, MEM_SMALL, SIZE, 0 },
	{ "vram", true, MEM_SMALL, SIZE, NEED_VRAM },
	{ "huge-vram", true, MEM_HUGE, HUGE_PAGE, NEED_VRAM | NEED_THP },
};

struct scene {
	const char *name;
	const char *describe;
	void (*play)(const struct buffer *buffer);
};

struct cell {
	const struct scene *scene;
	const struct place *place;
};

static void protect(const struct buffer *buffer, int protection)
{
	CHECK_SYS(mprotect(buffer->mem, buffer->size, protection));
}

static void check_denied(const struct buffer *buffer, bool reading)
{
	if (reading)
		buffer_dev_denied(buffer, 0, MOCKGPU_ACCESS_READ, -EFAULT);
	buffer_dev_denied(buffer, buffer->size / 2, MOCKGPU_ACCESS_WRITE, -EFAULT);
	buffer_dev_denied(buffer, buffer->size / 2, MOCKGPU_ACCESS_FILL, -EFAULT);
	buffer_dev_denied(buffer, buffer->size - 64, MOCKGPU_ACCESS_XOR, -EFAULT);
}

static void work(const struct buffer *buffer)
{
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
	buffer_check(buffer);
}

static void read_only(const struct buffer *buffer)
{
	protect(buffer, PROT_READ);
	check_denied(buffer, false);
	buffer_check(buffer);
}

static void read_only_and_back(const struct buffer *buffer)
{
	for (int round = 0; round < 3; round++) {
		read_only(buffer);
		protect(buffer, PROT_READ | PROT_WRITE);
		work(buffer);
	}
}

static void none(const struct buffer *buffer)
{
	protect(buffer, PROT_NONE);
	check_denied(buffer, true);
	protect(buffer, PROT_READ);
	buffer_check(buffer);
}

static void none_and_back(const struct buffer *buffer)
{
	for (int round = 0; round < 3; round++) {
		protect(buffer, PROT_NONE);
		check_denied(buffer, true);
		protect(buffer, PROT_READ | PROT_WRITE);
		work(buffer);
	}
}

/* The device writes where the CPU may execute, too. */
static void executable(const struct buffer *buffer)
{
	protect(buffer, PROT_READ | PROT_WRITE | PROT_EXEC);
	work(buffer);
	protect(buffer, PROT_READ | PROT_EXEC);
	check_denied(buffer, false);
	buffer_check(buffer);
}

static void halves(const struct buffer *buffer)
{
	struct buffer first = buffer_part(buffer, 0, buffer->size / 2);
	struct buffer second = buffer_part(buffer, buffer->size / 2, buffer->size / 2);

	protect(&first, PROT_READ);
	check_denied(&first, false);
	work(&second);
	protect(&second, PROT_NONE);
	check_denied(&second, true);
	buffer_check(&first);
	protect(buffer, PROT_READ | PROT_WRITE);
	work(buffer);
}

static void every_other_page(const struct buffer *buffer)
{
	for (size_t at = 0; at < buffer->size; at += 2 * PAGE)
		CHECK_SYS(mprotect(buffer->mem + at, PAGE, PROT_READ));
	for (size_t at = 0; at < buffer->size; at += PAGE) {
		if (at / PAGE % 2)
			buffer_dev_fill(buffer, at, PAGE, new_value());
		else
			buffer_dev_denied(buffer, at, MOCKGPU_ACCESS_FILL, -EFAULT);
	}
	buffer_check(buffer);
	protect(buffer, PROT_READ | PROT_WRITE);
	work(buffer);
}

/* An access that runs into the border does what is before it. */
static void into_read_only(const struct buffer *buffer)
{
	size_t half = buffer->size / 2;
	struct drm_mockgpu_access access = {
		.vm_id = buffer->vm, .op = MOCKGPU_ACCESS_FILL, .value = new_value(),
		.addr = (uintptr_t)buffer->mem, .size = buffer->size,
	};
	struct buffer first = buffer_part(buffer, 0, half);

	CHECK_SYS(mprotect(buffer->mem + half, half, PROT_READ));
	CHECK_RET(gpu_access(buffer->gpu, &access), -EFAULT);
	CHECK_EQ(access.done, half);
	buffer_dev_fill(&first, 0, half, access.value);
	buffer_check(buffer);
}

/* To read does not make a page the device's to write. */
static void read_before_write(const struct buffer *buffer)
{
	protect(buffer, PROT_READ);
	buffer_check_dev(buffer);
	protect(buffer, PROT_READ | PROT_WRITE);
	buffer_check_dev(buffer);
	work(buffer);
	protect(buffer, PROT_READ);
	buffer_check_dev(buffer);
	check_denied(buffer, false);
}

static const struct scene scenes[] = {
	{ "read-only", "the device may read but not write", read_only },
	{ "read-only-and-back", "the device may write when the CPU may again", read_only_and_back },
	{ "none", "the device may not even read", none },
	{ "none-and-back", "the device has it again when the CPU has", none_and_back },
	{ "executable", "the right to execute changes nothing", executable },
	{ "halves", "each half has rights of its own", halves },
	{ "every-other-page", "each page has rights of its own", every_other_page },
	{ "into-read-only", "a write ends where the right to write does", into_read_only },
	{ "read-before-write", "rights that come and go are not remembered", read_before_write },
};

static void play(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	struct buffer buffer = buffer_filled(gpu, cell->place->size, cell->place->thp);

	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	if (cell->place->populate)
		buffer_populate(&buffer);
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	cell->scene->play(&buffer);
}

static void cells(const void *arg)
{
	struct cell cell = *(const struct cell *)arg;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cell.place = &places[i];
		dynamic(places[i].needs, play, &cell, "%s", places[i].name);
	}
}

/* Never writable: a file that was opened for reading. */
static void read_only_file(struct gpu *gpu, const void *arg)
{
	int fd = file_temporary(SIZE);
	char path[40];
	struct buffer buffer;

	(void)arg;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	buffer = buffer_at(gpu, mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0), SIZE);
	check_denied(&buffer, false);
	buffer_check(&buffer);
	CHECK_EQ(pwrite(fd, "data", 4, PAGE), 4);
	buffer.shadow[PAGE] = 'd';
	buffer.shadow[PAGE + 1] = 'a';
	buffer.shadow[PAGE + 2] = 't';
	buffer.shadow[PAGE + 3] = 'a';
	buffer_check(&buffer);
}

/* The program's own code and constants. */
static void own_code(struct gpu *gpu, const void *arg)
{
	uintptr_t page = (uintptr_t)own_code / PAGE * PAGE;
	struct buffer buffer = buffer_at(gpu, (void *)page, PAGE);

	(void)arg;
	for (size_t i = 0; i < PAGE; i++)
		buffer.shadow[i] = buffer.mem[i];
	buffer_check_dev(&buffer);
	check_denied(&buffer, false);
	buffer_check(&buffer);
}

static void zero_page(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(kind_find("mmap-zero"), gpu, SIZE, NULL);

	(void)arg;
	protect(&buffer, PROT_READ);
	buffer_check(&buffer);
	check_denied(&buffer, false);
	protect(&buffer, PROT_READ | PROT_WRITE);
	buffer_check_dev(&buffer);
	work(&buffer);
}

static void populate_read_only(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	protect(&buffer, PROT_READ);
	buffer_populate(&buffer);
	buffer_check_dev(&buffer);
	check_denied(&buffer, false);
	buffer_check(&buffer);
	protect(&buffer, PROT_READ | PROT_WRITE);
	work(&buffer);
}

static void populate_none(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	int ret;

	(void)arg;
	protect(&buffer, PROT_NONE);
	ret = buffer_try_populate(&buffer);
	CHECK(!ret || ret == -EBUSY || ret == -ENOENT || ret == -EFAULT);
	check_denied(&buffer, true);
	protect(&buffer, PROT_READ | PROT_WRITE);
	work(&buffer);
}

static const struct single others[] = {
	{ "read-only-file", "A file that was opened for reading stays as it is",
	  read_only_file, 0 },
	{ "own-code", "The program's code can be read", own_code, 0 },
	{ "zero-page", "The page of zeros stays one", zero_page, 0 },
	{ "populate-read-only", "Read-only memory moves, and stays read-only",
	  populate_read_only, NEED_VRAM },
	{ "populate-none", "Memory without rights is not lost when it is to move",
	  populate_none, NEED_VRAM },
};

static void subtests(void)
{
	char describe[200];

	for (size_t i = 0; i < ARRAY_SIZE(scenes); i++) {
		const struct cell cell = { &scenes[i], NULL };

		snprintf(describe, sizeof(describe), "mprotect(): %s", scenes[i].describe);
		subtest_of(describe, cells, &cell, "%s", scenes[i].name);
	}
	singles(others, ARRAY_SIZE(others));
}

SUITE("The device has the rights that the process has", subtests)
