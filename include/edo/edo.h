/* SPDX-License-Identifier: MIT */
/* Edo: an asynchronous runtime for C. This header brings in all of libedo; each area has one of its
 * own that stands alone. */
#ifndef EDO_EDO_H
#define EDO_EDO_H

#include <edo/address.h>
#include <edo/barrier.h>
#include <edo/base.h>
#include <edo/blocking.h>
#include <edo/broadcast.h>
#include <edo/chan.h>
#include <edo/cond.h>
#include <edo/delayqueue.h>
#include <edo/frame.h>
#include <edo/fs.h>
#include <edo/hooks.h>
#include <edo/io.h>
#include <edo/metrics.h>
#include <edo/mock.h>
#include <edo/net.h>
#include <edo/once.h>
#include <edo/process.h>
#include <edo/ratelimit.h>
#include <edo/reader.h>
#include <edo/runtime.h>
#include <edo/rwlock.h>
#include <edo/select.h>
#include <edo/signal.h>
#include <edo/socket.h>
#include <edo/stream.h>
#include <edo/sync.h>
#include <edo/task.h>
#include <edo/time.h>
#include <edo/trace.h>
#include <edo/tracker.h>
#include <edo/udp.h>
#include <edo/unix.h>
#include <edo/watch.h>
#include <edo/writer.h>

#endif
