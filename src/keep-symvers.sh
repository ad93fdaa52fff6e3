#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# keep-symvers.sh DIR: run by DKMS after a build, where the modules were built. A
# driver that is built against this one needs its Module.symvers; before 3.1.3 DKMS
# does not keep it in DIR, beside the modules.

[ ! -d "$1" ] || cp Module.symvers "$1/"
