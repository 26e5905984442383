/* SPDX-License-Identifier: MIT */
/* Identifiers of TypeScript made from names of schemas and properties. */
#include "model.h"

/* Words that cannot name a function or a type, and names the generated text itself relies on. */
static const char *const RESERVED[] = {
    "Record",    "any",        "arguments", "as",     "async",      "await",     "bigint",
    "boolean",   "break",      "case",      "catch",  "class",      "const",     "continue",
    "debugger",  "declare",    "default",   "delete", "do",         "else",      "enum",
    "eval",      "export",     "extends",   "false",  "finally",    "for",       "function",
    "if",        "implements", "import",    "in",     "instanceof", "interface", "let",
    "never",     "new",        "null",      "number", "object",     "package",   "private",
    "protected", "public",     "return",    "static", "string",     "super",     "switch",
    "symbol",    "this",       "throw",     "true",   "try",        "type",      "typeof",
    "undefined", "unknown",    "var",       "void",   "while",      "with",      "yield",
};

static bool is_reserved(const char *name)
{
    for (size_t i = 0; i < sizeof RESERVED / sizeof *RESERVED; i++)
        if (strcmp(name, RESERVED[i]) == 0)
            return true;
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_part(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

bool hu_is_identifier(hu_str name)
{
    if (!name.len || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++)
        if (!is_part(name.data[i]))
            return false;
    return true;
}

char *hu_identifier(hu_arena *arena, hu_str name)
{
    /* A leading underscore is kept for the classes behind the factories, a digit cannot be
     * first. */
    bool prefix = !name.len || !is_letter(name.data[0]) || name.data[0] == '_';
    char *id = hu_arena_format(arena, "%s%.*s", prefix ? "X" : "", (int)name.len, name.data);
    for (size_t i = 0; id[i]; i++)
        if (!is_part(id[i]))
            id[i] = '_';
    return is_reserved(id) ? hu_arena_format(arena, "%s_", id) : id;
}
