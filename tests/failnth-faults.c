// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Page faults of the device: what is asked for by the worker that handles them is
 * refused. It is held, with the first fault of a job in its hands, until it is found;
 * later faults of the job may be handled by others.
 */
#include <errno.h>
#include <stdio.h>

#include "failnth.h"
#include "knob.h"

#define WORKER		"mockgpu_fault"
#define JOB_SECONDS	60

/*
 * There is no result, which would be another fault: that the end of the job can be
 * waited for is enough.
 */
static void start_held(struct round *round, struct drm_mockgpu_command command)
{
	struct job *job = &round->jobs[0];

	round->queue = queue_new(&round->gpu, round->area.vm);
	job_add(job, command);
	job_prepare(job, &round->gpu, round->queue, NULL);
	job->exec.result = 0;
	CHECK_OK(knob_set(&round->gpu, "hold_faults", 1));
	CHECK_OK(job_submit(job));
}

static int act_let_go(struct round *round)
{
	const struct job *job = &round->jobs[0];

	CHECK_OK(knob_set(&round->gpu, "hold_faults", 0));
	CHECK_OK(sync_wait(&round->gpu, job->sync, 0, patience(JOB_SECONDS)));
	return sync_status(&round->gpu, job->sync);
}

static void start_fill(struct round *round)
{
	start_held(round, cmd_fill(round->area.mem, round->area.size, FLIP));
}

static void prefer_device(struct round *round)
{
	CHECK_OK(area_set_attr(&round->area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
}

static void fault_first(struct round *round)
{
	start_fill(round);
}

static void fault_first_move(struct round *round)
{
	prefer_device(round);
	start_fill(round);
}

static void fault_system(struct round *round)
{
	fill_system(round);
	start_fill(round);
}

static void fault_move(struct round *round)
{
	fill_system(round);
	prefer_device(round);
	start_fill(round);
}

static void fault_home(struct round *round)
{
	fill_device(round);
	CHECK_OK(area_set_attr(&round->area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_SYSTEM));
	start_fill(round);
}

static void fault_vram(struct round *round)
{
	fill_device(round);
	start_fill(round);
}

/* The other device has it in its VRAM, and shares its ranges. */
static void fault_shared(struct round *round)
{
	fill_shared(round);
	start_fill(round);
}

static void fault_buffer_system(struct round *round)
{
	buffer_in_system(round);
	start_fill(round);
}

static void fault_buffer_vram(struct round *round)
{
	buffer_at_home(round);
	start_fill(round);
}

static void verify_fault(struct round *round, int ret)
{
	check_progress(round, ret, filled_word);
	verify_alive(round, ret);
}

static void verify_fault_first(struct round *round, int ret)
{
	const uint64_t *words = (uint64_t *)round->area.mem;
	size_t count = round->area.size / 8, i = 0;

	while (i < count && words[i] == FLIP)
		i++;
	if (!ret)
		CHECK_EQ(i, count);
	for (; i < count; i++)
		CHECK_EQ(words[i], 0);
	verify_alive(round, ret);
}

static void verify_fault_buffer(struct round *round, int ret)
{
	check_progress(round, ret, filled_word);
	verify_buffer_alive(round, ret);
}

/* An addition to the first word of each page. */
static void start_adding(struct round *round)
{
	size_t size = round->area.size;

	start_held(round, cmd_add_strided(round->area.mem, size, 1, size / PAGE, PAGE));
}

static void fault_take(struct round *round)
{
	fill_system(round);
	need_atomics(round);
	start_adding(round);
}

static void fault_atomic_move(struct round *round)
{
	fill_system(round);
	CHECK_OK(area_set_attr(&round->area, MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_DEVICE));
	start_adding(round);
}

/* Each was done, or not; of the pages, up to one. */
static void verify_added(struct round *round, int ret)
{
	const uint64_t *words = (uint64_t *)round->area.mem;
	size_t count = round->area.size / 8, done = 0;

	while (done < count && words[done] == old_word(&round->area, done) + 1)
		done += PAGE / 8;
	if (!ret)
		CHECK_EQ(done, count);
	for (size_t i = 0; i < count; i++)
		if (i >= done || i % (PAGE / 8))
			CHECK_EQ(words[i], old_word(&round->area, i));
	verify_alive(round, ret);
}

SCENE(first, .prepare = fault_first, .act = act_let_go, .verify = verify_fault_first,
      .worker = WORKER)
SCENE(first_move, .prepare = fault_first_move, .act = act_let_go,
      .verify = verify_fault_first, .worker = WORKER)
SCENE(in_system, .prepare = fault_system, .act = act_let_go, .verify = verify_fault,
      .worker = WORKER)
SCENE(move, .prepare = fault_move, .act = act_let_go, .verify = verify_fault,
      .worker = WORKER)
SCENE(home, .prepare = fault_home, .act = act_let_go, .verify = verify_fault,
      .worker = WORKER)
SCENE(in_vram, .prepare = fault_vram, .act = act_let_go, .verify = verify_fault,
      .worker = WORKER)
SCENE(shared, .prepare = fault_shared, .act = act_let_go, .verify = verify_fault,
      .worker = WORKER, .two = true)
SCENE(buffer_system, .prepare = fault_buffer_system, .act = act_let_go,
      .verify = verify_fault_buffer, .worker = WORKER)
SCENE(buffer_vram, .prepare = fault_buffer_vram, .act = act_let_go,
      .verify = verify_fault_buffer, .worker = WORKER)
SCENE(take, .prepare = fault_take, .act = act_let_go, .verify = verify_added,
      .worker = WORKER)
SCENE(atomic_move, .prepare = fault_atomic_move, .act = act_let_go, .verify = verify_added,
      .worker = WORKER)

#define NEEDS_HOLD	(NEEDS | NEED_KNOBS)

static const struct test tests[] = {
	{ "fault-first", first, NEEDS_HOLD, SECONDS },
	{ "fault-first-move", first_move, NEEDS_HOLD, SECONDS },
	{ "fault-system", in_system, NEEDS_HOLD, SECONDS },
	{ "fault-move", move, NEEDS_HOLD, SECONDS },
	{ "fault-home", home, NEEDS_HOLD, SECONDS },
	{ "fault-vram", in_vram, NEEDS_HOLD, SECONDS },
	{ "fault-shared", shared, NEEDS_HOLD | NEED_TWO_DEVICES, SECONDS },
	{ "fault-buffer-system", buffer_system, NEEDS_HOLD, SECONDS },
	{ "fault-buffer-vram", buffer_vram, NEEDS_HOLD, SECONDS },
	{ "fault-take", take, NEEDS_HOLD, SECONDS },
	{ "fault-atomic-move", atomic_move, NEEDS_HOLD, SECONDS },
};

const struct tests fault_tests = { tests, ARRAY_SIZE(tests) };
