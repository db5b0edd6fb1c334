//! A8, S12: which severities block, and who has the last word.

use crate::gate::{Gate, basic, policy, scan};

const VARIABLE: &str = "FAIL_ON_SEVERITY";

fn one(severity: &str) -> Gate {
    Gate::new(scan(&basic().finding("CVE-2024-0001", severity)))
}

#[test]
fn a8_the_built_in_policy_blocks_critical_and_high() {
    for (severity, code) in [("CRITICAL", 1), ("HIGH", 1), ("MEDIUM", 0), ("LOW", 0), ("INFORMATIONAL", 0)] {
        one(severity).check().run().exits(code);
    }
}

#[test]
fn a8_flag_over_variable_over_built_in() {
    let gate = one("MEDIUM");
    gate.check().run().exits(0);
    gate.check().env(VARIABLE, "CRITICAL HIGH MEDIUM").run().exits(1);
    gate.check().args(&["--fail-on", "critical,high,medium"]).run().exits(1);
    gate.check().env(VARIABLE, "MEDIUM").args(&["--fail-on", "CRITICAL"]).run().exits(0);
    gate.check().env(VARIABLE, "CRITICAL").args(&["--fail-on", "MEDIUM"]).run().exits(1);
    // Without a policy file the list may loosen, too.
    one("HIGH").check().args(&["--fail-on", "CRITICAL"]).run().exits(0);
}

#[test]
fn a8_lists_are_read_as_people_write_them() {
    let gate = one("MEDIUM");
    for list in
        ["CRITICAL HIGH MEDIUM", "critical,high,medium", "Medium", " MEDIUM , LOW ", "LOW;MEDIUM", "MEDIUM MEDIUM"]
    {
        gate.check().env(VARIABLE, list).run().exits(1);
        gate.check().args(&["--fail-on", list]).run().exits(1);
    }
}

#[test]
fn s12_empty_is_unset_for_the_variable_and_an_error_for_the_flag() {
    let gate = one("HIGH");
    for empty in ["", " ", "\t"] {
        gate.check().env(VARIABLE, empty).run().exits(1);
        gate.check().args(&["--fail-on", empty]).run().exits(64).says("empty");
        gate.check().env(VARIABLE, "CRITICAL").args(&["--fail-on", empty]).run().exits(64);
    }
    // Only separators: a list, and nothing in it.
    gate.check().env(VARIABLE, ", ,").run().exits(64).says(VARIABLE).says("nothing would block");
    gate.check().args(&["--fail-on", ","]).run().exits(64).says("--fail-on");
}

#[test]
fn a8_an_unknown_word_is_wrong_usage_with_a_suggestion() {
    let gate = one("LOW");
    gate.check().env(VARIABLE, "CRITCAL HIGH").run().exits(64).says(VARIABLE).says("did you mean CRITICAL?");
    gate.check().args(&["--fail-on", "hgih"]).run().exits(64).says("did you mean HIGH?");
    gate.check().args(&["--fail-on", "everything"]).run().exits(64).says("there are CRITICAL, HIGH");
    assert_eq!(gate.ecr.requests().len(), 0, "nothing is asked");
}

#[test]
fn s12_with_a_policy_file_a_list_may_only_tighten() {
    let gate = one("MEDIUM");
    let file = gate.write("gate.yaml", policy("rules:\n- id: r\n  vulnerabilities: { max: { critical: 0, high: 2 } }"));
    let check = || gate.check().args(&["--policy", &file]);
    check().run().exits(0);
    check().args(&["--fail-on", "CRITICAL HIGH MEDIUM"]).run().exits(1);
    check().env(VARIABLE, "CRITICAL HIGH MEDIUM").run().exits(1);
    for loosens in ["CRITICAL", "MEDIUM", "HIGH MEDIUM"] {
        check().args(&["--fail-on", loosens]).run().exits(3).says("may only tighten").says("house");
        check().env(VARIABLE, loosens).run().exits(3).says("may only tighten").says(VARIABLE);
    }
    // Two HIGH findings were allowed by the file; the list allows none.
    gate.ecr.set(scan(&basic().findings(2, "HIGH")));
    check().run().exits(0);
    check().args(&["--fail-on", "CRITICAL HIGH"]).run().exits(1);
}
