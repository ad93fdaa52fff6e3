// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Files of the kernel's own, in sysfs: for what it tells and does for administrators
 * and has no function for that a module could call.
 */
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/string.h>

#include "text.h"

/**
 * mockgpu_text_read() - read the beginning of a file
 * @path: where it is
 * @text: what was read, with a zero behind it
 * @size: of @text, in bytes, more than 0
 *
 * Context: may sleep.
 *
 * Return: 0, or what opening and reading the file answer.
 */
int mockgpu_text_read(const char *path, char *text, size_t size)
{
	struct file *file = filp_open(path, O_RDONLY, 0);
	loff_t pos = 0;
	ssize_t len;

	if (IS_ERR(file))
		return PTR_ERR(file);

	len = kernel_read(file, text, size - 1, &pos);
	filp_close(file, NULL);
	if (len < 0)
		return len;

	text[len] = '\0';
	return 0;
}

/**
 * mockgpu_text_write() - write to a file, at once
 * @path: where it is
 * @text: what to write, without the zero behind it
 *
 * Context: may sleep; holds no lock that whoever the file belongs to may want.
 *
 * Return: 0, or what opening and writing the file answer.
 */
int mockgpu_text_write(const char *path, const char *text)
{
	struct file *file = filp_open(path, O_WRONLY, 0);
	loff_t pos = 0;
	ssize_t len;

	if (IS_ERR(file))
		return PTR_ERR(file);

	len = kernel_write(file, text, strlen(text), &pos);
	filp_close(file, NULL);
	return len < 0 ? len : 0;
}
