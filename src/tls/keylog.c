/* SPDX-License-Identifier: MIT */
/* The secrets of connections, for Wireshark: only when the options ask for it, and only where the
 * operator has said where to by $SSLKEYLOGFILE. One line, one write: several processes may share the
 * file. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>

static void keylog(const SSL *ssl, const char *line)
{
    (void)ssl;
    const char *path = getenv("SSLKEYLOGFILE");
    if (path == NULL || path[0] == '\0')
        return;
    FILE *f = fopen(path, "ae");
    if (f == NULL)
        return;
    fprintf(f, "%s\n", line); /* buffered: goes out as a whole when it is closed */
    fclose(f);
}

void edo__tls_set_keylog(SSL_CTX *ctx)
{
    SSL_CTX_set_keylog_callback(ctx, keylog);
}
