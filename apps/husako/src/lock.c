/* SPDX-License-Identifier: MIT */
/* See lock.h. */
#include "lock.h"

#include <errno.h>
#include <stdlib.h>
#include <teptris/teptris.h>

static const char *const SECTIONS[] = { "resources", "charts", "plugins" };
enum { LOCK_MAX = 16 * 1024 * 1024, SECTION_COUNT = 3 };

static hu_lock_entry *new_entry(hu_lock *lock, const char *section, const char *name, size_t len)
{
    lock->entries = hu_realloc(lock->entries, (lock->count + 1) * sizeof *lock->entries);
    hu_lock_entry *entry = &lock->entries[lock->count++];
    *entry = (hu_lock_entry){ .section = hu_strdup(section), .name = hu_strndup(name, len) };
    return entry;
}

static void add_field(hu_lock_entry *entry, const char *key, size_t key_len, const char *value,
                      size_t value_len)
{
    entry->fields = hu_realloc(entry->fields, (entry->count + 1) * sizeof *entry->fields);
    entry->fields[entry->count++] =
        (hu_lock_field){ hu_strndup(key, key_len), hu_strndup(value, value_len) };
}

static bool read_entry(hu_lock *lock, const char *section, teptris_view name,
                       const teptris_node *table)
{
    if (teptris_node_kind(table) != TEPTRIS_TABLE)
        return false;
    hu_lock_entry *entry = new_entry(lock, section, name.ptr, name.len);
    for (size_t i = 0; i < teptris_node_table_length(table); i++) {
        teptris_view key, value;
        const teptris_node *node = teptris_node_table_at(table, i, &key);
        if (teptris_node_string(node, &value) != TEPTRIS_OK)
            return false;
        add_field(entry, key.ptr, key.len, value.ptr, value.len);
    }
    return true;
}

static bool read_root(hu_lock *lock, const teptris_node *root)
{
    int64_t version = 0;
    teptris_view husako;
    const teptris_node *node = teptris_node_table_get(root, "format_version", 14);
    if (!node || teptris_node_integer(node, &version) != TEPTRIS_OK || version != 1)
        return false;
    node = teptris_node_table_get(root, "husako_version", 14);
    if (!node || teptris_node_string(node, &husako) != TEPTRIS_OK)
        return false;
    lock->husako_version = hu_strndup(husako.ptr, husako.len);
    for (size_t s = 0; s < SECTION_COUNT; s++) {
        const teptris_node *table = teptris_node_table_get(root, SECTIONS[s], strlen(SECTIONS[s]));
        if (!table)
            continue;
        if (teptris_node_kind(table) != TEPTRIS_TABLE)
            return false;
        for (size_t i = 0; i < teptris_node_table_length(table); i++) {
            teptris_view name;
            const teptris_node *entry = teptris_node_table_at(table, i, &name);
            if (!read_entry(lock, SECTIONS[s], name, entry))
                return false;
        }
    }
    return true;
}

void hu_lock_parse(hu_lock *lock, const char *text, size_t len)
{
    *lock = (hu_lock){ 0 };
    teptris_document *doc = NULL;
    if (teptris_parse(text, len, NULL, &doc) == TEPTRIS_OK)
        lock->valid = read_root(lock, teptris_document_root(doc));
    teptris_document_free(doc);
    if (!lock->valid)
        hu_lock_free(lock);
}

int hu_lock_load(hu_lock *lock, const char *path)
{
    *lock = (hu_lock){ 0 };
    hu_buf text = { 0 };
    int rc = hu_file_read(path, LOCK_MAX, &text);
    if (rc == 0)
        hu_lock_parse(lock, text.data, text.len);
    hu_buf_free(&text);
    return rc == -ENOENT ? 0 : rc;
}

void hu_lock_free(hu_lock *lock)
{
    for (size_t i = 0; i < lock->count; i++) {
        hu_lock_entry *entry = &lock->entries[i];
        for (size_t k = 0; k < entry->count; k++) {
            free(entry->fields[k].key);
            free(entry->fields[k].value);
        }
        free(entry->fields);
        free(entry->section);
        free(entry->name);
    }
    free(lock->entries);
    free(lock->husako_version);
    *lock = (hu_lock){ 0 };
}

const hu_lock_entry *hu_lock_find(const hu_lock *lock, const char *section, const char *name)
{
    for (size_t i = 0; i < lock->count; i++)
        if (strcmp(lock->entries[i].section, section) == 0 &&
            strcmp(lock->entries[i].name, name) == 0)
            return &lock->entries[i];
    return NULL;
}

const char *hu_lock_value(const hu_lock_entry *entry, const char *key)
{
    for (size_t i = 0; i < entry->count; i++)
        if (strcmp(entry->fields[i].key, key) == 0)
            return entry->fields[i].value;
    return NULL;
}

size_t hu_lock_section_size(const hu_lock *lock, const char *section)
{
    size_t n = 0;
    for (size_t i = 0; i < lock->count; i++)
        n += strcmp(lock->entries[i].section, section) == 0;
    return n;
}

static void add_text(hu_lock_entry *entry, const char *key, const char *value)
{
    add_field(entry, key, strlen(key), value, strlen(value));
}

void hu_lock_add(hu_lock *lock, const char *section, const hu_dep *dep, const char *hash,
                 const char *now)
{
    hu_lock_entry *entry = new_entry(lock, section, dep->name, strlen(dep->name));
    add_text(entry, "source", dep->kind->source);
    for (size_t i = 0; i < HU_DEP_FIELDS_MAX && dep->kind->fields[i]; i++)
        if (dep->values[i])
            add_text(entry, dep->kind->fields[i], dep->values[i]);
    if (hash)
        add_text(entry, "content_hash", hash);
    add_text(entry, "generated_at", now);
}

void hu_lock_copy(hu_lock *lock, const hu_lock_entry *from)
{
    hu_lock_entry *entry = new_entry(lock, from->section, from->name, strlen(from->name));
    for (size_t i = 0; i < from->count; i++)
        add_text(entry, from->fields[i].key, from->fields[i].value);
}

bool hu_lock_matches(const hu_lock_entry *entry, const hu_dep *dep, const char *hash)
{
    const char *source = hu_lock_value(entry, "source");
    if (!source || strcmp(source, dep->kind->source) != 0)
        return false;
    for (size_t i = 0; i < HU_DEP_FIELDS_MAX && dep->kind->fields[i]; i++) {
        const char *locked = hu_lock_value(entry, dep->kind->fields[i]);
        if (!locked != !dep->values[i] || (locked && strcmp(locked, dep->values[i]) != 0))
            return false;
    }
    const char *locked = hu_lock_value(entry, "content_hash");
    return !hash || (hash[0] && locked && strcmp(locked, hash) == 0);
}

static size_t section_rank(const char *section)
{
    size_t rank = 0;
    while (rank < SECTION_COUNT && strcmp(SECTIONS[rank], section) != 0)
        rank++;
    return rank;
}

static int entry_order(const void *a, const void *b)
{
    const hu_lock_entry *x = a, *y = b;
    size_t rx = section_rank(x->section), ry = section_rank(y->section);
    if (rx != ry)
        return rx < ry ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void emit_key(hu_buf *out, const char *key)
{
    static const char bare[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    if (*key && key[strspn(key, bare)] == 0)
        hu_buf_puts(out, key);
    else
        hu_buf_json_string(out, hu_str_of(key)); /* JSON strings are TOML basic strings */
}

void hu_lock_emit(hu_lock *lock, hu_buf *out)
{
    if (lock->count)
        qsort(lock->entries, lock->count, sizeof *lock->entries, entry_order);
    hu_buf_puts(out, "# This file is generated by husako; commit it.\n"
                     "# Do not edit it by hand.\n\n"
                     "format_version = 1\nhusako_version = ");
    hu_buf_json_string(out, hu_str_of(lock->husako_version));
    hu_buf_char(out, '\n');
    for (size_t i = 0; i < lock->count; i++) {
        const hu_lock_entry *entry = &lock->entries[i];
        hu_buf_format(out, "\n[%s.", entry->section);
        emit_key(out, entry->name);
        hu_buf_puts(out, "]\n");
        for (size_t k = 0; k < entry->count; k++) {
            emit_key(out, entry->fields[k].key);
            hu_buf_puts(out, " = ");
            hu_buf_json_string(out, hu_str_of(entry->fields[k].value));
            hu_buf_char(out, '\n');
        }
    }
}
