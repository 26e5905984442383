/* SPDX-License-Identifier: MIT */
/*
 * One OpenAPI document: parsed JSON and the list of its schemas, each with sorted properties.
 *
 * Parsing needs nothing but the bytes, so documents are parsed in parallel as they arrive; model.h
 * puts them together afterwards.
 */
#ifndef HUSAKO_DOC_H
#define HUSAKO_DOC_H

#include "mem.h"

#include <yyjson.h>

typedef struct hu_prop {
    hu_str name;
    yyjson_val *type; /* the property's schema */
    bool required;
} hu_prop;

/* What becomes of a schema in the generated text. */
typedef enum hu_form {
    HU_FORM_ALIAS,    /* no properties: a type alias                    */
    HU_FORM_PLAIN,    /* no properties that are references: interface   */
    HU_FORM_RESOURCE, /* has a group-version-kind: resource builder     */
    HU_FORM_SCHEMA,   /* has properties that are references: builder    */
} hu_form;

typedef struct hu_module hu_module;

typedef struct hu_schema {
    hu_str full; /* io.k8s.api.apps.v1.Deployment                           */
    yyjson_val *json;
    hu_prop *props; /* in byte order of their names                            */
    size_t prop_count;
    bool has_props; /* `properties` present, if empty                          */
    bool has_gvk;
    bool has_ref_prop; /* some property is a reference or an array of references  */
    hu_str group;      /* of the first group-version-kind                         */
    hu_str version;
    hu_str kind;

    /* filled in by the model */
    hu_module *module;
    const char *name; /* its identifier in the module                            */
    hu_form form;
} hu_schema;

typedef struct hu_doc {
    char *key;     /* discovery key: api/v1, apis/apps/v1                     */
    size_t source; /* rank of the source among all sources                    */
    yyjson_doc *json;
    hu_arena arena;
    hu_schema *schemas; /* in byte order of their full names                      */
    size_t schema_count;
} hu_doc;

/* Parses a document. `data` may be freed afterwards. Returns the document, or NULL with a
 * description of what is wrong with the text in *why (to be freed). Release with hu_doc_free(). */
hu_doc *hu_doc_parse(const char *key, const char *data, size_t len, char **why);

/* As a plain function pointer for edo_drop(). NULL is allowed. */
void hu_doc_free(void *doc);

/* The name behind "#/components/schemas/", or an empty string when `ref` is no such reference. */
hu_str hu_ref_target(yyjson_val *ref);

/* The reference of a property type itself ($ref, or the first of its allOf), or an empty string. */
hu_str hu_type_ref(yyjson_val *type);

hu_str hu_json_str(yyjson_val *val);

/* The members of a JSON object in byte order of their keys, in memory of the arena. */
typedef struct hu_member {
    hu_str key;
    yyjson_val *val;
} hu_member;
hu_member *hu_members_sorted(hu_arena *arena, yyjson_val *object, size_t *count);

#endif
