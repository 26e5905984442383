/* SPDX-License-Identifier: MIT */
/* Conversion of CustomResourceDefinitions. */
#include "crd.h"
#include "emit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <test.h>

#define CRD_HEAD(group, kind, version)                                                             \
    "apiVersion: apiextensions.k8s.io/v1\n"                                                        \
    "kind: CustomResourceDefinition\n"                                                             \
    "spec:\n"                                                                                      \
    "  group: " group "\n"                                                                         \
    "  names: {kind: " kind ", plural: x}\n"                                                       \
    "  versions:\n"                                                                                \
    "  - name: " version "\n"                                                                      \
    "    schema:\n"                                                                                \
    "      openAPIV3Schema:\n"                                                                     \
    "        type: object\n"                                                                       \
    "        properties:\n"

static hu_crd_docs convert(const char *yaml)
{
    hu_crd_docs docs;
    char *why = NULL;
    if (hu_crd_convert(yaml, strlen(yaml), &docs, &why) < 0)
        FAIL("%s", why);
    return docs;
}

static void refuse(const char *yaml, const char *want)
{
    hu_crd_docs docs;
    char *why = NULL;
    CHECK_INT(hu_crd_convert(yaml, strlen(yaml), &docs, &why), ==, -EINVAL);
    if (!strstr(why, want))
        FAIL("have \"%s\", expected \"%s\"", why, want);
    free(why);
    hu_crd_docs_free(&docs);
}

static char *dts_of(const hu_crd_docs *docs, const char *path)
{
    hu_doc *list[8];
    for (size_t i = 0; i < docs->count; i++) {
        char *why = NULL;
        list[i] = hu_doc_parse(docs->list[i].key, docs->list[i].json, docs->list[i].len, &why);
        CHECK(list[i]);
    }
    hu_model *model = hu_model_build(list, docs->count);
    const hu_module *module = hu_map_get(&model->by_path, hu_str_of(path));
    CHECK(module);
    hu_buf out = { 0 };
    hu_emit_dts(model, module, &out);
    hu_model_free(model);
    for (size_t i = 0; i < docs->count; i++)
        hu_doc_free(list[i]);
    return out.data;
}

#define CHECK_HAS(text, part)                                                                      \
    do {                                                                                           \
        if (!strstr((text), (part)))                                                               \
            FAIL("\"%s\" is not in:\n%s", (part), (text));                                         \
    } while (0)

static const char ISSUER[] = "# something else first\nkind: Namespace\n---\n" CRD_HEAD(
    "cert-manager.io", "Issuer",
    "v1") "          spec:\n"
          "            type: object\n"
          "            description: \"What: */ is wanted\"\n"
          "            required: [acme]\n"
          "            properties:\n"
          "              acme:\n"
          "                type: object\n"
          "                properties:\n"
          "                  private_key-ref: {type: object, properties: {name: {type: string}}}\n"
          "              solvers:\n"
          "                type: array\n"
          "                items: {type: object, properties: {n: {type: integer, minimum: 1.50}}}\n"
          "              port: {x-kubernetes-int-or-string: true}\n";

TEST(nested_objects_become_schemas)
{
    hu_crd_docs docs = convert(ISSUER);
    CHECK_UINT(docs.count, ==, 1);
    CHECK_STR(docs.list[0].key, "apis/cert-manager.io/v1");
    CHECK_HAS(docs.list[0].json, "\"io.cert-manager.v1.IssuerSpecAcmePrivateKeyRef\":{");
    CHECK_HAS(docs.list[0].json, "\"io.cert-manager.v1.IssuerSpecSolvers\":{");
    CHECK_HAS(docs.list[0].json, "\"minimum\":1.50");
    CHECK_HAS(docs.list[0].json,
              "\"x-kubernetes-group-version-kind\":[{\"group\":\"cert-manager.io\","
              "\"kind\":\"Issuer\",\"version\":\"v1\"}]");
    CHECK_HAS(docs.list[0].json, "\"metadata\":{\"$ref\":\"#/components/schemas/"
                                 "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta\"}");
    char *dts = dts_of(&docs, "cert-manager.io/v1");
    CHECK_HAS(dts, "export interface Issuer extends _ResourceBuilder {\n");
    CHECK_HAS(dts, "  spec(value: IssuerSpec): this;\n"
                   "  acme(value: IssuerSpecAcme): this;\n"
                   "  port(value: number | string): this;\n"
                   "  solvers(value: IssuerSpecSolvers[]): this;\n");
    CHECK_HAS(dts, "/** What: *\\/ is wanted */");
    free(dts);
    hu_crd_docs_free(&docs);
}

/* a.bC and aB.c would both be called KABC (FIX-36). */
TEST(lifted_names_are_unique)
{
    hu_crd_docs docs = convert(CRD_HEAD(
        "x.dev", "K", "v1") "          a:\n"
                            "            type: object\n"
                            "            properties:\n"
                            "              bC: {type: object, properties: {one: {}}}\n"
                            "          aB:\n"
                            "            type: object\n"
                            "            properties:\n"
                            "              c: {type: object, properties: {two: {}}}\n"
                            "---\n" CRD_HEAD("x.dev", "KA", "v1") "          z: {type: string}\n");
    char *dts = dts_of(&docs, "x.dev/v1");
    CHECK_HAS(dts, "one?: any;");
    CHECK_HAS(dts, "two?: any;");
    CHECK_HAS(dts, "export interface KA extends _ResourceBuilder");
    CHECK_HAS(dts, "KA2");
    free(dts);
    hu_crd_docs_free(&docs);
}

TEST(versions_and_lists)
{
    hu_crd_docs docs = convert("kind: List\nitems:\n"
                               "- apiVersion: apiextensions.k8s.io/v1\n"
                               "  kind: CustomResourceDefinition\n"
                               "  spec:\n"
                               "    group: x.dev\n"
                               "    names: {kind: K}\n"
                               "    versions:\n"
                               "    - {name: v2, schema: {openAPIV3Schema: {type: object}}}\n"
                               "    - {name: v1, schema: {openAPIV3Schema: {type: object}}}\n"
                               "    - {name: v1alpha1}\n");
    CHECK_UINT(docs.count, ==, 2);
    CHECK_STR(docs.list[0].key, "apis/x.dev/v1");
    CHECK_STR(docs.list[1].key, "apis/x.dev/v2");
    hu_crd_docs_free(&docs);
}

TEST(scalars_have_the_types_of_yaml_1_2)
{
    hu_crd_docs docs = convert(CRD_HEAD(
        "x.dev", "K", "v1") "          p:\n"
                            "            enum: [yes, 'true', true, 1, 1.0, '1', ~, 1e3, 0x10, v1]\n"
                            "            text: |\n"
                            "              two\n"
                            "              lines\n");
    CHECK_HAS(docs.list[0].json,
              "\"enum\":[\"yes\",\"true\",true,1,1.0,\"1\",null,1e3,\"0x10\",\"v1\"]");
    CHECK_HAS(docs.list[0].json, "\"text\":\"two\\nlines\\n\"");
    hu_crd_docs_free(&docs);
}

TEST(refusals)
{
    refuse("", "no CustomResourceDefinition");
    refuse("kind: Namespace\n", "no CustomResourceDefinition");
    refuse("a: [\n", "not valid YAML at line");
    refuse("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
           "metadata: {name: n}\nspec: {}\n",
           "CustomResourceDefinition n has no spec.group");
    refuse("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
           "spec: {group: g}\n",
           "no spec.names.kind");
}

TEST(aliases_cannot_grow_without_end)
{
    hu_buf yaml = { 0 };
    hu_buf_puts(&yaml, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        hu_buf_format(&yaml, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            hu_buf_format(&yaml, "%s*a%d", k ? "," : "", i - 1);
        hu_buf_puts(&yaml, "]\n");
    }
    refuse(yaml.data, "too large");
    hu_buf_free(&yaml);
}

TEST_MAIN()
