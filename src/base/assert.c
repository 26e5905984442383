/* SPDX-License-Identifier: MIT */
/* What happens when an assertion does not hold: say which and where, then abort. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void edo__assert_failed(const char *what, const char *where)
{
    fprintf(stderr, "edo: %s: assertion failed: %s\n", where, what);
    abort();
}
