/* SPDX-License-Identifier: MIT */
/* Model and text of the generated modules, over small documents written here. */
#include "emit.h"
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <test.h>

#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define META "io.k8s.apimachinery.pkg.apis.meta.v1."
#define GVK(g, v, k)                                                                               \
    "\"x-kubernetes-group-version-kind\":[{\"group\":\"" g "\",\"kind\":\"" k                      \
    "\",\"version\":\"" v "\"}]"

static hu_doc *doc_of(const char *key, const char *schemas)
{
    char *text = hu_format("{\"components\":{\"schemas\":{%s}}}", schemas);
    char *why = NULL;
    hu_doc *doc = hu_doc_parse(key, text, strlen(text), &why);
    if (!doc)
        FAIL("%s: %s", text, why);
    free(text);
    return doc;
}

static hu_doc *kept; /* what the model of a test points into */

static hu_model *model_of(const char *schemas)
{
    kept = doc_of("apis/x/v1", schemas);
    return hu_model_build(&kept, 1);
}

static void model_done(hu_model *model)
{
    hu_model_free(model);
    hu_doc_free(kept);
}

static const hu_module *module_of(const hu_model *model, const char *path)
{
    const hu_module *module = hu_map_get(&model->by_path, hu_str_of(path));
    if (!module)
        FAIL("no module %s", path);
    return module;
}

static char *dts_of(const hu_model *model, const char *path)
{
    hu_buf out = { 0 };
    hu_emit_dts(model, module_of(model, path), &out);
    return out.data;
}

static char *js_of(const hu_model *model, const char *path)
{
    hu_buf out = { 0 };
    hu_emit_js(model, module_of(model, path), &out);
    return out.data;
}

#define CHECK_HAS(text, part)                                                                      \
    do {                                                                                           \
        if (!strstr((text), (part)))                                                               \
            FAIL("\"%s\" is not in:\n%s", (part), (text));                                         \
    } while (0)
#define CHECK_LACKS(text, part)                                                                    \
    do {                                                                                           \
        if (strstr((text), (part)))                                                                \
            FAIL("\"%s\" is in:\n%s", (part), (text));                                             \
    } while (0)

TEST(json_errors_have_a_position)
{
    char *why = NULL;
    static const char text[] = "{\n  \"components\": {";
    CHECK(!hu_doc_parse("api/v1", text, sizeof text - 1, &why));
    CHECK_HAS(why, "line 2");
    free(why);
    why = NULL;
    CHECK(!hu_doc_parse("api/v1", "[1]", 3, &why));
    CHECK_HAS(why, "not an OpenAPI document");
    free(why);
}

TEST(homes_of_schemas)
{
    hu_model *model = model_of(
        "\"" META "Time\":{\"type\":\"string\"},"
        "\"io.k8s.api.apps.v1.Deployment\":{" GVK(
            "apps", "v1",
            "Deployment") "},"
                          "\"io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService\":{" GVK(
                              "apiregistration.k8s.io", "v1",
                              "APIService") "},"
                                            "\"io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."
                                            "ServiceReference\":{\"properties\":{}},"
                                            "\"io.cert-manager.v1.IssuerSpec\":{\"properties\":{}},"
                                            "\"nowhere\":{\"properties\":{}}");
    CHECK_UINT(module_of(model, "_common")->count, ==, 2);
    CHECK_UINT(module_of(model, "apps/v1")->count, ==, 1);
    CHECK_UINT(module_of(model, "apiregistration.k8s.io/v1")->count, ==, 2);
    CHECK_UINT(module_of(model, "cert-manager.io/v1")->count, ==, 1);
    CHECK_UINT(hu_model_group_versions(model), ==, 3);
    model_done(model);
}

TEST(groups_cannot_leave_the_directory)
{
    hu_model *model = model_of(
        "\"a.b.C\":{" GVK("../../etc", "v1", "C") "},"
                                                  "\"a.c.D\":{" GVK("..", "../x", "D") "}");
    for (size_t i = 0; i < model->module_count; i++) {
        const char *path = model->modules[i]->path;
        CHECK_LACKS(path, "/.");
        CHECK(path[0] != '/' && path[0] != '.');
        CHECK(!strchr(path, '/') || strchr(path, '/') == strrchr(path, '/'));
    }
    model_done(model);
}

TEST(both_names_of_a_group)
{
    hu_model *model = model_of(
        "\"io.k8s.api.networking.v1.Ingress\":{" GVK("networking.k8s.io", "v1", "Ingress") "}");
    char *dts = dts_of(model, "networking.k8s.io/v1"), *js = js_of(model, "networking.k8s.io/v1");
    CHECK_HAS(dts, "export * from \"k8s/networking/v1\";");
    CHECK_HAS(js, "export * from \"k8s/networking/v1\";");
    CHECK(hu_module_has_js(module_of(model, "networking.k8s.io/v1")));
    free(dts);
    free(js);
    model_done(model);
}

TEST(types)
{
    hu_model *model = model_of(
        "\"io.k8s.api.x.v1.T\":{\"required\":[\"a\",\"zz\"],\"properties\":{"
        "\"a\":{\"type\":\"integer\"},"
        "\"b\":{\"type\":\"array\",\"items\":{\"x-kubernetes-int-or-string\":true}},"
        "\"c\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\",\"items\":"
        "{\"type\":\"boolean\"}}},"
        "\"d\":{\"type\":\"object\",\"properties\":{\"q\":{}}},"
        "\"e\":{\"type\":\"object\"},"
        "\"f\":{\"type\":\"array\"},"
        "\"g\":{},"
        "\"x-y\":{\"type\":\"number\"}}}");
    char *dts = dts_of(model, "x/v1");
    CHECK_HAS(dts, "export interface T {\n"
                   "  a: number;\n"
                   "  b?: (number | string)[];\n"
                   "  c?: Record<string, boolean[]>;\n"
                   "  d?: any;\n"
                   "  e?: Record<string, any>;\n"
                   "  f?: any[];\n"
                   "  g?: any;\n"
                   "  \"x-y\"?: number;\n"
                   "}\n");
    CHECK(!hu_module_has_js(module_of(model, "x/v1")));
    free(dts);
    model_done(model);
}

TEST(nesting_has_no_limit_that_crashes)
{
    hu_buf schema = { 0 };
    hu_buf_puts(&schema, "\"io.k8s.api.x.v1.T\":{\"properties\":{\"a\":");
    for (int i = 0; i < 20000; i++)
        hu_buf_puts(&schema, "{\"type\":\"array\",\"items\":");
    hu_buf_puts(&schema, "{}");
    for (int i = 0; i < 20000; i++)
        hu_buf_char(&schema, '}');
    hu_buf_puts(&schema, "}}");
    hu_model *model = model_of(schema.data);
    char *dts = dts_of(model, "x/v1");
    CHECK_HAS(dts, "any[][][]");
    hu_buf store = { 0 };
    hu_emit_schema_json(model->schemas[0], &store);
    CHECK_UINT(store.len, >, 20000);
    hu_buf_free(&store);
    hu_buf_free(&schema);
    free(dts);
    model_done(model);
}

TEST(scalars_are_aliases)
{
    hu_model *model = model_of(
        "\"io.k8s.apimachinery.pkg.api.resource.Quantity\":{\"oneOf\":[{\"type\":\"string\"},"
        "{\"type\":\"number\"}]},"
        "\"io.k8s.apimachinery.pkg.util.intstr.IntOrString\":{\"format\":\"int-or-string\"},"
        "\"" META "Time\":{\"type\":\"string\"},"
        "\"" META "Fields\":{\"type\":\"object\"},"
        "\"" META "Loop\":" REF(META "Loop"));
    char *dts = dts_of(model, "_common");
    CHECK_HAS(dts, "export type Quantity = number | string;");
    CHECK_HAS(dts, "export type IntOrString = number | string;");
    CHECK_HAS(dts, "export type Time = string;");
    CHECK_HAS(dts, "export type Fields = Record<string, any>;");
    CHECK_HAS(dts, "export type Loop = any;");
    free(dts);
    model_done(model);
}

TEST(comments_cannot_be_left)
{
    hu_model *model = model_of("\"io.k8s.api.x.v1.T\":{\"description\":\"a */ b **/\\n\\nc*\\n/d\","
                               "\"properties\":{}}");
    char *dts = dts_of(model, "x/v1");
    CHECK_HAS(dts, "/**\n * a *\\/ b **\\/\n *\n * c*\n * /d\n */\nexport interface T");
    free(dts);
    model_done(model);
}

#define DEPLOYMENT                                                                                 \
    "\"io.k8s.api.apps.v1.Deployment\":{\"properties\":{\"apiVersion\":{},\"kind\":{},"            \
    "\"metadata\":{},\"spec\":" REF(                                                               \
        "io.k8s.api.apps.v1.DeploymentSpec") ",\"status\":{},"                                     \
                                             "\"other\":{\"type\":\"string\"}}," GVK(              \
                                                 "apps", "v1",                                     \
                                                 "Deployment") "},"                                \
                                                               "\"io.k8s.api.apps.v1."             \
                                                               "DeploymentSpec\":{\"properties\":" \
                                                               "{\"replicas\":{\"type\":"          \
                                                               "\"integer\"},"                     \
                                                               "\"template\":{\"allOf\":[" REF(    \
                                                                   "io.k8s.api.core.v1."           \
                                                                   "PodTemplateSpec") "]}}}"

TEST(resource_builders)
{
    hu_model *model =
        model_of(DEPLOYMENT ",\"io.k8s.api.core.v1.PodTemplateSpec\":{\"properties\":{}}");
    char *dts = dts_of(model, "apps/v1"), *js = js_of(model, "apps/v1");
    CHECK_HAS(dts, "import { _ResourceBuilder, _SchemaBuilder } from \"husako/_base\";\n\n"
                   "import { PodTemplateSpec } from \"k8s/core/v1\";\n\n");
    CHECK_HAS(dts, "  spec(value: DeploymentSpec): this;\n"
                   "  replicas(value: number): this;\n"
                   "  template(value: PodTemplateSpec): this;\n"
                   "  containers(value: any[]): this;\n"
                   "  initContainers(value: any[]): this;\n"
                   "  other(value: string): this;\n"
                   "}\nexport function Deployment(): Deployment;\n");
    CHECK_HAS(js, "class _Deployment extends _ResourceBuilder {\n"
                  "  constructor() { super(\"apps/v1\", \"Deployment\"); }\n"
                  "  replicas(v) { return this._setSpec(\"replicas\", v); }\n"
                  "  template(v) { return this._setSpec(\"template\", v); }\n"
                  "  containers(v) { return this._setDeep(\"template.spec.containers\", v); }\n");
    CHECK_HAS(js, "  other(v) { return this.set(\"other\", v); }\n}\n"
                  "export function Deployment() { return new _Deployment(); }\n");
    CHECK_HAS(js, "class _DeploymentSpec extends _SchemaBuilder {\n"
                  "  replicas(v) { return this._set(\"replicas\", v); }\n");
    free(dts);
    free(js);
    model_done(model);
}

TEST(what_is_missing_becomes_any)
{
    hu_model *model = model_of(DEPLOYMENT);
    char *dts = dts_of(model, "apps/v1");
    CHECK_HAS(dts, "type PodTemplateSpec = any;\n");
    CHECK_LACKS(dts, "k8s/core/v1");
    free(dts);
    model_done(model);
}

TEST(equal_names_of_two_modules)
{
    hu_model *model = model_of("\"io.k8s.api.a.v1.Thing\":{\"properties\":{\"x\":" REF(
        "io.k8s.api.b.v1.Thing") "}},"
                                 "\"io.k8s.api.b.v1.Thing\":{\"properties\":{}}");
    char *dts = dts_of(model, "a/v1");
    CHECK_HAS(dts, "import { Thing as b_v1_Thing } from \"k8s/b/v1\";");
    CHECK_HAS(dts, "x(value: b_v1_Thing): this;");
    free(dts);
    model_done(model);
}

TEST(equal_names_in_one_module)
{
    hu_model *model = model_of("\"io.k8s.apimachinery.pkg.version.Info\":{\"properties\":{}},"
                               "\"io.k8s.apimachinery.pkg.other.Info\":{\"properties\":{}},"
                               "\"io.k8s.apimachinery.pkg.class\":{\"properties\":{}}");
    char *dts = dts_of(model, "_common");
    CHECK_HAS(dts, "export interface Info {");
    CHECK_HAS(dts, "export interface VersionInfo {");
    CHECK_HAS(dts, "export interface class_ {");
    free(dts);
    model_done(model);
}

TEST(base_class_stays_compatible)
{
    hu_model *model = model_of("\"io.k8s.api.core.v1.Claim\":{\"properties\":{\"spec\":" REF(
        "io.k8s.api.core.v1."
        "S") "}," GVK("", "v1",
                      "Claim") "},"
                               "\"io.k8s.api.core.v1.S\":{\"properties\":{\"resources\":" REF(
                                   "io.k8s.api.core.v1.R") ",\"set\":{\"type\":\"array\"},"
                                                           "\"constructor\":{"
                                                           "\"type\":\"string\"}}},"
                                                           "\"io.k8s.api.core.v1.R\":{"
                                                           "\"properties\":{}}");
    char *dts = dts_of(model, "core/v1"), *js = js_of(model, "core/v1");
    CHECK_HAS(dts, "resources(value: R | import(\"husako\").ResourceRequirementsFragment): this;");
    CHECK_HAS(dts, "set_(value: any[]): this;");
    CHECK_HAS(js, "constructor_(v) { return this._setSpec(\"constructor\", v); }");
    CHECK_HAS(js, "super(\"v1\", \"Claim\")");
    free(dts);
    free(js);
    model_done(model);
}

TEST(keys_cannot_leave_their_string)
{
    hu_model *model = model_of(
        "\"io.k8s.api.x.v1.T\":{\"properties\":{\"a\\\"b\\n\":" REF("io.k8s.api.x.v1.T") "}}");
    char *js = js_of(model, "x/v1");
    CHECK_HAS(js, "a_b_(v) { return this._set(\"a\\\"b\\n\", v); }");
    free(js);
    model_done(model);
}

TEST(schema_store)
{
    hu_model *model = model_of(
        "\"io.k8s.apimachinery.pkg.api.resource.Quantity\":{\"oneOf\":[],\"description\":\"d\"},"
        "\"io.k8s.api.apps.v1.D\":{\"properties\":{\"b\":{\"default\":1.50,\"type\":\"number\"},"
        "\"a\":" REF("io.k8s.apimachinery.pkg.api.resource.Quantity") "}," GVK("apps", "v1",
                                                                               "D") "}");
    hu_generation *gen = hu_generation_create(model);
    for (size_t i = 0; i < model->module_count; i++)
        hu_generation_part(gen, i);
    hu_generation_finish(gen);
    static const char want[] =
        "{\n"
        "  \"gvk_index\": {\n"
        "    \"apps/v1:D\": \"io.k8s.api.apps.v1.D\"\n"
        "  },\n"
        "  \"schemas\": {\n"
        "    \"io.k8s.api.apps.v1.D\": {\n"
        "      \"properties\": {\n"
        "        \"a\": {\n"
        "          \"$ref\": \"io.k8s.apimachinery.pkg.api.resource.Quantity\"\n"
        "        },\n"
        "        \"b\": {\n"
        "          \"default\": 1.50,\n"
        "          \"type\": \"number\"\n"
        "        }\n"
        "      },\n"
        "      \"x-kubernetes-group-version-kind\": [\n"
        "        {\n"
        "          \"group\": \"apps\",\n"
        "          \"kind\": \"D\",\n"
        "          \"version\": \"v1\"\n"
        "        }\n"
        "      ]\n"
        "    },\n"
        "    \"io.k8s.apimachinery.pkg.api.resource.Quantity\": {\n"
        "      \"description\": \"d\",\n"
        "      \"format\": \"quantity\",\n"
        "      \"oneOf\": []\n"
        "    }\n"
        "  },\n"
        "  \"version\": 2\n"
        "}\n";
    CHECK_STR(gen->schema.text.data, want);
    hu_generation_free(gen);
    model_done(model);
}

/* The same documents in any order give the same bytes; a later source wins over an earlier one, and
 * within a source the schema that has a group-version-kind. */
TEST(merging)
{
    const char *a = "\"io.k8s.api.x.v1.T\":{\"properties\":{\"a\":{}}}";
    const char *b = "\"io.k8s.api.x.v1.T\":{\"properties\":{\"b\":{}}," GVK("x", "v1", "T") "}";
    const char *c = "\"io.k8s.api.x.v1.T\":{\"properties\":{\"c\":{}}}";
    for (int turn = 0; turn < 3; turn++) {
        hu_doc *docs[3] = { doc_of("apis/x/v1", a), doc_of("apis/x/v2", b),
                            doc_of("apis/x/v1", c) };
        docs[2]->source = 1;
        hu_doc *order[3] = { docs[turn], docs[(turn + 1) % 3], docs[(turn + 2) % 3] };
        hu_model *model = hu_model_build(order, 2 + (turn != 2));
        if (turn == 2) { /* c and a: without b there is no resource */
            CHECK_STR(model->schemas[0]->props[0].name.data, "c");
        } else {
            CHECK_STR(model->schemas[0]->props[0].name.data, turn == 0 || turn == 1 ? "c" : "b");
        }
        CHECK_UINT(model->count, ==, 1);
        hu_model_free(model);
        for (int i = 0; i < 3; i++)
            hu_doc_free(docs[i]);
    }
    hu_doc *pair[2] = { doc_of("apis/x/v2", b), doc_of("apis/x/v1", a) };
    hu_model *model = hu_model_build(pair, 2);
    CHECK_STR(model->schemas[0]->props[0].name.data, "b");
    CHECK_INT(model->schemas[0]->form, ==, HU_FORM_RESOURCE);
    hu_model_free(model);
    hu_doc_free(pair[0]);
    hu_doc_free(pair[1]);
}

TEST(empty)
{
    hu_model *model = model_of("");
    char *dts = dts_of(model, "_common");
    CHECK_HAS(dts, "export {};");
    CHECK_UINT(model->count, ==, 0);
    free(dts);
    model_done(model);
}

TEST_MAIN()
