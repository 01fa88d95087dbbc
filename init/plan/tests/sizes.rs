//! Settings of the maximum size, as an attacker may write them. Each of these took minutes, caused a panic of process
//! 1, or overflowed its stack. The tests do not measure time, because such a failure is obvious without it.

use dayfly_plan::{
    Code, Credential, Document, Fact, Facts, Problem, Secret, Severity, Source, Store, plan, settings,
};

/// Fills a settings file up to its size limit.
fn full(head: &str, entry: impl Fn(usize) -> String, tail: &str) -> String {
    let mut text = format!("version = 1\n{head}");
    for number in 0.. {
        let next = entry(number);
        if text.len() + next.len() + tail.len() > Document::MOST {
            break;
        }
        text.push_str(&next);
    }
    text + tail
}

/// Gathers and plans, and checks that the messages stay readable.
fn problems_of(facts: &Facts) -> Vec<Problem> {
    let (settings, problems) = settings::gather(facts);
    assert!(problems.len() <= 101, "{} problems", problems.len());
    assert!(problems.iter().all(|problem| problem.text.len() < 1100));
    let plan = plan(&settings, &facts.discovered);
    assert!(plan.notes.len() <= 50, "{} notes", plan.notes.len());
    let lines = plan.lines();
    let longest = lines.iter().map(|line| line.chars().count()).max();
    assert!(longest < Some(2000), "a line of {longest:?} characters");
    problems
}

fn of_file(text: String) -> Vec<Problem> {
    problems_of(&Facts::from_cmdline("root=http://boot/os").with_settings(Source::Config, text))
}

#[test]
fn as_many_settings_as_a_file_has_room_for_are_gathered() {
    let before: String = (0..20_000).map(|n| format!("sysctl.\"a.b{n}\" = 1\n")).collect::<Vec<_>>().concat();
    let rule = |n: usize| format!("[[match]]\nwhen.serial='s{n}'\nroot.size=5\n");
    let pattern = "hostname='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'\n[[match]]\nroot.size=5\nwhen.hostname='";
    for (what, text) in [
        ("kernel parameters", full("[sysctl]\n", |n| format!("\"a.b{n}\" = 1\n"), "")),
        ("policies", full("[layout]\n", |n| format!("\"/a{n}\" = \"tmpfs({})\"\n", n + 1), "")),
        ("a long path", full("[layout]\n\"", |_| "/a".to_owned(), "\" = \"tmpfs\"\n")),
        ("rules", full("", rule, "")),
        (
            "rules by name",
            full("", |n| format!("[[match]]\nwhen.hostname='a'\nscript.s{n}.known_hosts='k'\n"), ""),
        ),
        ("rules behind settings", full(&before, rule, "")),
        ("a pattern", full(pattern, |_| "*a".to_owned(), "b'\n")),
        ("keys of a user", full("[user.a]\nauthorized_keys=[", |n| format!("'ssh-ed25519 AAAA{n}',"), "]\n")),
    ] {
        assert_eq!(of_file(text), [], "{what}");
    }
}

#[test]
fn what_is_larger_is_refused_wherever_it_stands() {
    let large = full("# ", |_| "x".to_owned(), "\n") + "#";
    assert_eq!(large.len(), Document::MOST + 1);
    let credential = Credential { name: "dayfly.toml".to_owned(), value: Secret::new(large.clone()) };
    let mut by_firmware = Facts::default();
    by_firmware.learn(Fact::Credential(Store::FwCfg, credential));
    for facts in [Facts::default().with_file(large), by_firmware] {
        let problems = problems_of(&facts);
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].severity, problems[0].code), (Severity::Refuse, Code::ConfigFile));
        assert!(problems[0].text.contains("it has more than 1048576 bytes"), "{}", problems[0]);
    }
}

#[test]
fn mistakes_without_end_are_said_in_part_and_counted() {
    let many = |text| {
        let problems = of_file(text);
        assert_eq!(problems.len(), 101);
        problems[100].clone()
    };
    let last = many(full("", |n| format!("k{n}=1\n"), ""));
    assert!(last.text.ends_with(" more problems like these are not shown."), "{last}");
    assert_eq!(last.severity, Severity::Warn);
    let last = many(full("network.dns=[", |n| format!("'x{n}',"), "]\n"));
    assert_eq!(last.severity, Severity::Refuse, "a problem that is only counted must still refuse the boot");
    let last = many(full("", |n| format!("[[match]]\nwhen.serial='s{n}'\nroot.sizzze=5\n"), ""));
    assert_eq!(last.severity, Severity::Warn);
    for text in [
        full("", |_| "k".to_owned(), "=1\n"),
        full("image.url='", |_| "k".to_owned(), "'\n"),
        full("image.url='http://", |_| "k:@".to_owned(), "'\n"),
        full("image.url=[", |n| format!("'a{n}',"), "]\n"),
    ] {
        assert_eq!(of_file(text).len(), 1);
    }
}

#[test]
fn notes_without_end_are_told_in_part_and_counted() {
    let rules = |count| -> String {
        let rule = |n: usize| format!("[[match]]\nwhen.hostname='a'\nscript.s{n}.known_hosts='k'\n");
        (0..count).map(rule).collect()
    };
    let words = |count| (0..count).map(|n| format!("ip=eth{n}:link-local ")).collect::<Vec<_>>().concat();
    for count in [10, 47] {
        let cmdline = format!("root=http://boot/os {}", words(count));
        let facts = Facts::from_cmdline(cmdline).with_file(format!("version = 1\n{}", rules(count)));
        let notes = plan(&settings::gather(&facts).0, &facts.discovered).notes;
        for kind in ["depends on the host name", "only the IPv6 link-local"] {
            assert_eq!(notes.iter().filter(|note| note.contains(kind)).count(), 10, "{kind}");
        }
        let counted = notes.iter().filter(|note| **note == "… and 37 more notes like these.").count();
        assert_eq!(counted, if count > 10 { 2 } else { 0 }, "{notes:#?}");
    }
}

#[test]
fn words_without_end_are_gathered() {
    let words = |word: &dyn Fn(usize) -> String| {
        Facts::from_cmdline((0..50_000).map(word).collect::<Vec<_>>().concat())
    };
    assert_eq!(problems_of(&words(&|n| format!("dayfly.hostnmae{n}=x "))).len(), 101);
    assert_eq!(problems_of(&words(&|n| format!("something{n}=x "))), []);
    problems_of(&words(&|n| format!("nameserver=10.0.{}.{} ", n / 250 % 250, n % 250)));
}

#[test]
fn tables_in_tables_without_end_are_refused() {
    let nested = |levels: usize, dots: usize| {
        let name = vec!["a"; dots].join(".");
        format!("version = 1\nx = {}1{}\n", format!("{{ {name} = ").repeat(levels), " }".repeat(levels))
    };
    for text in [
        nested(79, 78),
        nested(10, 78),
        nested(70, 1),
        format!("version = 1\n[{}]\n", vec!["a"; 100].join(".")),
        format!("version = 1\nx = {}{}\n", "[".repeat(500_000), "]".repeat(500_000)),
        format!("version = 1\n{}", "[".repeat(1_000_000)),
    ] {
        let problems = of_file(text);
        assert_eq!(problems.len(), 1);
        assert_eq!((problems[0].severity, problems[0].code), (Severity::Refuse, Code::ConfigFile));
        assert!(problems[0].text.contains("deeper than 64"), "{}", problems[0]);
    }
    // Dots and brackets that do not nest anything.
    for text in [
        full("[file.\"/a\"]\ncontent = \"\"\"\n", |_| "a.b.[{ \\\" \n".to_owned(), "\"\"\"\n"),
        full("[file.\"/a\"]\ncontent = '''\n", |_| "a.b.[{ \\ ' \n".to_owned(), "'''\n"),
        full("# ", |_| "a.[{".to_owned(), "\n"),
        full("sysctl.x = '", |_| "a.[{\"".to_owned(), "'\n"),
        full("hostname = \"a\" # it's ", |_| "a.[{".to_owned(), "\n"),
        full("[sysctl]\n", |n| format!("\"a.b.c.d{n}\" = 1\n"), ""),
        full("network.dns = [\n", |_| "\"10.0.0.1\",\n".to_owned(), "]\n"),
    ] {
        assert_eq!(of_file(text), []);
    }
}
