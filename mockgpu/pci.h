/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PCI_H
#define MOCKGPU_PCI_H

struct mockgpu_config;
struct mockgpu_device_config;
struct pci_dev;

int mockgpu_pci_init(const struct mockgpu_config *config);
void mockgpu_pci_exit(void);
void mockgpu_pci_release(struct pci_dev *pdev,
			 const struct mockgpu_device_config *config);

#endif
