// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The command engine: runs jobs, each ring with a thread of its own. It is there from
 * the beginning, so that no job depends on memory for it, or on jobs of other rings.
 *
 * Others wait for the end of a job with a dma-fence, possibly while they free
 * memory. So a job's way to its end never waits for memory, and never without a
 * limit. A page fault needs both; that is the driver's, which handles it in a
 * worker of its own. The job waits for it, but only until its time is over or its
 * ring is cancelled. Then the fault is stale, whoever is still at it works for
 * nothing, and the job ends. In this way a job that uses shared virtual memory
 * can stop the freeing of memory that its own page fault waits for, but not for
 * longer than its time. Invalidations do not wait for jobs, only for the access to
 * one page that is just going on.
 *
 * Locks: mockgpu_hw_ring.lock is taken in any context, with interrupts off;
 * inside of it is the lock of the thread's work.
 */
#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <drm/mockgpu_drm.h>

#include "compat/compat.h"
#include "internal.h"

/* How much longer a job may take to store its result, for which there may be a fault. */
#define MOCKGPU_HW_RESULT_TIME	(5 * HZ)

/**
 * mockgpu_hw_engine_init() - an engine without rings
 * @engine: filled
 *
 * Context: Process context.
 */
void mockgpu_hw_engine_init(struct mockgpu_hw_engine *engine)
{
	init_waitqueue_head(&engine->wake);
}

static int mockgpu_hw_run_check(const struct mockgpu_hw_run *run)
{
	if (READ_ONCE(run->ring->cancelled))
		return -ECANCELED;
	return time_after(jiffies, run->deadline) ? -ETIME : 0;
}

/**
 * mockgpu_hw_run_pause() - let some time pass
 * @run: the job
 * @until: how long at most, in jiffies; a tick is usual
 *
 * Context: Process context, sleeps.
 * Return: 0, -ECANCELED the ring was cancelled, -ETIME the job's time is over.
 */
int mockgpu_hw_run_pause(struct mockgpu_hw_run *run, unsigned long until)
{
	if (time_before(jiffies, until))
		wait_event_idle_timeout(run->ring->hw->engine.wake,
					READ_ONCE(run->ring->cancelled), 1);
	return mockgpu_hw_run_check(run);
}

/* Is there an answer, or a reason not to wait for it any more? */
static bool mockgpu_hw_run_may_go_on(struct mockgpu_hw_run *run)
{
	return mockgpu_hw_run_check(run) ||
	       !mockgpu_hw_fault_is_wanted(run->job->fault);
}

static int mockgpu_hw_run_take_answer(struct mockgpu_hw_run *run)
{
	struct mockgpu_hw_fault *fault = run->job->fault;

	if (atomic_cmpxchg(&fault->state, MOCKGPU_HW_FAULT_RAISED,
			   MOCKGPU_HW_FAULT_STALE) == MOCKGPU_HW_FAULT_RAISED)
		return mockgpu_hw_run_check(run) ?: -ETIME;

	/*
	 * An exchange that fails orders nothing, and whoever waited may not have
	 * looked at the state. Pairs with the one in mockgpu_hw_fault_answer().
	 */
	smp_rmb();
	atomic_set(&fault->state, MOCKGPU_HW_FAULT_NONE);
	return fault->answer;
}

static bool mockgpu_hw_run_has_settled(struct mockgpu_hw_run *run)
{
	return mockgpu_hw_run_check(run) ||
	       atomic_read_acquire(&run->job->fault->state) ==
	       MOCKGPU_HW_FAULT_NONE;
}

/* The driver may still be busy with one that is stale. */
static int mockgpu_hw_run_settle(struct mockgpu_hw_run *run)
{
	long left = run->deadline - jiffies;

	wait_event_idle_timeout(run->ring->hw->engine.wake,
				mockgpu_hw_run_has_settled(run),
				max(left, 0L) + 1);
	return mockgpu_hw_run_check(run);
}

static int mockgpu_hw_run_fault(struct mockgpu_hw_run *run, u64 addr,
				enum mockgpu_hw_op op)
{
	struct mockgpu_hw_fault *fault = run->job->fault;
	long left;
	int ret;

	ret = mockgpu_hw_run_settle(run);
	if (ret)
		return ret;

	left = run->deadline - jiffies;
	fault->addr = addr;
	fault->write = mockgpu_hw_op_writes(op);
	fault->atomic = mockgpu_hw_op_is_atomic(op);
	fault->answer = 0;
	atomic_set_release(&fault->state, MOCKGPU_HW_FAULT_RAISED);
	run->ring->ops->fault(run->job);

	wait_event_idle_timeout(run->ring->hw->engine.wake,
				mockgpu_hw_run_may_go_on(run),
				max(left, 0L) + 1);
	return mockgpu_hw_run_take_answer(run);
}

static bool mockgpu_hw_run_may_wake(const struct mockgpu_hw_run *run)
{
	return !mockgpu_hw_is_halted(run->ring->hw) ||
	       READ_ONCE(run->ring->cancelled);
}

/* The time that a sleep takes is nobody's. */
static void mockgpu_hw_run_sleep(struct mockgpu_hw_run *run)
{
	unsigned long begin = jiffies;

	wait_event_idle(run->ring->hw->engine.wake,
			mockgpu_hw_run_may_wake(run));
	run->deadline += jiffies - begin;
}

/**
 * mockgpu_hw_run_access() - a job works on a piece of virtual memory
 * @run: the job
 * @addr: user address
 * @size: bytes, all of them in one page, as for mockgpu_hw_access()
 * @work: what to do
 *
 * Context: Process context, sleeps for as long as the job may run.
 * Return: 0, -EFAULT or whatever else came of a page fault, -EIO for a bad
 * translation, -ECANCELED the ring was cancelled, -ETIME the time is over.
 */
int mockgpu_hw_run_access(struct mockgpu_hw_run *run, u64 addr, size_t size,
			  const struct mockgpu_hw_work *work)
{
	int ret;

	run->at = addr;
	do {
		cond_resched();
		ret = mockgpu_hw_run_check(run);
		if (ret)
			return ret;
		ret = mockgpu_hw_access(run->job->mmu, addr, size, work);
		if (ret == -EAGAIN)
			mockgpu_hw_run_sleep(run);
		else if (ret == -EFAULT)
			ret = mockgpu_hw_run_fault(run, addr, work->op);
		else
			return ret;
	} while (!ret || ret == -EBUSY || ret == -EAGAIN);

	return ret;
}

static int mockgpu_hw_run_store(struct mockgpu_hw_run *run, u64 addr,
				u64 value)
{
	const struct mockgpu_hw_work work = {
		.op = MOCKGPU_HW_STORE,
		.value = value,
	};

	return mockgpu_hw_run_access(run, addr, sizeof(value), &work);
}

/* The first word last: who sees that it is done sees the rest, too. */
static int mockgpu_hw_run_report(struct mockgpu_hw_run *run)
{
	const struct mockgpu_hw_job *job = run->job;
	union {
		struct drm_mockgpu_result fields;
		u64 words[sizeof(struct drm_mockgpu_result) / sizeof(u64)];
	} result = {
		.fields = {
			.done = 1,
			.error = job->error,
			.command = job->failed,
			.addr = job->failed_at,
		},
	};
	int i, ret = 0;

	run->deadline = jiffies + MOCKGPU_HW_RESULT_TIME;
	for (i = ARRAY_SIZE(result.words) - 1; i >= 0 && !ret; i--)
		ret = mockgpu_hw_run_store(run, job->result + i * sizeof(u64),
					   result.words[i]);
	return ret;
}

static void mockgpu_hw_run_commands(struct mockgpu_hw_run *run)
{
	struct mockgpu_hw_job *job = run->job;
	int ret = mockgpu_hw_run_check(run);
	u32 i;

	for (i = 0; i < job->count && !ret; i++) {
		run->at = 0;
		ret = mockgpu_hw_run_command(run, &job->commands[i]);
	}
	job->error = ret;
	job->failed = ret && i ? i - 1 : i;
	job->failed_at = ret ? run->at : 0;
}

static void mockgpu_hw_ring_run(struct mockgpu_hw_ring *ring,
				struct mockgpu_hw_job *job)
{
	struct mockgpu_hw_run run = {
		.ring = ring,
		.job = job,
		.deadline = jiffies + msecs_to_jiffies(job->timeout_ms),
	};
	u64 start = ktime_get_ns();

	WRITE_ONCE(ring->since, start);
	mockgpu_hw_run_commands(&run);
	if (job->result && job->error != -ECANCELED &&
	    mockgpu_hw_run_report(&run) == -ECANCELED)
		job->error = -ECANCELED;
	job->busy_ns = ktime_get_ns() - start;
	WRITE_ONCE(ring->since, 0);
}

static struct mockgpu_hw_job *mockgpu_hw_ring_next(struct mockgpu_hw_ring *ring)
{
	struct mockgpu_hw_job *job;
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	job = list_first_entry_or_null(&ring->jobs, struct mockgpu_hw_job, link);
	if (job)
		list_del_init(&job->link);
	spin_unlock_irqrestore(&ring->lock, flags);

	return job;
}

static void mockgpu_hw_ring_work(struct kthread_work *work)
{
	struct mockgpu_hw_ring *ring = container_of(work, struct mockgpu_hw_ring,
						    work);
	struct mockgpu_hw_job *job;
	bool cookie;

	while ((job = mockgpu_hw_ring_next(ring))) {
		cookie = dma_fence_begin_signalling();
		mockgpu_hw_ring_run(ring, job);
		ring->ops->done(job);
		dma_fence_end_signalling(cookie);
	}
}

/**
 * mockgpu_hw_ring_destroy() - undo mockgpu_hw_ring_create()
 * @ring: the ring, without jobs
 *
 * Context: Process context, may sleep, not called by the engine.
 */
void mockgpu_hw_ring_destroy(struct mockgpu_hw_ring *ring)
{
	if (!IS_ERR_OR_NULL(ring->thread))
		kthread_destroy_worker(ring->thread);
	kfree(ring->buffers[0]);
	kfree(ring->buffers[1]);
	kfree(ring);
}

/**
 * mockgpu_hw_ring_create() - a place for jobs
 * @hw: the device, which has to stay
 * @ops: of the driver
 *
 * Context: Process context, may sleep.
 * Return: the ring, or NULL when there is no memory.
 */
struct mockgpu_hw_ring *
mockgpu_hw_ring_create(struct mockgpu_hw *hw,
		       const struct mockgpu_hw_ring_ops *ops)
{
	struct mockgpu_hw_ring *ring = kzalloc(sizeof(*ring),
					       GFP_KERNEL_ACCOUNT);

	if (!ring)
		return NULL;

	ring->hw = hw;
	ring->ops = ops;
	spin_lock_init(&ring->lock);
	INIT_LIST_HEAD(&ring->jobs);
	kthread_init_work(&ring->work, mockgpu_hw_ring_work);
	ring->buffers[0] = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	ring->buffers[1] = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	ring->thread = kthread_run_worker(0, "mockgpu_ring");
	if (ring->buffers[0] && ring->buffers[1] && !IS_ERR(ring->thread))
		return ring;

	mockgpu_hw_ring_destroy(ring);
	return NULL;
}

/**
 * mockgpu_hw_ring_submit() - run a job after those before it
 * @ring: the ring
 * @job: the job, which is the engine's until it is done
 *
 * Context: Any.
 */
void mockgpu_hw_ring_submit(struct mockgpu_hw_ring *ring,
			    struct mockgpu_hw_job *job)
{
	unsigned long flags;

	spin_lock_irqsave(&ring->lock, flags);
	list_add_tail(&job->link, &ring->jobs);
	kthread_queue_work(ring->thread, &ring->work);
	spin_unlock_irqrestore(&ring->lock, flags);
}

/**
 * mockgpu_hw_ring_cancel() - end all jobs, also those that are submitted later
 * @ring: the ring
 *
 * It does not wait; what is running ends after its access to the current page.
 *
 * Context: Any.
 */
void mockgpu_hw_ring_cancel(struct mockgpu_hw_ring *ring)
{
	WRITE_ONCE(ring->cancelled, true);
	wake_up_all(&ring->hw->engine.wake);
}

/**
 * mockgpu_hw_ring_running_ns() - how long has a job been running
 * @ring: the ring
 *
 * Context: Any.
 * Return: since the one that is running now began; 0 when none is.
 */
u64 mockgpu_hw_ring_running_ns(const struct mockgpu_hw_ring *ring)
{
	u64 since = READ_ONCE(ring->since);

	return since ? ktime_get_ns() - since : 0;
}

/**
 * mockgpu_hw_fault_is_wanted() - does a job still wait for this
 * @fault: the page fault
 *
 * Context: Any.
 * Return: false when the fault is stale.
 */
bool mockgpu_hw_fault_is_wanted(const struct mockgpu_hw_fault *fault)
{
	return atomic_read_acquire(&fault->state) == MOCKGPU_HW_FAULT_RAISED;
}

/**
 * mockgpu_hw_fault_answer() - a page fault was handled
 * @hw: the device
 * @fault: the page fault; stale or not
 * @answer: 0 or -EBUSY to try again, or a negative errno that ends the job
 *
 * Context: Any.
 */
void mockgpu_hw_fault_answer(struct mockgpu_hw *hw,
			     struct mockgpu_hw_fault *fault, int answer)
{
	fault->answer = answer;
	/* The engine does not need it any more, but may have another one. */
	if (atomic_cmpxchg(&fault->state, MOCKGPU_HW_FAULT_RAISED,
			   MOCKGPU_HW_FAULT_ANSWERED) != MOCKGPU_HW_FAULT_RAISED)
		atomic_set_release(&fault->state, MOCKGPU_HW_FAULT_NONE);
	wake_up_all(&hw->engine.wake);
}
