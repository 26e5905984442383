/* SPDX-License-Identifier: MIT */
/* See jsonc.h. */
#include "jsonc.h"

#include <stdlib.h>

/* Offset of the next byte that is neither space nor comment. */
static size_t skip_space(const hu_buf *text, size_t at)
{
    const char *s = text->data;
    while (at < text->len) {
        if (s[at] == '/' && at + 1 < text->len && s[at + 1] == '/') {
            const char *end = memchr(s + at, '\n', text->len - at);
            at = end ? (size_t)(end - s) : text->len;
        } else if (s[at] == '/' && at + 1 < text->len && s[at + 1] == '*') {
            const char *end = memmem(s + at + 2, text->len - at - 2, "*/", 2);
            at = end ? (size_t)(end - s) + 2 : text->len;
        } else if (s[at] == ' ' || s[at] == '\t' || s[at] == '\n' || s[at] == '\r') {
            at++;
        } else if (at == 0 && text->len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
            at = 3; /* byte order mark */
        } else {
            break;
        }
    }
    return at;
}

static size_t skip_string(const hu_buf *text, size_t at)
{
    for (at++; at < text->len && text->data[at] != '"'; at++)
        if (text->data[at] == '\\')
            at++;
    return at < text->len ? at + 1 : text->len;
}

static size_t skip_container(const hu_buf *text, size_t at)
{
    size_t depth = 0;
    do {
        char c = text->data[at];
        if (c == '"') {
            at = skip_string(text, at);
        } else {
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
            at++;
        }
        if (depth)
            at = skip_space(text, at);
    } while (depth && at < text->len);
    return at;
}

/* The offset behind a value. */
static size_t skip_value(const hu_buf *text, size_t at)
{
    if (at >= text->len)
        return text->len;
    if (text->data[at] == '"')
        return skip_string(text, at);
    if (text->data[at] == '{' || text->data[at] == '[')
        return skip_container(text, at);
    while (at < text->len && !strchr(",}] \t\r\n/", text->data[at]))
        at++;
    return at;
}

typedef struct member {
    size_t key;
    size_t key_end;
    size_t value;
    size_t value_end;
    size_t comma; /* of the comma behind it; SIZE_MAX: none */
} member;

/* Reads the member at or after `at`; false at the closing brace, whose offset is then in m->key. */
static bool next_member(const hu_buf *text, size_t at, member *m)
{
    m->key = skip_space(text, at);
    if (m->key >= text->len || text->data[m->key] != '"')
        return false;
    m->key_end = skip_string(text, m->key);
    m->value = skip_space(text, skip_space(text, m->key_end) + 1);
    m->value_end = skip_value(text, m->value);
    size_t comma = skip_space(text, m->value_end);
    m->comma = comma < text->len && text->data[comma] == ',' ? comma : SIZE_MAX;
    return true;
}

static size_t member_end(const member *m)
{
    return m->comma == SIZE_MAX ? m->value_end : m->comma + 1;
}

static bool is_key(const hu_buf *text, const member *m, const char *key)
{
    size_t len = strlen(key);
    return m->key_end - m->key == len + 2 && memcmp(text->data + m->key + 1, key, len) == 0;
}

static void splice(hu_jsonc *doc, size_t from, size_t to, const char *text)
{
    hu_buf out = { 0 };
    hu_buf_add(&out, doc->text.data, from);
    hu_buf_puts(&out, text);
    hu_buf_add(&out, doc->text.data + to, doc->text.len - to);
    hu_buf_free(&doc->text);
    doc->text = out;
}

size_t hu_jsonc_root(const hu_jsonc *doc)
{
    return skip_space(&doc->text, 0);
}

size_t hu_jsonc_find(const hu_jsonc *doc, size_t object, const char *key)
{
    size_t at = object + 1;
    for (member m; next_member(&doc->text, at, &m); at = member_end(&m))
        if (is_key(&doc->text, &m, key))
            return m.value;
    return SIZE_MAX;
}

void hu_jsonc_replace(hu_jsonc *doc, size_t value, const char *text)
{
    splice(doc, value, skip_value(&doc->text, value), text);
}

/* ---- layout ---- */

static size_t line_start(const hu_buf *text, size_t at)
{
    while (at && text->data[at - 1] != '\n')
        at--;
    return at;
}

static size_t blank_end(const hu_buf *text, size_t at)
{
    while (at < text->len && (text->data[at] == ' ' || text->data[at] == '\t'))
        at++;
    return at;
}

static char *indent_of(const hu_buf *text, size_t at)
{
    size_t start = line_start(text, at);
    return hu_strndup(text->data + start, blank_end(text, start) - start);
}

/* One level of indentation as the file has it: that of its first indented line. */
static char *indent_unit(const hu_buf *text)
{
    for (size_t at = 0; at < text->len; at++) {
        if (at && text->data[at - 1] != '\n')
            continue;
        size_t end = blank_end(text, at);
        if (end > at && end < text->len && text->data[end] == '"')
            return text->data[at] == '\t' ? hu_strdup("\t") : hu_strndup(text->data + at, end - at);
    }
    return hu_strdup("  ");
}

static const char *newline_of(const hu_buf *text)
{
    return text->data && strstr(text->data, "\r\n") ? "\r\n" : "\n";
}

/* The end of the line, if only a comment is left on it; `at` itself otherwise. */
static size_t after_comment(const hu_buf *text, size_t at)
{
    size_t end = at;
    while (end < text->len && text->data[end] != '\n')
        end++;
    size_t stop = end && text->data[end - 1] == '\r' ? end - 1 : end;
    size_t next = skip_space(text, at);
    return next >= end && stop >= at ? stop : at;
}

static void insert_first(hu_jsonc *doc, size_t object, const char *entry)
{
    const char *newline = newline_of(&doc->text);
    char *outer = indent_of(&doc->text, object);
    char *unit = indent_unit(&doc->text);
    size_t close = skip_space(&doc->text, object + 1);
    bool has_line = memchr(doc->text.data + object, '\n', close - object) != NULL;
    char *text = has_line ? hu_format("%s%s%s%s", newline, outer, unit, entry)
                          : hu_format("%s%s%s%s%s%s", newline, outer, unit, entry, newline, outer);
    bool blank = blank_end(&doc->text, object + 1) == close;
    splice(doc, object + 1, blank ? close : object + 1, text);
    free(text);
    free(unit);
    free(outer);
}

static void insert_after(hu_jsonc *doc, const member *last, const char *entry)
{
    size_t start = line_start(&doc->text, last->key);
    bool own_line = blank_end(&doc->text, start) == last->key;
    size_t at = own_line ? after_comment(&doc->text, member_end(last)) : member_end(last);
    char *indent = indent_of(&doc->text, last->key);
    char *text = own_line ? hu_format("%s%s%s", newline_of(&doc->text), indent, entry)
                          : hu_format(" %s", entry);
    splice(doc, at, at, text);
    if (last->comma == SIZE_MAX)
        splice(doc, last->value_end, last->value_end, ",");
    free(indent);
    free(text);
}

void hu_jsonc_insert(hu_jsonc *doc, size_t object, const char *key, const char *value)
{
    hu_buf entry = { 0 };
    hu_buf_json_string(&entry, hu_str_of(key));
    hu_buf_format(&entry, ": %s", value);
    member last = { 0 };
    bool any = false;
    size_t at = object + 1;
    for (member m; next_member(&doc->text, at, &m); at = member_end(&m)) {
        last = m;
        any = true;
    }
    if (any)
        insert_after(doc, &last, entry.data);
    else
        insert_first(doc, object, entry.data);
    hu_buf_free(&entry);
}

void hu_jsonc_remove(hu_jsonc *doc, size_t object, const char *key)
{
    const hu_buf *text = &doc->text;
    size_t at = object + 1, previous_comma = SIZE_MAX;
    for (member m; next_member(text, at, &m); at = member_end(&m)) {
        if (!is_key(text, &m, key)) {
            previous_comma = m.comma;
            continue;
        }
        size_t from = m.key, to = member_end(&m);
        size_t start = line_start(text, from), rest = blank_end(text, to);
        if (rest < text->len && text->data[rest] == '\r')
            rest++;
        bool alone = blank_end(text, start) == from && rest < text->len && text->data[rest] == '\n';
        splice(doc, alone ? start : from, alone ? rest + 1 : to, "");
        if (m.comma == SIZE_MAX && previous_comma != SIZE_MAX)
            splice(doc, previous_comma, previous_comma + 1, "");
        return;
    }
}
