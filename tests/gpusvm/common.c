// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define MOST_TRIES	1000

int svm_fd = -1;

void svm_open(void)
{
	svm_fd = open("/dev/gpusvm_test", O_RDWR | O_CLOEXEC);
	CHECK_SYS(svm_fd);
	/* Of a test that failed. */
	svm_trouble(0);
}

void svm_close(void)
{
	close(svm_fd);
	svm_fd = -1;
}

int svm_ioctl(unsigned long command, struct gpusvm_test_args *args)
{
	return ioctl(svm_fd, command, args) ? -errno : 0;
}

int svm_call(unsigned long command, void *addr, unsigned int flags,
	     struct gpusvm_test_args *args)
{
	memset(args, 0, sizeof(*args));
	args->addr = (uintptr_t)addr;
	args->flags = flags;
	return svm_ioctl(command, args);
}

int svm_fault_args(void *addr, unsigned int flags, struct gpusvm_test_args *args)
{
	int err;

	do {
		err = svm_call(GPUSVM_TEST_FAULT, addr, flags, args);
	} while (err == -EAGAIN);
	return err;
}

int svm_fault(void *addr, unsigned int flags)
{
	struct gpusvm_test_args args;

	return svm_fault_args(addr, flags, &args);
}

int svm_fault_bounded(void *addr, unsigned int flags)
{
	double begin = seconds_now();
	int err = svm_fault(addr, flags);

	check_bounded("a fault", begin);
	return err;
}

void svm_collect(void)
{
	CHECK_SYS(ioctl(svm_fd, GPUSVM_TEST_COLLECT));
}

void svm_trouble(unsigned int what)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", what);
	CHECK_OK(file_write("/sys/module/gpusvm_test/parameters/trouble", text));
}

int svm_touch(void *addr, void *data, size_t size, unsigned int flags, int device)
{
	struct gpusvm_test_args args = {
		.addr = (uintptr_t)addr,
		.size = size,
		.buffer = (uintptr_t)data,
		.flags = flags,
		.device = device,
	};

	return svm_ioctl(GPUSVM_TEST_ACCESS, &args);
}

int svm_access(void *addr, void *data, size_t size, unsigned int flags, int device)
{
	int err, tries = MOST_TRIES;

	for (;;) {
		err = svm_touch(addr, data, size, flags, device);
		if ((err != -ENXIO && err != -EACCES) || !tries--)
			return err;
		err = svm_fault(addr, (flags & PARALLEL) | (flags & WRITES ? 0 : READS));
		if (err && err != -EBUSY)
			return err;
	}
}

int svm_read(void *addr, uint64_t *value)
{
	return svm_access(addr, value, sizeof(*value), 0, 0);
}

int svm_write(void *addr, uint64_t value)
{
	return svm_access(addr, &value, sizeof(value), WRITES, 1);
}

uint64_t svm_value(void *addr)
{
	uint64_t value = 0;

	CHECK_OK(svm_read(addr, &value));
	return value;
}

bool svm_has(void *addr)
{
	uint64_t value;

	return svm_touch(addr, &value, sizeof(value), 0, 0) != -ENXIO;
}

void check_gone(const char *name)
{
	double end = seconds_now() + patience(BOUND_SECONDS);

	while (svm_stat(name) && seconds_now() < end)
		sleep_ms(2);
	if (svm_stat(name))
		FAIL("%s: %lu", name, svm_stat(name));
}

void check_bounded(const char *what, double begin)
{
	double seconds = seconds_now() - begin;

	if (seconds > patience(BOUND_SECONDS))
		FAIL("%s took %.1f s", what, seconds);
}

double brief_seconds(void)
{
	const char *seconds = getenv("TEST_SECONDS");

	return (seconds ? atof(seconds) : 4) / 2;
}

void *anonymous(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(mem != MAP_FAILED);
	return mem;
}

uint64_t word_at(const char *mem)
{
	return *(const volatile uint64_t *)mem;
}

void set_word(char *mem, uint64_t value)
{
	*(volatile uint64_t *)mem = value;
}
