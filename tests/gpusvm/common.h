/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the tests of drm_gpusvm's own driver, ../kmod, have in common. */
#ifndef _TESTS_GPUSVM_COMMON_H_
#define _TESTS_GPUSVM_COMMON_H_

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>

#include "check.h"
#include "knob.h"

#include "gpusvm_test.h"

/* A fault that cannot be handled says so in less time than this. */
#define BOUND_SECONDS	4

/* Shorter names for the ways a fault can be meant. */
#define READS		GPUSVM_TEST_READ_ONLY
#define WRITES		GPUSVM_TEST_WRITE
#define PARALLEL	GPUSVM_TEST_PARALLEL

/*
 * The driver's file of a test, whose address space is that of the process that
 * opens it. Opened once; a child that wants its own begins with svm_open().
 */
extern int svm_fd;
void svm_open(void);
void svm_close(void);

/* One command about an address; 0 or a negative errno. */
int svm_call(unsigned long command, void *addr, unsigned int flags,
	     struct gpusvm_test_args *args);
int svm_ioctl(unsigned long command, struct gpusvm_test_args *args);
/* The same again as long as the answer is that the range was an old one. */
int svm_fault_args(void *addr, unsigned int flags, struct gpusvm_test_args *args);
int svm_fault(void *addr, unsigned int flags);
/* A fault that has to end in time. */
int svm_fault_bounded(void *addr, unsigned int flags);
void svm_collect(void);
/* What is to go wrong in the driver, or 0. */
void svm_trouble(unsigned int what);

/* What a device does by the addresses that it has: -ENXIO without any. */
int svm_touch(void *addr, void *data, size_t size, unsigned int flags, int device);
/* And faults if it cannot. */
int svm_access(void *addr, void *data, size_t size, unsigned int flags, int device);
/* Device 0 reads a word, device 1 writes one. */
int svm_read(void *addr, uint64_t *value);
int svm_write(void *addr, uint64_t value);
uint64_t svm_value(void *addr);
bool svm_has(void *addr);

/* Waits until svm_stat() of it is zero, in time. */
void check_gone(const char *name);
#define CHECK_NOTHING_MAPPED()	CHECK_EQ(svm_stat("live_mapped"), 0)

/* Fails the test if what began then has taken too long. */
void check_bounded(const char *what, double begin);
double brief_seconds(void);

void *anonymous(size_t size);
uint64_t word_at(const char *mem);
void set_word(char *mem, uint64_t value);

#endif
