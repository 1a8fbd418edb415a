/* SPDX-License-Identifier: MIT */
/*
 * All of ksim. <ksim/criterion.h>, which needs Criterion, is included by itself.
 */
#ifndef KSIM_KSIM_H
#define KSIM_KSIM_H

#include <ksim/cpu.h>
#include <ksim/fail.h>
#include <ksim/file.h>
#include <ksim/lab.h>
#include <ksim/machine.h>
#include <ksim/mem.h>
#include <ksim/nr.h>
#include <ksim/path.h>
#include <ksim/process.h>
#include <ksim/signal.h>
#include <ksim/socket.h>
#include <ksim/types.h>

#endif
