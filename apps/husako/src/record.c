/* SPDX-License-Identifier: MIT */
/* See record.h. */
#include "record.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <yyjson.h>

enum { RECORD_MAX = 16 * 1024 * 1024 };

static char *text_of(yyjson_val *root, const char *key)
{
    const char *s = yyjson_get_str(yyjson_obj_get(root, key));
    return s ? hu_strdup(s) : NULL;
}

void hu_record_add_file(hu_record *record, const char *path, size_t size)
{
    record->sizes = hu_realloc(record->sizes, (record->files.count + 1) * sizeof(size_t));
    record->sizes[record->files.count] = size;
    hu_paths_add(&record->files, hu_strdup(path));
}

static void read_root(hu_record *record, yyjson_val *root)
{
    record->version = text_of(root, "version");
    record->source = text_of(root, "source");
    record->signature = text_of(root, "signature");
    yyjson_obj_iter docs = yyjson_obj_iter_with(yyjson_obj_get(root, "documents"));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&docs));) {
        const char *etag = yyjson_get_str(yyjson_obj_iter_get_val(key));
        hu_paths_add(&record->keys, hu_strdup(yyjson_get_str(key)));
        hu_paths_add(&record->etags, hu_strdup(etag ? etag : ""));
    }
    yyjson_obj_iter files = yyjson_obj_iter_with(yyjson_obj_get(root, "files"));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&files));)
        hu_record_add_file(record, yyjson_get_str(key),
                           (size_t)yyjson_get_uint(yyjson_obj_iter_get_val(key)));
    record->valid = record->version && record->source && record->signature;
}

void hu_record_load(hu_record *record)
{
    *record = (hu_record){ 0 };
    hu_buf text = { 0 };
    int rc = hu_file_read(HU_RECORD_PATH, RECORD_MAX, &text);
    yyjson_doc *doc = rc == 0 ? yyjson_read(text.data, text.len, 0) : NULL;
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        read_root(record, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    hu_buf_free(&text);
    if (!record->valid)
        hu_record_free(record);
}

static void emit_text(hu_buf *out, const char *key, const char *value)
{
    hu_buf_format(out, "  \"%s\": ", key);
    hu_buf_json_string(out, hu_str_of(value));
    hu_buf_puts(out, ",\n");
}

void hu_record_emit(const hu_record *record, hu_buf *out)
{
    hu_buf_puts(out, "{\n");
    emit_text(out, "version", record->version);
    emit_text(out, "source", record->source);
    emit_text(out, "signature", record->signature);
    hu_buf_puts(out, "  \"documents\": {");
    for (size_t i = 0; i < record->keys.count; i++) {
        hu_buf_puts(out, i ? ",\n    " : "\n    ");
        hu_buf_json_string(out, hu_str_of(record->keys.list[i]));
        hu_buf_puts(out, ": ");
        hu_buf_json_string(out, hu_str_of(record->etags.list[i]));
    }
    hu_buf_puts(out, "\n  },\n  \"files\": {");
    for (size_t i = 0; i < record->files.count; i++) {
        hu_buf_puts(out, i ? ",\n    " : "\n    ");
        hu_buf_json_string(out, hu_str_of(record->files.list[i]));
        hu_buf_format(out, ": %zu", record->sizes[i]);
    }
    hu_buf_puts(out, "\n  }\n}\n");
}

void hu_record_free(hu_record *record)
{
    free(record->version);
    free(record->source);
    free(record->signature);
    hu_paths_free(&record->keys);
    hu_paths_free(&record->etags);
    hu_paths_free(&record->files);
    free(record->sizes);
    *record = (hu_record){ 0 };
}

bool hu_record_is_intact(const hu_record *record)
{
    for (size_t i = 0; i < record->files.count; i++) {
        char *path = hu_format("%s/%s", HU_TYPES_K8S, record->files.list[i]);
        struct stat st;
        bool there = stat(path, &st) == 0 && (size_t)st.st_size == record->sizes[i];
        free(path);
        if (!there)
            return false;
    }
    return record->valid && record->files.count > 0;
}
