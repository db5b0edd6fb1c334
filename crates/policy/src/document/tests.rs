use super::*;
use crate::exceptions::Exceptions;
#[test]
fn probe() {
    let p = |rule: &str| Policy::parse("p.yaml", &format!("apiVersion: ecr-gate.dev/v1\nkind: GatePolicy\nmetadata: {{name: x}}\nspec:\n  rules:\n    - id: a\n      vulnerabilities:\n{rule}"));
    for rule in ["        max:\n", "        max: ~\n", "        max: {critical: }\n", "        max: {critical: null}\n", "        deny:\n", "        deny: [null]\n", "        deny: []\n", "        <<: {max: {critical: 0}}\n","        max: {critical: -1}\n","        max: {critical: 0x10}\n","        max: {critical: 1.0}\n","        max: {critical: \"0\"}\n", "        max: {critical: 010}\n", "        max: {critical: true}\n", "        knownExploited:\n", "        ignoreUnfixed: yes\n", "        maxScanAge: 24\n", "        maxScanAge: 24h\n---\na: b\n", "        max: {critical: 0}\n...\n---\n", "        max: {crtical: 0}\n", "        max: []\n", "        max: \"\"\n", "        deny: CVE-1\n", "        denyCvssFrom: .nan\n", "        denyCvssFrom: 7\n", "        denyCvssFrom: \"7\"\n", "        denyEpssFrom: 0.5\n", "        allow: [2021]\n", "        {}\n"] {
        match p(rule) { Ok(p) => println!("OK  {rule:?} {:?}", p.spec.rules[0].vulnerabilities), Err(e) => println!("ERR {rule:?} {e} | {:?}", e.hint) }
    }
    for expires in ["2026-12-31", "2026-12-31T12:00:00Z", "2026-12-31T12:00:00", "2026-12-31T12:00:00+02:00", "2026-12-31 12:00", "2026-12-31T12", "20261231", "2026-12-31T12:00:00[Europe/Berlin]","+002026-12-31", "2026-W53-4", "2026-12", "\"\""] {
        let mut e = Exceptions::none();
        let r = e.add("e.yaml", &format!("apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\nexceptions:\n  - {{id: a, cve: CVE-1, repository: r, digest: , reason: r, owner: o, expires: {expires}}}\n"));
        println!("{expires} {r:?} {e:?}");
    }
    println!("{:?}", Policy::parse("f", ""));
    println!("{:?}", Policy::parse("f", "apiVersion: ecr-gate.dev/v2\nkind: x\n"));
    println!("{:?}", Policy::parse("f", "apiVersion: ecr-gate.dev/v1\nkind: GateExceptions\n"));
    println!("{}", serde_json::to_string_pretty(&schema()).unwrap());
}
