# SPDX-License-Identifier: GPL-2.0-only OR MIT
# For people and DKMS. What kbuild reads is in Kbuild.

KDIR ?= /lib/modules/$(shell uname -r)/build

NAME := $(shell sed -n 's/^PACKAGE_NAME="\(.*\)"/\1/p' dkms.conf)
VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
DKMS_SOURCE := /usr/src/$(NAME)-$(VERSION)
SOURCES := dkms.conf Kbuild Makefile LICENSES include src mockgpu
# What a build leaves behind is not for DKMS.
PRODUCTS := *.o *.o.d *.ko *.mod *.mod.c .*.cmd features.h

.PHONY: modules install install-tests clean dkms-install dkms-uninstall check demo help features

modules: features
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

# Always run: another KDIR may be asked for than last time.
features:
	@src/compat/probe.sh $(KDIR) src/compat/features.h

install: modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
	depmod $(shell cut -d'"' -f2 $(KDIR)/include/generated/utsrelease.h)

clean:
	$(RM) -r tests/build
	$(MAKE) -C $(KDIR) M=$(CURDIR) clean
	$(RM) src/compat/features.h

# What root builds at each new kernel belongs to root, whoever has this checkout.
dkms-install: dkms-uninstall
	mkdir -p $(DKMS_SOURCE)
	tar -c $(PRODUCTS:%=--exclude='%') $(SOURCES) | \
		tar -x --no-same-owner --no-same-permissions -C $(DKMS_SOURCE)
	dkms install $(NAME)/$(VERSION)

dkms-uninstall:
	if dkms status $(NAME)/$(VERSION) | grep -q .; then dkms remove $(NAME)/$(VERSION) --all; fi
	$(RM) -r $(DKMS_SOURCE)

# As a package would: with DESTDIR, and prefix=/usr.
prefix ?= /usr/local
TESTS_DIR := $(DESTDIR)$(prefix)/libexec/mockgpu-igt-tests

install-tests:
	$(MAKE) -C tests O=$(CURDIR)/tests/build igt
	install -d $(TESTS_DIR) $(DESTDIR)$(prefix)/bin
	install -m 755 tests/build/igt/mockgpu_* tests/build/igt/igt-* $(TESTS_DIR)
	install -m 644 tests/build/igt/*.txt $(TESTS_DIR)
	ln -sf $(prefix)/libexec/mockgpu-igt-tests/igt-run $(DESTDIR)$(prefix)/bin/mockgpu-igt-run

check:
	scripts/check

demo:
	scripts/demo

help:
	@echo 'make                 build both modules for the running kernel'
	@echo 'make modules KDIR=D  build them for the kernel whose headers are in D'
	@echo 'make install         build and install them, without DKMS'
	@echo 'make dkms-install    hand them to DKMS, which rebuilds them for new kernels'
	@echo 'make install-tests   build and install the IGT tests (libigt is needed)'
	@echo 'make dkms-uninstall  take them away from DKMS again'
	@echo 'make demo            see memory move, in a virtual machine (root)'
	@echo 'make check           run the tests, in virtual machines (root)'
	@echo 'make clean           remove what a build left behind'
