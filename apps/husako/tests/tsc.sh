# SPDX-License-Identifier: MIT
# ctest: timeout=300
# The TypeScript compiler, versions 5.9 and 7, on all that is generated, and on programs that use it.
. "$SOURCE_DIR/apps/husako/tests/support/gen.sh"

compilers=''
for name in ts5 ts7; do
    [ -e "$deps/$name/node_modules/typescript/package.json" ] && compilers="$compilers $name"
done
[ -n "$compilers" ] || skip "no TypeScript in $deps; run tools/setup --tests"

tsc() { # VERSION ARGS...
    version=$1
    shift
    node "$deps/$version/node_modules/typescript/bin/tsc" --noEmit --strict "$@" >"$work/tsc" 2>&1
}

judge() { # all declarations of the project, and its own .ts files
    sed 's|^{|{\n  "include": ["*.ts", ".husako/types/**/*.d.ts"],|' tsconfig.json >tsconfig.all.json
    for version in $compilers; do
        if tsc "$version" -p tsconfig.all.json; then
            ok
        else
            failed "$version: $(grep -c error "$work/tsc") errors: $(head -5 "$work/tsc")"
        fi
    done
}

cat >"$work/good.ts" <<'EOF'
import { build, cpu, label, limits, memory, merge, metadata, name, namespace, requests } from "husako";
import { describe, expect, test } from "husako/test";
import { LabelSelector, ObjectMeta } from "k8s/_common";
import { Deployment, DeploymentSpec } from "k8s/apps/v1";
import { CronJob, JobSpec, JobTemplateSpec } from "k8s/batch/v1";
import { ConfigMap, Container, PersistentVolumeClaim, PodSpec, PodTemplateSpec, Service } from "k8s/core/v1";
import { Ingress } from "k8s/networking.k8s.io/v1";
import { IngressSpec } from "k8s/networking/v1";

const labels = { app: "web" };
const web = Container()
  .name("web")
  .image("nginx:1.25")
  .ports([{ containerPort: 80 }])
  .resources(requests(cpu("250m").memory("128Mi")).limits(cpu(0.5).memory(1)));
const pods = PodTemplateSpec()
  .metadata(metadata().label("app", "web"))
  .spec(PodSpec().containers([web]).restartPolicy("Always"));

const deployment = Deployment()
  .metadata(name("web").namespace("default").label("app", "web"))
  .replicas(3)
  .selector(LabelSelector().matchLabels(labels))
  .template(pods)
  .containers([web]);
const whole = Deployment()
  .metadata({ name: "whole", labels })
  .spec(DeploymentSpec().replicas(1).selector(LabelSelector().matchLabels(labels)).template(pods));
const claim = PersistentVolumeClaim()
  .metadata(merge([name("data"), label("a", "b")]))
  .accessModes(["ReadWriteOnce"])
  .resources(requests(memory("10Gi")));
const config = ConfigMap().metadata(metadata().name("c")).data({ key: "value" }).set("immutable", true);
const service = Service().metadata(namespace("x")).selector(labels).type("ClusterIP");
const job = CronJob().schedule("*/5 * * * *").jobTemplate(JobTemplateSpec().spec(JobSpec().template(pods)));
const ingress = Ingress().metadata(name("i")).spec(IngressSpec().ingressClassName("n"));
const meta = ObjectMeta().name("n").labels(labels);

build([deployment, whole, claim, config, service, job, ingress.metadata(meta)]);
build(deployment);
describe("all", () => {
  test("it", async () => {
    expect(deployment).not.toBe(whole);
    expect([1]).toContain(1);
  });
});
EOF

project all
gen 0 --spec-dir "$schemas"
cp "$work/good.ts" .
judge

project own
gen 0 --spec-dir "$own_schemas"
cp "$work/good.ts" .
cat >greenhouse.ts <<'EOF'
import { name } from "husako";
import { Greenhouse, GreenhouseSpec, GreenhouseSpecClimate } from "k8s/example.dev/v1";
const climate: GreenhouseSpecClimate = { celsius: 21, class: "a", constructor: "b" };
Greenhouse().metadata(name("g")).climate(climate).size("3").size(3).port("http").port(80)
  .beds([{ plant: "fig", tags: { a: [1, "2"] } }]).watering_schedule("*/5 * * * *");
Greenhouse().spec(GreenhouseSpec().climate({ constructor: "c" }));
EOF
judge

# ---- each of these mistakes is found: every line but the imports has its error ----
project wrong
gen 0 --spec-dir "$own_schemas"
cat >wrong.ts <<'EOF'
import { build, cpu, name } from "husako"; import { Deployment } from "k8s/apps/v1"; import { Container, PersistentVolumeClaim } from "k8s/core/v1";
Deployment().metadata(name("x")).replicas("three");
Deployment().replica(3);
Deployment().metadata(3);
Deployment().selector("app");
Container().ports([{ name: "p" }]);
Container().ports([{ containerPort: "http" }]);
PersistentVolumeClaim().resources(cpu(1));
build({});
import { Nothing } from "k8s/apps/v1";
import { Deployment as D } from "k8s/apps/v2";
EOF
for version in $compilers; do
    if tsc "$version" -p tsconfig.json; then failed "$version accepts wrong.ts"; else ok; fi
    for line in 2 3 4 5 6 7 8 9 10 11; do
        has "$work/tsc" "wrong.ts($line,"
    done
    lacks "$work/tsc" "wrong.ts(1,"
done

# ---- an old tsconfig.json that TypeScript 7 rejects ----
project old
cat >tsconfig.json <<'EOF'
{
  "compilerOptions": {
    "strict": true, "target": "es2022", "module": "ESNext", "moduleResolution": "bundler",
    "baseUrl": ".",
    "paths": { "husako": [".husako/types/husako.d.ts"] }
  }
}
EOF
gen 0 --spec-dir "$own_schemas"
cp "$work/good.ts" .
judge

# ---- CRDs, with descriptions and names that would break the text ----
project crds
cat >husako.toml <<'EOF'
[resources]
base = { source = "file", path = "crd.yaml" }
EOF
cat >crd.yaml <<'EOF'
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: odd.dev
  names: { kind: Odd }
  versions:
    - name: v1
      schema:
        openAPIV3Schema:
          description: "*/ export nothing /* ` ${x}"
          type: object
          properties:
            spec:
              type: object
              required: [a-b]
              properties:
                a-b: { type: string, description: "*/" }
                a_b: { type: integer }
                set: { type: array, items: { type: object, properties: { set: { type: string } } } }
                resources: { type: object, properties: { "9": { type: string } } }
                metadata: { type: object, properties: { labels: { type: object } } }
                constructor: { type: object, properties: { "'\"": { type: string } } }
                __proto__: { type: boolean }
                toString: { type: string }
                spec: { type: object, properties: { deep: { type: object, properties: { x: {} } } } }
            status: { type: object, properties: { any: { x-kubernetes-preserve-unknown-fields: true } } }
EOF
gen 0
cat >use.ts <<'EOF'
import { requests, cpu } from "husako";
import { Odd, OddSpec } from "k8s/odd.dev/v1";
Odd().a_b("x").set_([{ set: "a" }]).toString("s");
Odd().resources(requests(cpu(1)));
OddSpec().set([{}]);
EOF
judge
for js in $(find .husako/types -name '*.js'); do
    sed 's|"husako/_base"|"./_base.mjs"|' "$js" >module.mjs
    echo 'export class _ResourceBuilder {} export class _SchemaBuilder {}' >_base.mjs
    check "$js is JavaScript" node module.mjs
done
finish
