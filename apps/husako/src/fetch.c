/* SPDX-License-Identifier: MIT */
/* Fetching of one URL, and what to say when it fails; see gen.h. */
#include "gen.h"

#include <stdlib.h>

static const char *status_hint(int status)
{
    switch (status) {
    case 401:
    case 403: return "give credentials with --token-file or --client-cert";
    case 404: return "check the URL and the version";
    case 429: return "too many requests: wait, or set GITHUB_TOKEN when this is GitHub";
    default:
        return status >= 500 ? "the server is at fault: try again later, or look into its log"
                             : "check the URL";
    }
}

static const char *hint(const edo_http_error *error)
{
    switch (error->code) {
    case EDO_EHTTPSTATUS: return status_hint(error->status);
    case EDO_EHOST: return "check the host name and the network";
    case EDO_ETLS: return "check the certificates, or name the authority with --ca FILE";
    case EDO_EOVERSIZE: return "this is no OpenAPI document of a Kubernetes API; check the URL";
    case EDO_EEOF: return "the answer was cut off: try again";
    case -ETIMEDOUT: return "check that the server is running and try again";
    default: return "check that the server is running and the URL is right";
    }
}

static char *describe(const hu_fetch *fetch, const edo_http_error *error)
{
    if (error->code == -ETIMEDOUT)
        return hu_format("no complete answer within %lld s; %s",
                         (long long)(fetch->timeout / EDO_SEC(1)), hint(error));
    if (error->code == EDO_EOVERSIZE)
        return hu_format("the answer is larger than %d MB; %s", HU_DOCUMENT_MAX >> 20, hint(error));
    if (error->code == EDO_EHTTPSTATUS)
        return hu_format("the server answered with status %d; %s", error->status, hint(error));
    return hu_format("%s; %s", error->text[0] ? error->text : edo_strerror(error->code),
                     hint(error));
}

static bool is_json(const edo_http_response *response, char **why)
{
    const char *type = edo_http_response_header(response, "Content-Type");
    if (!type || strcasestr(type, "json"))
        return true;
    *why = hu_format("the server sent %.60s instead of JSON; check that the URL is that of a "
                     "Kubernetes API server and not of a login page or proxy",
                     type);
    return false;
}

static size_t add_headers(const hu_gen *gen, const hu_fetch *fetch, const char *accept,
                          const char *headers[3])
{
    size_t n = 0;
    headers[n++] = accept;
    if (fetch->header)
        headers[n++] = fetch->header;
    else if (gen->bearer)
        headers[n++] = gen->bearer;
    return n;
}

int hu_fetch_body(hu_gen *gen, hu_fetch *fetch, hu_buf *body, char **why)
{
    const char *headers[3];
    const char *accept = fetch->accept ? fetch->accept : "Accept: application/json";
    edo_http_request request = {
        .url = fetch->url,
        .headers = headers,
        .n_headers = add_headers(gen, fetch, accept, headers),
        .max_body = HU_DOCUMENT_MAX,
        .fail_on_status = true,
    };
    edo_http_response response;
    edo_scope scope;
    edo_scope_open(&scope, fetch->timeout);
    int rc = edo_scope_close(&scope, edo_http_fetch(gen->http, &request, &response));
    fetch->status = response.status;
    if (rc >= 0 && fetch->json && !is_json(&response, why))
        rc = -EINVAL;
    if (rc >= 0 && response.body) {
        *body = (hu_buf){ response.body, response.len, response.len + 1 };
        response.body = NULL;
    } else if (rc < 0 && rc != -ECANCELED && !*why) {
        response.error.code = rc;
        *why = describe(fetch, &response.error);
    }
    edo_http_response_deinit(&response);
    return rc < 0 ? rc : 0;
}

const char *hu_file_hint(int code)
{
    switch (code) {
    case -EACCES:
    case -EPERM: return "check its permissions";
    case -EROFS: return "run in another directory";
    case -ENOSPC:
    case -EDQUOT: return "free some space and run husako gen again; the old files are as they were";
    case -EFBIG:
        return "raise the limit on file sizes and run husako gen again; the old files are as they "
               "were";
    case -ENOENT:
    case -ENOTDIR: return "check the path";
    default: return "check the disk and the permissions, then run husako gen again";
    }
}
