// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <drm/drm.h>
#include <linux/sync_file.h>

#include "queue.h"

/* How long any job of a test may take. */
#define JOB_SECONDS	60

int gpu_queue_create(const struct gpu *gpu, uint32_t vm, uint32_t *queue)
{
	struct drm_mockgpu_queue create = { .vm_id = vm };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_CREATE, &create);

	*queue = create.queue_id;
	return ret;
}

int gpu_queue_destroy(const struct gpu *gpu, uint32_t queue)
{
	struct drm_mockgpu_queue destroy = { .queue_id = queue };

	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_DESTROY, &destroy);
}

int gpu_exec(const struct gpu *gpu, struct drm_mockgpu_exec *exec)
{
	return gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_EXEC, exec);
}

int sync_create(const struct gpu *gpu, uint32_t *handle)
{
	struct drm_syncobj_create create = { };
	int ret = gpu_ioctl(gpu, DRM_IOCTL_SYNCOBJ_CREATE, &create);

	*handle = create.handle;
	return ret;
}

int sync_destroy(const struct gpu *gpu, uint32_t handle)
{
	struct drm_syncobj_destroy destroy = { .handle = handle };

	return gpu_ioctl(gpu, DRM_IOCTL_SYNCOBJ_DESTROY, &destroy);
}

int sync_wait(const struct gpu *gpu, uint32_t handle, uint64_t point, double seconds)
{
	struct drm_syncobj_timeline_wait wait = {
		.handles = (uintptr_t)&handle, .points = (uintptr_t)&point, .count_handles = 1,
	};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	wait.timeout_nsec = (now.tv_sec + seconds) * 1e9 + now.tv_nsec;
	return gpu_ioctl(gpu, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait);
}

int sync_signal(const struct gpu *gpu, uint32_t handle, uint64_t point)
{
	struct drm_syncobj_timeline_array signal = {
		.handles = (uintptr_t)&handle, .points = (uintptr_t)&point, .count_handles = 1,
	};

	return gpu_ioctl(gpu, DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &signal);
}

int sync_query(const struct gpu *gpu, uint32_t handle, uint64_t *point)
{
	struct drm_syncobj_timeline_array query = {
		.handles = (uintptr_t)&handle, .points = (uintptr_t)point, .count_handles = 1,
	};

	return gpu_ioctl(gpu, DRM_IOCTL_SYNCOBJ_QUERY, &query);
}

int sync_export(const struct gpu *gpu, uint32_t handle)
{
	struct drm_syncobj_handle export = {
		.handle = handle, .flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};

	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &export));
	return export.fd;
}

int sync_file_status(int fd)
{
	struct sync_file_info info = { };

	CHECK_SYS(ioctl(fd, SYNC_IOC_FILE_INFO, &info));
	return info.status < 0 ? info.status : !info.status;
}

int sync_status(const struct gpu *gpu, uint32_t handle)
{
	int fd = sync_export(gpu, handle), status = sync_file_status(fd);

	close(fd);
	return status;
}

static uint64_t to_u64(const void *p)
{
	return (uintptr_t)p;
}

struct drm_mockgpu_command cmd_fill(void *addr, size_t size, uint64_t value)
{
	return (struct drm_mockgpu_command){
		.op = MOCKGPU_CMD_FILL, .addr = to_u64(addr), .size = size, .value = value,
	};
}

struct drm_mockgpu_command cmd_copy(void *to, const void *from, size_t size)
{
	return (struct drm_mockgpu_command){
		.op = MOCKGPU_CMD_COPY, .addr = to_u64(to), .other = to_u64(from), .size = size,
	};
}

struct drm_mockgpu_command cmd_compare(const void *a, const void *b, size_t size)
{
	return (struct drm_mockgpu_command){
		.op = MOCKGPU_CMD_COMPARE, .addr = to_u64(a), .other = to_u64(b), .size = size,
	};
}

struct drm_mockgpu_command cmd_checksum(const void *addr, size_t size, uint64_t *sum)
{
	return (struct drm_mockgpu_command){
		.op = MOCKGPU_CMD_CHECKSUM, .addr = to_u64(addr), .other = to_u64(sum), .size = size,
	};
}

struct drm_mockgpu_command cmd_add(void *addr, uint64_t value, uint64_t *old)
{
	return (struct drm_mockgpu_command){
		.op = MOCKGPU_CMD_ADD, .addr = to_u64(addr), .other = to_u64(old), .value = value,
	};
}

struct drm_mockgpu_command cmd_exchange(void *addr, uint64_t value, uint64_t *old)
{
	struct drm_mockgpu_command command = cmd_add(addr, value, old);

	command.op = MOCKGPU_CMD_EXCHANGE;
	return command;
}

struct drm_mockgpu_command cmd_compare_exchange(void *addr, uint64_t compare, uint64_t value,
						uint64_t *old)
{
	struct drm_mockgpu_command command = cmd_add(addr, value, old);

	command.op = MOCKGPU_CMD_COMPARE_EXCHANGE;
	command.compare = compare;
	return command;
}

struct drm_mockgpu_command cmd_add_strided(void *addr, size_t size, uint64_t value,
					   uint64_t count, uint64_t step)
{
	return (struct drm_mockgpu_command){
		.op = MOCKGPU_CMD_ADD_STRIDED, .addr = to_u64(addr), .size = size, .value = value,
		.count = count, .step = step,
	};
}

struct drm_mockgpu_command cmd_add_random(void *addr, size_t size, uint64_t value,
					  uint64_t count, uint64_t seed)
{
	struct drm_mockgpu_command command = cmd_add_strided(addr, size, value, count, seed);

	command.op = MOCKGPU_CMD_ADD_RANDOM;
	return command;
}

struct drm_mockgpu_command cmd_wait_equal(const void *addr, uint64_t value, unsigned int ms)
{
	return (struct drm_mockgpu_command){
		.op = MOCKGPU_CMD_WAIT_EQUAL, .timeout_ms = ms, .addr = to_u64(addr), .value = value,
	};
}

struct drm_mockgpu_command cmd_wait_at_least(const void *addr, uint64_t value, unsigned int ms)
{
	struct drm_mockgpu_command command = cmd_wait_equal(addr, value, ms);

	command.op = MOCKGPU_CMD_WAIT_AT_LEAST;
	return command;
}

uint64_t device_sum(const uint64_t *words, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += words[i] * (i + 1);
	return sum;
}

/* Sebastiano Vigna's splitmix64, as it is published. */
uint64_t device_random(uint64_t seed, uint64_t n)
{
	uint64_t z = seed + (n + 1) * 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t queue_new(const struct gpu *gpu, uint32_t vm)
{
	uint32_t queue;

	CHECK_OK(gpu_queue_create(gpu, vm, &queue));
	return queue;
}

void job_add(struct job *job, struct drm_mockgpu_command command)
{
	CHECK(job->count < JOB_COMMANDS);
	job->commands[job->count++] = command;
}

void job_prepare(struct job *job, const struct gpu *gpu, uint32_t queue,
		 const struct drm_mockgpu_exec *exec)
{
	struct drm_mockgpu_exec *args = &job->exec;

	*args = exec ? *exec : (struct drm_mockgpu_exec){ };
	job->gpu = gpu;
	job->result = calloc(1, sizeof(*job->result));
	CHECK(job->result);
	CHECK_OK(sync_create(gpu, &job->sync));
	CHECK(args->out_count < ARRAY_SIZE(job->outs));
	memcpy(job->outs, (void *)(uintptr_t)args->out_syncs,
	       args->out_count * sizeof(*job->outs));
	job->outs[args->out_count++].handle = job->sync;
	args->out_syncs = to_u64(job->outs);
	args->queue_id = queue;
	args->commands = to_u64(job->commands);
	args->command_count = job->count;
	args->result = to_u64(job->result);
}

int job_submit(struct job *job)
{
	return gpu_exec(job->gpu, &job->exec);
}

int job_try_start(struct job *job, const struct gpu *gpu, uint32_t queue,
		  const struct drm_mockgpu_exec *exec)
{
	int ret;

	job_prepare(job, gpu, queue, exec);
	ret = job_submit(job);
	if (ret) {
		CHECK_OK(sync_destroy(gpu, job->sync));
		free(job->result);
	}
	return ret;
}

void job_start(struct job *job, const struct gpu *gpu, uint32_t queue)
{
	CHECK_OK(job_try_start(job, gpu, queue, NULL));
}

int job_end(struct job *job)
{
	int error;

	CHECK_OK(sync_wait(job->gpu, job->sync, 0, patience(JOB_SECONDS)));
	error = sync_status(job->gpu, job->sync);
	CHECK(error <= 0);
	/*
	 * Nothing is stored for what was cancelled. Whatever was so slow that a job's
	 * time was over may be too slow for its result, too.
	 */
	if (error == -ECANCELED) {
		CHECK_EQ(job->result->done, 0);
	} else if (error != -ETIME || job->result->done) {
		CHECK_EQ(job->result->done, 1);
		CHECK_RET(job->result->error, error);
		CHECK_EQ(job->result->pad, 0);
	}
	CHECK_OK(sync_destroy(job->gpu, job->sync));
	return error;
}

int job_do(const struct gpu *gpu, uint32_t queue, struct drm_mockgpu_command command)
{
	struct job job = { };
	int error;

	job_add(&job, command);
	job_start(&job, gpu, queue);
	error = job_end(&job);
	free(job.result);
	return error;
}
