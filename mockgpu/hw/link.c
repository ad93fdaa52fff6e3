// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Links between devices: one uses the VRAM of another.
 *
 * An address on a link names a device and a byte of its VRAM. It may be used
 * from the map call to the unmap call, by the device and in the direction it
 * was mapped for, and is looked up before and after each use.
 *
 * Locks: mockgpu_hw_link_lock is taken in any context, with interrupts off, and
 * only that of a wait queue is taken inside of it. While VRAM is in use over a link, its device is
 * kept in place by &mockgpu_hw_link.users.
 */
#include <linux/interval_tree.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "internal.h"

/* Offsets in VRAM are below this bit of an address, the device is above. */
#define MOCKGPU_HW_LINK_SHIFT	48

struct mockgpu_hw_lease {
	struct interval_tree_node node;
	const struct device *user;
	enum dma_data_direction dir;
};

/* Protects all &struct mockgpu_hw_link and the array. */
static DEFINE_SPINLOCK(mockgpu_hw_link_lock);
static struct mockgpu_hw *mockgpu_hw_ports[MOCKGPU_HW_PORTS];
/* Nobody uses the VRAM of some device any more. */
static DECLARE_WAIT_QUEUE_HEAD(mockgpu_hw_link_idle);

static dma_addr_t mockgpu_hw_link_addr(unsigned int port, u64 offset)
{
	return ((u64)port << MOCKGPU_HW_LINK_SHIFT) | offset;
}

static u64 mockgpu_hw_link_offset(dma_addr_t addr)
{
	return addr & GENMASK_ULL(MOCKGPU_HW_LINK_SHIFT - 1, 0);
}

/* Returns the device an address leads to, or NULL when it is not there. */
static struct mockgpu_hw *mockgpu_hw_link_peer(dma_addr_t addr)
{
	unsigned int port = addr >> MOCKGPU_HW_LINK_SHIFT;

	lockdep_assert_held(&mockgpu_hw_link_lock);

	return port < MOCKGPU_HW_PORTS ? mockgpu_hw_ports[port] : NULL;
}

/**
 * mockgpu_hw_link_attach() - let linked devices reach the VRAM of a device
 * @hw: the device, with VRAM
 * @port: its number, that of no other device
 * @peers: bit n is set for a link to the device with number n
 *
 * Context: Any.
 */
void mockgpu_hw_link_attach(struct mockgpu_hw *hw, unsigned int port,
			    u32 peers)
{
	unsigned long flags;

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	hw->link.windows = RB_ROOT_CACHED;
	hw->link.port = port;
	hw->link.peers = peers;
	mockgpu_hw_ports[port] = hw;
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);
}

/* From now on nobody finds it; false if nobody could before. */
static bool mockgpu_hw_link_hide(struct mockgpu_hw *hw)
{
	struct mockgpu_hw **port = &mockgpu_hw_ports[hw->link.port];
	unsigned long flags;
	bool attached;

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	attached = *port == hw;
	if (attached)
		*port = NULL;
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);

	return attached;
}

static bool mockgpu_hw_link_is_idle(struct mockgpu_hw *hw)
{
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	idle = !hw->link.users;
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);

	return idle;
}

/**
 * mockgpu_hw_link_detach() - undo mockgpu_hw_link_attach()
 * @hw: the device, with nothing mapped; nothing happens if it was not attached
 *
 * When it returns, nobody uses the VRAM of the device over a link any more.
 *
 * Context: Process context, may sleep.
 */
void mockgpu_hw_link_detach(struct mockgpu_hw *hw)
{
	if (!mockgpu_hw_link_hide(hw))
		return;

	wait_event(mockgpu_hw_link_idle, mockgpu_hw_link_is_idle(hw));
	WARN_ON(atomic64_read(&hw->link.live_pages));
}

static bool mockgpu_hw_link_exists(const struct mockgpu_hw *hw,
				   const struct mockgpu_hw *peer)
{
	return hw->link.peers & BIT(peer->link.port);
}

/* Is there a device @user with a link to @hw? */
static bool mockgpu_hw_link_serves(const struct mockgpu_hw *hw,
				   const struct device *user)
{
	const struct mockgpu_hw *peer;
	unsigned long flags;
	bool found = false;
	unsigned int i;

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	for (i = 0; i < MOCKGPU_HW_PORTS && !found; i++) {
		peer = mockgpu_hw_ports[i];
		found = peer && peer->dev == user &&
			mockgpu_hw_link_exists(hw, peer);
	}
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);

	return found;
}

static u64 mockgpu_hw_lease_pages(const struct mockgpu_hw_lease *lease)
{
	return PHYS_PFN(lease->node.last) - PHYS_PFN(lease->node.start) + 1;
}

static struct mockgpu_hw_lease *
mockgpu_hw_lease_new(const struct device *user,
		     const struct mockgpu_hw_window *window)
{
	struct mockgpu_hw_lease *lease = kzalloc(sizeof(*lease), GFP_ATOMIC);

	if (!lease)
		return NULL;

	lease->node.start = window->offset;
	lease->node.last = window->offset + window->size - 1;
	lease->user = user;
	lease->dir = window->dir;
	return lease;
}

/**
 * mockgpu_hw_link_map() - let another device use a piece of VRAM
 * @hw: the device that has the VRAM
 * @user: the device that is to use it
 * @window: the piece
 * @addr: filled: where @user finds it
 *
 * Context: Any.
 * Return: 0, -EXDEV when there is no link between them, -EIO when there is no
 * such VRAM, -ENOMEM.
 */
int mockgpu_hw_link_map(struct mockgpu_hw *hw, const struct device *user,
			const struct mockgpu_hw_window *window,
			dma_addr_t *addr)
{
	struct mockgpu_hw_lease *lease;
	unsigned long flags;

	if (!mockgpu_hw_link_serves(hw, user))
		return -EXDEV;
	if (!window->size ||
	    !mockgpu_hw_vram_has(hw, window->offset, window->size))
		return -EIO;

	lease = mockgpu_hw_lease_new(user, window);
	if (!lease)
		return -ENOMEM;
	atomic64_add(mockgpu_hw_lease_pages(lease), &hw->link.live_pages);

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	interval_tree_insert(&lease->node, &hw->link.windows);
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);

	*addr = mockgpu_hw_link_addr(hw->link.port, window->offset);
	return 0;
}

/* Takes out the lease that is just so, if there is one. */
static struct mockgpu_hw_lease *
mockgpu_hw_link_remove(struct mockgpu_hw_link *link, const struct device *user,
		       u64 first, u64 last, enum dma_data_direction dir)
{
	struct mockgpu_hw_lease *lease, *found = NULL;
	struct interval_tree_node *node;
	unsigned long flags;

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	for (node = interval_tree_iter_first(&link->windows, first, last);
	     node && !found;
	     node = interval_tree_iter_next(node, first, last)) {
		lease = container_of(node, struct mockgpu_hw_lease, node);
		if (node->start == first && node->last == last &&
		    lease->user == user && lease->dir == dir)
			found = lease;
	}
	if (found)
		interval_tree_remove(&found->node, &link->windows);
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);

	return found;
}

/**
 * mockgpu_hw_link_unmap() - undo mockgpu_hw_link_map()
 * @hw: the device that has the VRAM
 * @user: the device that was to use it
 * @addr: what mockgpu_hw_link_map() gave
 * @size: as it was mapped
 * @dir: as it was mapped
 *
 * Context: Any.
 */
void mockgpu_hw_link_unmap(struct mockgpu_hw *hw, const struct device *user,
			   dma_addr_t addr, u64 size,
			   enum dma_data_direction dir)
{
	u64 first = addr - mockgpu_hw_link_addr(hw->link.port, 0);
	struct mockgpu_hw_lease *lease;

	lease = mockgpu_hw_link_remove(&hw->link, user, first,
				       first + size - 1, dir);
	if (!lease) {
		mockgpu_hw_error(hw, MOCKGPU_HW_LINK_BAD_UNMAP,
				 "unmap of link address %pad, %llu bytes, direction %d for %s",
				 &addr, size, dir, dev_name(user));
		return;
	}

	atomic64_sub(mockgpu_hw_lease_pages(lease), &hw->link.live_pages);
	kfree(lease);
}

/* May @hw use @target, which is VRAM of @peer? */
static bool mockgpu_hw_link_allows(const struct mockgpu_hw *hw,
				   struct mockgpu_hw *peer,
				   const struct mockgpu_hw_target *target)
{
	u64 first = mockgpu_hw_link_offset(target->at.addr);
	u64 last = first + target->size - 1;
	struct interval_tree_node *node;
	struct mockgpu_hw_lease *lease;
	bool found = false;

	lockdep_assert_held(&mockgpu_hw_link_lock);

	for (node = interval_tree_iter_first(&peer->link.windows, first, last);
	     node && !found;
	     node = interval_tree_iter_next(node, first, last)) {
		lease = container_of(node, struct mockgpu_hw_lease, node);
		found = node->start <= first && node->last >= last &&
			lease->user == hw->dev &&
			mockgpu_hw_allows(lease->dir, target->dir);
	}
	return found;
}

/* Returns the device that has @target, kept in place, or NULL. */
static struct mockgpu_hw *
mockgpu_hw_link_get(const struct mockgpu_hw *hw,
		    const struct mockgpu_hw_target *target)
{
	struct mockgpu_hw *peer;
	unsigned long flags;

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	peer = mockgpu_hw_link_peer(target->at.addr);
	if (peer && mockgpu_hw_link_exists(hw, peer) &&
	    mockgpu_hw_link_allows(hw, peer, target))
		peer->link.users++;
	else
		peer = NULL;
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);

	return peer;
}

/* Lets go of the device; false when @target may not be used any more. */
static bool mockgpu_hw_link_put(const struct mockgpu_hw *hw,
				const struct mockgpu_hw_target *target)
{
	unsigned long flags;
	bool allowed;

	spin_lock_irqsave(&mockgpu_hw_link_lock, flags);
	allowed = mockgpu_hw_link_allows(hw, target->peer, target);
	if (!--target->peer->link.users)
		wake_up_all(&mockgpu_hw_link_idle);
	spin_unlock_irqrestore(&mockgpu_hw_link_lock, flags);

	return allowed;
}

/**
 * mockgpu_hw_link_begin() - the device is about to use an address on a link
 * @hw: the device
 * @target: the address; @memory is filled
 *
 * Context: Any; the device at the other end waits for mockgpu_hw_link_end()
 * before it goes away.
 * Return: 0, or -EIO when the driver did not map it for that.
 */
int mockgpu_hw_link_begin(struct mockgpu_hw *hw,
			  struct mockgpu_hw_target *target)
{
	u64 offset = mockgpu_hw_link_offset(target->at.addr);

	target->peer = mockgpu_hw_link_get(hw, target);
	if (!target->peer) {
		mockgpu_hw_error(hw, target->origin.is_stale ?
				 MOCKGPU_HW_STALE_TRANSLATION :
				 MOCKGPU_HW_LINK_UNMAPPED,
				 "link address %pad, %zu bytes, direction %d is not mapped",
				 &target->at.addr, target->size, target->dir);
		return -EIO;
	}

	target->memory = mockgpu_hw_vram_begin(target->peer, offset,
					       target->size, target->dir);
	if (target->memory) {
		mockgpu_hw_vram_touch(target->peer, offset);
		return 0;
	}

	mockgpu_hw_link_put(hw, target);
	return -EIO;
}

/**
 * mockgpu_hw_link_end() - the device has used an address on a link
 * @hw: the device
 * @target: as from mockgpu_hw_link_begin()
 *
 * Context: Any.
 * Return: 0, or -EIO when the driver unmapped it in the meantime.
 */
int mockgpu_hw_link_end(struct mockgpu_hw *hw,
			struct mockgpu_hw_target *target)
{
	u64 offset = mockgpu_hw_link_offset(target->at.addr);

	mockgpu_hw_vram_end(target->peer, offset, target->size, target->dir);
	if (mockgpu_hw_link_put(hw, target))
		return 0;

	mockgpu_hw_error(hw, MOCKGPU_HW_LINK_TAKEN_AWAY,
			 "link address %pad was unmapped while in use",
			 &target->at.addr);
	return -EIO;
}
