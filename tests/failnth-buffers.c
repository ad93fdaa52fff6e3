// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Buffers: making and mapping them, binding them, giving them to others, and making
 * room for them. One that the CPU has mapped is bound at the same addresses, so that
 * its data is looked at as that of other memory is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "buffer.h"
#include "failnth.h"
#include "knob.h"

#define SEED		0x2545f491ULL
#define VALUE		0x1b873593cc9e2d51ULL
/* Longer than a buffer is left alone after the CPU used it, and others are at first. */
#define HOME_MS		250
#define MOST_FDS	256

/* Of what is beside the memory of the round. */
static void place_bound(struct round *round)
{
	map_small(MIB);
	round->bound = round->area;
	round->bound.mem += MIB;
}

/* Addresses for as much as there is VRAM, where the device has nothing yet. */
static char *window(const struct round *round)
{
	static char *mem;

	if (!mem)
		mem = mem_map(round->gpu.vram_size, 0, MEM_SMALL);
	CHECK(mem);
	return mem;
}

static void bind_buffer(const struct area *area, uint32_t handle)
{
	CHECK_OK(gem_bind(area->gpu, area->vm, handle, 0, area->mem, area->size));
}

static uint32_t bound_buffer(const struct area *area, uint64_t flags)
{
	uint32_t handle;

	CHECK_OK(gem_create(area->gpu, area->size, flags, &handle));
	bind_buffer(area, handle);
	return handle;
}

static int try_map_buffer(const struct area *area, uint32_t handle)
{
	uint64_t offset;

	CHECK_OK(gem_mmap_offset(area->gpu, handle, &offset));
	return mmap(area->mem, area->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		    area->gpu->fd, offset) == area->mem ? 0 : -errno;
}

static uint32_t mapped_buffer(const struct area *area, uint64_t flags)
{
	uint32_t handle = bound_buffer(area, flags);

	CHECK_OK(try_map_buffer(area, handle));
	return handle;
}

/* Both see its data, wherever it goes. */
static void verify_buffer(struct round *round, int ret)
{
	(void)ret;
	area_check_device(&round->area);
	area_check_cpu(&round->area);
	area_device_flip(&round->area, FLIP);
	area_check_cpu(&round->area);
}

void verify_buffer_alive(struct round *round, int ret)
{
	area_fill(&round->area);
	verify_buffer(round, ret);
}

static void verify_buffer_xor(struct round *round, int ret)
{
	check_progress(round, ret, flipped_word);
	verify_buffer_alive(round, ret);
}

static void check_zeroes(const struct area *area)
{
	char copy[SMALL_SIZE];
	struct mismatch bad;

	CHECK_OK(gpu_read(area->gpu, area->vm, area->mem, sizeof(copy), copy));
	CHECK_DATA(words_are(copy, sizeof(copy), 0, &bad), bad);
	CHECK_DATA(words_are(area->mem, area->size, 0, &bad), bad);
}

/* Where a buffer can be before a step. */

static void new_system(struct round *round)
{
	round->handles[0] = mapped_buffer(&round->area, 0);
}

static void new_vram(struct round *round)
{
	round->handles[0] = mapped_buffer(&round->area, MOCKGPU_GEM_VRAM);
}

/* The device has not seen it yet. */
void buffer_in_system(struct round *round)
{
	new_system(round);
	area_fill(&round->area);
}

/* The device will put it into VRAM. */
void buffer_at_home(struct round *round)
{
	new_vram(round);
	area_fill(&round->area);
	sleep_ms(HOME_MS);
}

static void buffer_in_vram(struct round *round)
{
	new_vram(round);
	area_device_fill(&round->area, SEED);
	CHECK_EQ(counter(&round->gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), SMALL_SIZE / PAGE);
}

/* Making one. */

static int act_create_system(struct round *round)
{
	return gem_create(&round->gpu, SMALL_SIZE, 0, &round->handles[0]);
}

static int act_create_vram(struct round *round)
{
	return gem_create(&round->gpu, SMALL_SIZE, MOCKGPU_GEM_VRAM, &round->handles[0]);
}

static void check_created(struct round *round)
{
	bind_buffer(&round->area, round->handles[0]);
	CHECK_OK(try_map_buffer(&round->area, round->handles[0]));
	check_zeroes(&round->area);
	verify_buffer_alive(round, 0);
}

static void verify_created_system(struct round *round, int ret)
{
	if (ret)
		CHECK_OK(act_create_system(round));
	check_created(round);
}

static void verify_created_vram(struct round *round, int ret)
{
	if (ret)
		CHECK_OK(act_create_vram(round));
	check_created(round);
}

static int act_mmap_offset(struct round *round)
{
	return gem_mmap_offset(&round->gpu, round->handles[0], &round->offset);
}

static void verify_mmap_offset(struct round *round, int ret)
{
	uint64_t offset = round->offset;

	CHECK_OK(act_mmap_offset(round));
	if (!ret)
		CHECK_EQ(round->offset, offset);
	verify_buffer(round, ret);
}

static int act_close_handle(struct round *round)
{
	return gem_close(&round->gpu, round->handles[0]);
}

/* Its mapping and its binding keep it. */
static void verify_closed_handle(struct round *round, int ret)
{
	CHECK_RET(act_close_handle(round), ret ? 0 : -EINVAL);
	verify_buffer(round, ret);
}

/* Mapping it. */

static void unmapped_buffer(struct round *round)
{
	round->handles[0] = bound_buffer(&round->area, MOCKGPU_GEM_VRAM);
	area_device_fill(&round->area, SEED);
	CHECK_OK(act_mmap_offset(round));
}

static int act_mmap(struct round *round)
{
	void *map = mmap(round->area.mem, SMALL_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, round->gpu.fd, round->offset);

	return map == MAP_FAILED ? -errno : 0;
}

static void verify_mmap(struct round *round, int ret)
{
	if (ret)
		CHECK_OK(act_mmap(round));
	verify_buffer(round, ret);
}

static void verify_first_read(struct round *round, int ret)
{
	check_zeroes(&round->area);
	verify_buffer_alive(round, ret);
}

static void verify_first_fill(struct round *round, int ret)
{
	const uint64_t *words = (uint64_t *)round->area.mem;
	size_t done = round->done == UNKNOWN ? 0 : round->done / 8;

	if (!ret)
		CHECK_EQ(done, SMALL_SIZE / 8);
	for (size_t i = 0; i < SMALL_SIZE / 8; i++)
		CHECK(words[i] == FLIP || (!words[i] && i >= done));
	verify_buffer_alive(round, ret);
}

static void vram_and_pipe(struct round *round)
{
	buffer_in_vram(round);
	CHECK_SYS(pipe(round->fds));
}

static void verify_buffer_piped(struct round *round, int ret)
{
	close(round->fds[0]);
	close(round->fds[1]);
	verify_buffer(round, ret);
}

/* What the process has not mapped any more is still bound, and whole. */
static void verify_bound_unmapped(struct round *round, int ret)
{
	struct area low = area_part(&round->area, 0, UNMAPPED_PAGE * PAGE);

	area_check_device(&round->area);
	area_check_cpu(ret ? &round->area : &low);
	area_device_flip(&round->area, FLIP);
	area_check_device(&round->area);
}

/* How it is mapped does not matter to the device. */
static void verify_bound_protected(struct round *round, int ret)
{
	area_device_flip(&round->area, FLIP);
	CHECK_SYS(mprotect(round->area.mem, SMALL_SIZE, PROT_READ | PROT_WRITE));
	verify_buffer(round, ret);
}

static void verify_buffer_evicted(struct round *round, int ret)
{
	if (!ret)
		CHECK_EQ(counter(&round->gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), 0);
	verify_buffer(round, ret);
}

/* Pictures, at the primary node. */

static void open_primary(struct round *round)
{
	fill_used(round);
	CHECK_OK(gem_open_primary(&round->other, round->gpu.index));
	round->dumb = (struct drm_mode_create_dumb){ .width = 100, .height = 30, .bpp = 32 };
}

static int act_dumb_create(struct round *round)
{
	return gpu_ioctl(&round->other, DRM_IOCTL_MODE_CREATE_DUMB, &round->dumb);
}

static int act_dumb_map(struct round *round)
{
	struct drm_mode_map_dumb map = { .handle = round->dumb.handle };
	int ret = gpu_ioctl(&round->other, DRM_IOCTL_MODE_MAP_DUMB, &map);

	round->offset = map.offset;
	return ret;
}

static int act_dumb_destroy(struct round *round)
{
	struct drm_mode_destroy_dumb destroy = { .handle = round->dumb.handle };

	return gpu_ioctl(&round->other, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
}

static void create_dumb(struct round *round)
{
	open_primary(round);
	CHECK_OK(act_dumb_create(round));
}

static void verify_dumb_mapped(struct round *round, int ret)
{
	struct mismatch bad;
	char *map;

	if (ret)
		CHECK_OK(act_dumb_map(round));
	map = mmap(NULL, round->dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		   round->other.fd, round->offset);
	CHECK(map != MAP_FAILED);
	CHECK_DATA(words_are(map, round->dumb.size, 0, &bad), bad);
	memset(map, 1, round->dumb.size);
	CHECK_EQ(map[round->dumb.size - 1], 1);
	CHECK_SYS(munmap(map, round->dumb.size));
	verify_data(round, ret);
}

static void verify_dumb_created(struct round *round, int ret)
{
	if (ret)
		CHECK_OK(act_dumb_create(round));
	CHECK_OK(act_dumb_map(round));
	verify_dumb_mapped(round, 0);
}

/* It answers, and that may be refused after all is done. */
static void verify_dumb_destroyed(struct round *round, int ret)
{
	int again = act_dumb_destroy(round);

	if (!ret || again)
		CHECK_RET(again, -EINVAL);
	verify_data(round, ret);
}

/* Giving it to others. */

static int act_export(struct round *round)
{
	return gem_export(&round->gpu, round->handles[0], &round->fds[0]);
}

/* Also one whose number could not be told. */
static void close_dma_bufs(void)
{
	char path[64], name[64];

	for (int fd = 0; fd < MOST_FDS; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		memset(name, 0, sizeof(name));
		if (readlink(path, name, sizeof(name) - 1) > 0 &&
		    !strncmp(name, "/dmabuf:", strlen("/dmabuf:")))
			CHECK_SYS(close(fd));
	}
}

static void verify_exported(struct round *round, int ret)
{
	uint32_t again;

	if (ret)
		CHECK_OK(act_export(round));
	CHECK_OK(gem_import(&round->gpu, round->fds[0], &again));
	CHECK_EQ(again, round->handles[0]);
	close_dma_bufs();
	verify_buffer(round, ret);
}

static void export_buffer(struct round *round)
{
	buffer_in_vram(round);
	CHECK_OK(act_export(round));
}

/* Another file of the same device. */
static void export_to_file(struct round *round)
{
	CHECK_OK(gpu_open(&round->other, round->gpu.index));
	round->other_vm = vm_new(&round->other);
	export_buffer(round);
}

static int act_import(struct round *round)
{
	return gem_import(&round->other, round->fds[0], &round->handles[1]);
}

/* The other one is the one that uses it, from now on. */
static void use_import(struct round *round)
{
	round->area.gpu = &round->other;
	round->area.vm = round->other_vm;
	bind_buffer(&round->area, round->handles[1]);
}

static void verify_imported(struct round *round, int ret)
{
	if (ret)
		CHECK_OK(act_import(round));
	close_dma_bufs();
	verify_buffer(round, ret);
	use_import(round);
	verify_buffer(round, ret);
}

static void import_buffer(struct round *round)
{
	export_buffer(round);
	CHECK_OK(act_import(round));
	close_dma_bufs();
}

static void import_and_use(struct round *round)
{
	import_buffer(round);
	use_import(round);
}

static int act_close_import(struct round *round)
{
	return gem_close(&round->other, round->handles[1]);
}

static void verify_closed_import(struct round *round, int ret)
{
	CHECK_RET(act_close_import(round), ret ? 0 : -EINVAL);
	verify_buffer(round, ret);
}

/* Binding it, where the device has used the memory of the process. */

/* It is bound elsewhere as well, through which it gets its data. */
static void memory_and_buffer(struct round *round)
{
	fill_used(round);
	place_bound(round);
	round->handles[0] = bound_buffer(&round->bound, MOCKGPU_GEM_VRAM);
	area_device_fill(&round->bound, SEED);
}

static int act_bind(struct round *round)
{
	return gem_bind(&round->gpu, round->area.vm, round->handles[0], 0, round->area.mem,
			round->area.size);
}

static int act_unbind(struct round *round)
{
	return gem_unbind(&round->gpu, round->area.vm, round->area.mem, round->area.size);
}

/* At the memory's addresses, the device finds the buffer, or what the process does. */
static void check_seen(const struct round *round, bool bound)
{
	struct area seen = round->area;

	if (bound) {
		seen.seed = round->bound.seed;
		seen.flip = round->bound.flip;
	}
	area_check_device(&seen);
	area_check_device(&round->bound);
	area_check_cpu(&round->area);
}

static void verify_bound(struct round *round, int ret)
{
	check_seen(round, !ret);
	if (ret)
		CHECK_OK(act_bind(round));
	check_seen(round, true);
	CHECK_OK(act_unbind(round));
	verify_data(round, ret);
}

/* Where there is not even a page table yet. */
static void memory_and_unbound(struct round *round)
{
	fill_used(round);
	round->bound = round->area;
	round->bound.mem = window(round);
	CHECK_OK(gem_create(&round->gpu, SMALL_SIZE, MOCKGPU_GEM_VRAM, &round->handles[0]));
}

static int act_bind_first(struct round *round)
{
	return gem_bind(&round->gpu, round->bound.vm, round->handles[0], 0, round->bound.mem,
			round->bound.size);
}

static void verify_bound_first(struct round *round, int ret)
{
	CHECK_RET(act_bind_first(round), ret ? 0 : -EEXIST);
	area_device_fill(&round->bound, SEED);
	area_check_device(&round->bound);
	verify_data(round, ret);
}

static void bind_over_memory(struct round *round)
{
	memory_and_buffer(round);
	CHECK_OK(act_bind(round));
	check_seen(round, true);
}

static void verify_unbound(struct round *round, int ret)
{
	check_seen(round, ret);
	CHECK_RET(act_unbind(round), ret ? 0 : -ENOENT);
	check_seen(round, false);
	verify_data(round, ret);
}

/* Another buffer takes its place: the one that was bound, neither, or the new one. */
static void bind_and_new(struct round *round)
{
	bind_over_memory(round);
	CHECK_OK(gem_create(&round->gpu, round->area.size, 0, &round->handles[1]));
}

static int act_rebind(struct round *round)
{
	int ret = act_unbind(round);

	return ret ?: gem_bind(&round->gpu, round->area.vm, round->handles[1], 0,
			       round->area.mem, round->area.size);
}

static void verify_rebound(struct round *round, int ret)
{
	uint64_t word, old;

	CHECK_OK(gpu_read(&round->gpu, round->area.vm, round->area.mem, sizeof(word), &word));
	CHECK_OK(gpu_read(&round->gpu, round->bound.vm, round->bound.mem, sizeof(old), &old));
	if (ret)
		CHECK(word == old || word == old_word(&round->area, 0));
	else
		CHECK_EQ(word, 0);
	if (!ret || word == old)
		CHECK_OK(act_unbind(round));
	check_seen(round, false);
	verify_data(round, ret);
}

/* The process changes what it has mapped where something is bound. */
static void verify_unmapped_below(struct round *round, int ret)
{
	struct area low = area_part(&round->area, 0, UNMAPPED_PAGE * PAGE), seen = round->area;

	seen.seed = round->bound.seed;
	seen.flip = round->bound.flip;
	area_check_device(&seen);
	area_check_cpu(ret ? &round->area : &low);
	CHECK_OK(act_unbind(round));
	verify_unmapped(round, ret);
}

/* Making room in VRAM, which is full. */

static uint64_t vram_left(const struct round *round)
{
	return round->gpu.vram_size -
	       counter(&round->gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES) * PAGE;
}

/*
 * What is left of it goes to buffers that the device has used, and the CPU never. They
 * are not large, as it takes long to bring one home.
 */
static void take_the_rest(struct round *round)
{
	struct area piece = {
		.gpu = &round->gpu, .vm = round->area.vm, .mem = window(round),
	};
	uint64_t left, word;

	while ((left = vram_left(round))) {
		piece.size = left < MIB ? left : MIB;
		bound_buffer(&piece, MOCKGPU_GEM_VRAM);
		CHECK_OK(gpu_read(piece.gpu, piece.vm, piece.mem, sizeof(word), &word));
		CHECK_EQ(vram_left(round), left - piece.size);
		piece.mem += piece.size;
	}
}

/* Memory is to go for other memory. */
static void memory_in_the_way(struct round *round)
{
	place_bound(round);
	area_fill(&round->bound);
	area_populate(&round->bound);
	fill_system(round);
	take_the_rest(round);
}

static void buffer_in_the_way(struct round *round)
{
	place_bound(round);
	mapped_buffer(&round->bound, MOCKGPU_GEM_VRAM);
	area_device_fill(&round->bound, SEED);
	fill_system(round);
	take_the_rest(round);
}

/* For a buffer; faults do not send away what has just come. */
static void in_the_way_of_buffer(struct round *round)
{
	place_bound(round);
	area_fill(&round->bound);
	area_populate(&round->bound);
	take_the_rest(round);
	buffer_at_home(round);
}

static void verify_room(struct round *round, int ret)
{
	verify_populated(round, ret);
	area_check_device(&round->bound);
	area_check_cpu(&round->bound);
}

static void verify_room_for_buffer(struct round *round, int ret)
{
	verify_buffer_xor(round, ret);
	area_check_device(&round->bound);
	area_check_cpu(&round->bound);
}

/* A file with all kinds of things: memory, a queue that waits, a buffer in VRAM. */
void fill_busy(struct round *round)
{
	fill_used(round);
	round->queue = queue_new(&round->gpu, round->area.vm);
	job_add(&round->jobs[0], cmd_wait_equal(round->area.mem, VALUE, MOCKGPU_EXEC_MAX_MS));
	job_start(&round->jobs[0], &round->gpu, round->queue);
	place_bound(round);
	round->handles[0] = mapped_buffer(&round->bound, MOCKGPU_GEM_VRAM);
	area_device_fill(&round->bound, SEED);
}

/* The memory stays, and so does a buffer that is mapped. */
void verify_busy_closed(struct round *round, int ret)
{
	CHECK_OK(ret);
	area_check_cpu(&round->area);
	area_check_cpu(&round->bound);
}

/* Jobs end with their VM. */
void verify_busy_destroyed(struct round *round, int ret)
{
	if (ret)
		CHECK_OK(act_vm_destroy(round));
	else
		CHECK_RET(act_vm_destroy(round), -ENOENT);
	CHECK_RET(job_end(&round->jobs[0]), -ECANCELED);
	verify_busy_closed(round, 0);
}

SCENE(create_system, .act = act_create_system, .verify = verify_created_system)
SCENE(create_vram, .act = act_create_vram, .verify = verify_created_vram)
SCENE(mmap_offset, .prepare = buffer_in_vram, .act = act_mmap_offset,
      .verify = verify_mmap_offset)
SCENE(close_handle, .prepare = buffer_in_vram, .act = act_close_handle,
      .verify = verify_closed_handle)
SCENE(mmap_buffer, .prepare = unmapped_buffer, .act = act_mmap, .verify = verify_mmap)
SCENE(first_read_system, .prepare = new_system, .act = act_cpu_read,
      .verify = verify_first_read)
SCENE(first_read_vram, .prepare = new_vram, .act = act_cpu_read, .verify = verify_first_read)
SCENE(read_vram, .prepare = buffer_in_vram, .act = act_cpu_read, .verify = verify_buffer)
SCENE(write_vram, .prepare = buffer_in_vram, .act = act_cpu_write, .verify = verify_buffer)
SCENE(kernel_read_vram, .prepare = vram_and_pipe, .act = act_kernel_read,
      .verify = verify_buffer_piped)
SCENE(first_fill_system, .prepare = new_system, .act = act_fill, .verify = verify_first_fill)
SCENE(first_fill_vram, .prepare = new_vram, .act = act_fill, .verify = verify_first_fill)
SCENE(xor_system, .prepare = buffer_in_system, .act = act_xor, .verify = verify_buffer_xor)
SCENE(xor_at_home, .prepare = buffer_at_home, .act = act_xor, .verify = verify_buffer_xor)
SCENE(xor_vram, .prepare = buffer_in_vram, .act = act_xor, .verify = verify_buffer_xor)
SCENE(unmap_buffer, .prepare = buffer_in_vram, .act = act_unmap_part,
      .verify = verify_bound_unmapped)
SCENE(protect_buffer, .prepare = buffer_in_vram, .act = act_protect,
      .verify = verify_bound_protected)
SCENE(evict_buffer, .prepare = buffer_in_vram, .act = act_evict_device,
      .verify = verify_buffer_evicted)
SCENE(dumb_create, .prepare = open_primary, .act = act_dumb_create,
      .verify = verify_dumb_created)
SCENE(dumb_map, .prepare = create_dumb, .act = act_dumb_map, .verify = verify_dumb_mapped)
SCENE(dumb_destroy, .prepare = create_dumb, .act = act_dumb_destroy,
      .verify = verify_dumb_destroyed)
SCENE(export, .prepare = buffer_in_vram, .act = act_export, .verify = verify_exported)
SCENE(import_file, .prepare = export_to_file, .act = act_import, .verify = verify_imported)
SCENE(import_other, .prepare = export_buffer, .act = act_import, .verify = verify_imported,
      .two = true)
SCENE(xor_imported, .prepare = import_and_use, .act = act_xor, .verify = verify_buffer_xor,
      .two = true)
SCENE(xor_attached, .prepare = import_buffer, .act = act_xor, .verify = verify_buffer_xor,
      .two = true)
SCENE(close_import, .prepare = import_buffer, .act = act_close_import,
      .verify = verify_closed_import, .two = true)
SCENE(bind, .prepare = memory_and_buffer, .act = act_bind, .verify = verify_bound)
SCENE(bind_first, .prepare = memory_and_unbound, .act = act_bind_first,
      .verify = verify_bound_first)
SCENE(unbind, .prepare = bind_over_memory, .act = act_unbind, .verify = verify_unbound)
SCENE(rebind, .prepare = bind_and_new, .act = act_rebind, .verify = verify_rebound)
SCENE(unmap_below, .prepare = bind_over_memory, .act = act_unmap_part,
      .verify = verify_unmapped_below)
SCENE(room_from_memory, .prepare = memory_in_the_way, .act = act_populate,
      .verify = verify_room)
SCENE(room_from_buffer, .prepare = buffer_in_the_way, .act = act_populate,
      .verify = verify_room)
SCENE(room_for_buffer, .prepare = in_the_way_of_buffer, .act = act_xor,
      .verify = verify_room_for_buffer)

static const struct test tests[] = {
	{ "buffer-create-system", create_system, NEEDS, SECONDS },
	{ "buffer-create-vram", create_vram, NEEDS, SECONDS },
	{ "buffer-mmap-offset", mmap_offset, NEEDS, SECONDS },
	{ "buffer-close", close_handle, NEEDS, SECONDS },
	{ "buffer-mmap", mmap_buffer, NEEDS, SECONDS },
	{ "buffer-first-read-system", first_read_system, NEEDS, SECONDS },
	{ "buffer-first-read-vram", first_read_vram, NEEDS, SECONDS },
	{ "buffer-cpu-read", read_vram, NEEDS, SECONDS },
	{ "buffer-cpu-write", write_vram, NEEDS, SECONDS },
	{ "buffer-kernel-read", kernel_read_vram, NEEDS, SECONDS },
	{ "buffer-first-fill-system", first_fill_system, NEEDS, SECONDS },
	{ "buffer-first-fill-vram", first_fill_vram, NEEDS, SECONDS },
	{ "buffer-xor-system", xor_system, NEEDS, SECONDS },
	{ "buffer-xor-at-home", xor_at_home, NEEDS, SECONDS },
	{ "buffer-xor-vram", xor_vram, NEEDS, SECONDS },
	{ "buffer-unmap-part", unmap_buffer, NEEDS, SECONDS },
	{ "buffer-protect", protect_buffer, NEEDS, SECONDS },
	{ "buffer-evict", evict_buffer, NEEDS, SECONDS },
	{ "dumb-create", dumb_create, NEEDS, SECONDS },
	{ "dumb-map", dumb_map, NEEDS, SECONDS },
	{ "dumb-destroy", dumb_destroy, NEEDS, SECONDS },
	{ "export", export, NEEDS, SECONDS },
	{ "import-file", import_file, NEEDS, SECONDS },
	{ "import-other", import_other, NEEDS_TWO, SECONDS },
	{ "import-xor", xor_imported, NEEDS_TWO, SECONDS },
	{ "import-xor-owner", xor_attached, NEEDS_TWO, SECONDS },
	{ "import-close", close_import, NEEDS_TWO, SECONDS },
	{ "vm-bind", bind, NEEDS, SECONDS },
	{ "vm-bind-first", bind_first, NEEDS, SECONDS },
	{ "vm-unbind", unbind, NEEDS, SECONDS },
	{ "vm-rebind", rebind, NEEDS, SECONDS },
	{ "vm-bind-unmap-part", unmap_below, NEEDS, SECONDS },
	{ "room-from-memory", room_from_memory, NEEDS, SECONDS },
	{ "room-from-buffer", room_from_buffer, NEEDS, SECONDS },
	{ "room-for-buffer", room_for_buffer, NEEDS, SECONDS },
};

const struct tests buffer_tests = { tests, ARRAY_SIZE(tests) };
