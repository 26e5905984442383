/* SPDX-License-Identifier: MIT */
/* How soon the kernel runs a thread that wakes while every processor is busy. */
#ifndef EDO_ARCH_SLICE_H
#define EDO_ARCH_SLICE_H

/* Asks for short time slices for the calling thread and the threads it starts, at its ordinary
 * priority: it gets no more processor time than before, but sooner. Linux 6.12; earlier kernels
 * accept it and do nothing. sched_setattr(2), needs no privilege. */
void edo__slice_short(void);

#endif
