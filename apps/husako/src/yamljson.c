/* SPDX-License-Identifier: MIT */
/*
 * See yamljson.h. libyaml composes each document into a table of nodes; aliases refer to nodes, so
 * a document is a graph that is unfolded here with a stack. The number of values made is bounded,
 * which ends both cycles and the nesting tricks that make a small file huge.
 */
#include "yamljson.h"

#include <stdlib.h>
#include <yaml.h>

enum { VALUES_MAX = 4 * 1000 * 1000, DEPTH_MAX = 512 };

typedef struct step {
    yaml_node_t *node;
    yyjson_mut_val *value;
    size_t at; /* of the node's items or pairs, the next to be copied */
} step;

typedef struct loader {
    yyjson_mut_doc *doc;
    yaml_document_t *yaml;
    step stack[DEPTH_MAX];
    size_t depth;
    size_t made;
} loader;

static bool is_one_of(hu_str s, const char *const *words)
{
    for (; *words; words++)
        if (hu_str_eq(s, hu_str_of(*words)))
            return true;
    return false;
}

/* Numbers are kept as they are written when JSON can say them so. */
static bool is_json_number(hu_str s)
{
    yyjson_doc *doc = NULL;
    bool starts = s.len && (s.data[0] == '-' || (s.data[0] >= '0' && s.data[0] <= '9'));
    if (starts && s.len < 64)
        doc = yyjson_read(s.data, s.len, YYJSON_READ_NUMBER_AS_RAW);
    bool number = doc && yyjson_is_raw(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return number;
}

static yyjson_mut_val *scalar(loader *l, const yaml_node_t *node)
{
    static const char *const null[] = { "", "~", "null", "Null", "NULL", NULL };
    static const char *const yes[] = { "true", "True", "TRUE", NULL };
    static const char *const no[] = { "false", "False", "FALSE", NULL };
    hu_str s = { (const char *)node->data.scalar.value, node->data.scalar.length };
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool typed = node->tag && strcmp((const char *)node->tag, YAML_STR_TAG) != 0;
    if (plain || typed) {
        if (is_one_of(s, null))
            return yyjson_mut_null(l->doc);
        if (is_one_of(s, yes) || is_one_of(s, no))
            return yyjson_mut_bool(l->doc, is_one_of(s, yes));
        if (is_json_number(s))
            return yyjson_mut_rawncpy(l->doc, s.data, s.len);
    }
    return yyjson_mut_strncpy(l->doc, s.data, s.len);
}

/* Makes the value of a node; a container goes on the stack to be filled. NULL: over the limits. */
static yyjson_mut_val *make(loader *l, int id)
{
    yaml_node_t *node = yaml_document_get_node(l->yaml, id);
    if (!node || ++l->made > VALUES_MAX)
        return NULL;
    if (node->type == YAML_SCALAR_NODE)
        return scalar(l, node);
    if (l->depth == DEPTH_MAX)
        return NULL;
    yyjson_mut_val *value =
        node->type == YAML_MAPPING_NODE ? yyjson_mut_obj(l->doc) : yyjson_mut_arr(l->doc);
    l->stack[l->depth++] = (step){ node, value, 0 };
    return value;
}

static bool fill_list(loader *l, step *top)
{
    yaml_node_item_t *items = top->node->data.sequence.items.start;
    if (items + top->at >= top->node->data.sequence.items.top) {
        l->depth--;
        return true;
    }
    yyjson_mut_val *list = top->value;
    yyjson_mut_val *value = make(l, items[top->at++]);
    return value && yyjson_mut_arr_append(list, value);
}

static bool fill_map(loader *l, step *top)
{
    yaml_node_pair_t *pairs = top->node->data.mapping.pairs.start;
    if (pairs + top->at >= top->node->data.mapping.pairs.top) {
        l->depth--;
        return true;
    }
    yyjson_mut_val *map = top->value;
    yaml_node_pair_t pair = pairs[top->at++];
    yaml_node_t *key = yaml_document_get_node(l->yaml, pair.key);
    if (!key || key->type != YAML_SCALAR_NODE)
        return false;
    yyjson_mut_val *name =
        yyjson_mut_strncpy(l->doc, (const char *)key->data.scalar.value, key->data.scalar.length);
    yyjson_mut_val *value = make(l, pair.value);
    return name && value && yyjson_mut_obj_add(map, name, value);
}

static yyjson_mut_val *unfold(loader *l)
{
    yyjson_mut_val *root = make(l, 1);
    while (root && l->depth) {
        step *top = &l->stack[l->depth - 1];
        bool filled = top->node->type == YAML_MAPPING_NODE ? fill_map(l, top) : fill_list(l, top);
        if (!filled)
            root = NULL;
    }
    return root;
}

static char *describe(const yaml_parser_t *parser)
{
    return hu_format("not valid YAML at line %zu, column %zu: %s", parser->problem_mark.line + 1,
                     parser->problem_mark.column + 1,
                     parser->problem ? parser->problem : "cannot be read");
}

/* 1: a document was appended; 0: the stream is at its end; -1: *why is set. */
static int load_one(yaml_parser_t *parser, loader *l, yyjson_mut_val *list, char **why)
{
    yaml_document_t yaml;
    if (!yaml_parser_load(parser, &yaml)) {
        *why = describe(parser);
        return -1;
    }
    int rc = yaml_document_get_root_node(&yaml) ? 1 : 0;
    if (rc) {
        l->yaml = &yaml;
        l->depth = 0;
        size_t line = yaml.start_mark.line + 1;
        yyjson_mut_val *root = unfold(l);
        if (!root || !yyjson_mut_arr_append(list, root)) {
            *why =
                hu_format("YAML document at line %zu: too deep, too large, or with keys that are "
                          "not plain",
                          line);
            rc = -1;
        }
    }
    yaml_document_delete(&yaml);
    return rc;
}

yyjson_mut_val *hu_yaml_load(yyjson_mut_doc *doc, const char *text, size_t len, char **why)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        *why = hu_strdup("out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    loader *l = hu_calloc(1, sizeof *l);
    l->doc = doc;
    yyjson_mut_val *list = yyjson_mut_arr(doc);
    int rc = 1;
    while (rc > 0)
        rc = load_one(&parser, l, list, why);
    free(l);
    yaml_parser_delete(&parser);
    return rc < 0 ? NULL : list;
}
