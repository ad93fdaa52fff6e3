/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Queues, jobs and sync objects. What starts with gpu_ or sync_ returns 0 or a
 * negative errno; the rest ends the test when something goes wrong.
 */
#ifndef _TESTS_QUEUE_H_
#define _TESTS_QUEUE_H_

#include "check.h"

int gpu_queue_create(const struct gpu *gpu, uint32_t vm, uint32_t *queue);
int gpu_queue_destroy(const struct gpu *gpu, uint32_t queue);
int gpu_exec(const struct gpu *gpu, struct drm_mockgpu_exec *exec);

int sync_create(const struct gpu *gpu, uint32_t *handle);
int sync_destroy(const struct gpu *gpu, uint32_t handle);
/* point is 0 for a binary one. -ETIME when time is up. */
int sync_wait(const struct gpu *gpu, uint32_t handle, uint64_t point, double seconds);
int sync_signal(const struct gpu *gpu, uint32_t handle, uint64_t point);
int sync_query(const struct gpu *gpu, uint32_t handle, uint64_t *point);
/* The error of a signalled fence: 0 or a negative errno; 1 if it is not signalled. */
int sync_status(const struct gpu *gpu, uint32_t handle);
int sync_file_status(int fd);
/* As a sync file, a file descriptor. */
int sync_export(const struct gpu *gpu, uint32_t handle);

/* A command for each operation. */
struct drm_mockgpu_command cmd_fill(void *addr, size_t size, uint64_t value);
struct drm_mockgpu_command cmd_copy(void *to, const void *from, size_t size);
struct drm_mockgpu_command cmd_compare(const void *a, const void *b, size_t size);
struct drm_mockgpu_command cmd_checksum(const void *addr, size_t size, uint64_t *sum);
struct drm_mockgpu_command cmd_add(void *addr, uint64_t value, uint64_t *old);
struct drm_mockgpu_command cmd_exchange(void *addr, uint64_t value, uint64_t *old);
struct drm_mockgpu_command cmd_compare_exchange(void *addr, uint64_t compare, uint64_t value,
						uint64_t *old);
struct drm_mockgpu_command cmd_add_strided(void *addr, size_t size, uint64_t value,
					   uint64_t count, uint64_t step);
struct drm_mockgpu_command cmd_add_random(void *addr, size_t size, uint64_t value,
					  uint64_t count, uint64_t seed);
struct drm_mockgpu_command cmd_wait_equal(const void *addr, uint64_t value, unsigned int ms);
struct drm_mockgpu_command cmd_wait_at_least(const void *addr, uint64_t value, unsigned int ms);

/* What the device computes, computed by the CPU. */
uint64_t device_sum(const uint64_t *words, size_t count);
uint64_t device_random(uint64_t seed, uint64_t n);

#define JOB_COMMANDS	8

/* A job that is or was in a queue. It must not move. */
struct job {
	struct drm_mockgpu_command commands[JOB_COMMANDS];
	unsigned int count;
	/* Its end, of its own. */
	uint32_t sync;
	const struct gpu *gpu;
	struct drm_mockgpu_result *result;
	/* As it is given to the device. */
	struct drm_mockgpu_exec exec;
	struct drm_mockgpu_sync outs[4];
};

uint32_t queue_new(const struct gpu *gpu, uint32_t vm);
void job_add(struct job *job, struct drm_mockgpu_command command);
/* All but the start. exec has what is special about it, or is NULL. */
void job_prepare(struct job *job, const struct gpu *gpu, uint32_t queue,
		 const struct drm_mockgpu_exec *exec);
/* What was prepared; after an error it can be tried again. */
int job_submit(struct job *job);
int job_try_start(struct job *job, const struct gpu *gpu, uint32_t queue,
		  const struct drm_mockgpu_exec *exec);
void job_start(struct job *job, const struct gpu *gpu, uint32_t queue);
/* Waits for its end and returns its error; the result and the fence agree about it. */
int job_end(struct job *job);
/* One command, from its start to its end. */
int job_do(const struct gpu *gpu, uint32_t queue, struct drm_mockgpu_command command);

#endif
