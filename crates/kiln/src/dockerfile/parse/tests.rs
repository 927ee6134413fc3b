//! Tables of what BuildKit reads and refuses.

use super::*;

fn file(text: &str) -> File {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn last(text: &str) -> Step {
    let stage = file(&format!("FROM a\n{text}")).stages.pop().expect("a stage");
    stage.steps.into_iter().next_back().expect("a step")
}

#[test]
fn texts_are_joined_as_in_cache_keys() {
    let cases = [
        ("RUN echo  a \\\n   # comment\n  b   c", "RUN echo  a   b   c"),
        ("RUN a \\\n\n  b", "RUN a   b"),
        ("RUN a \\  \t\nb", "RUN a b"),
        ("RUN a \\\\\nRUN b", "RUN b"),
        ("  run\ta  ", "run\ta  "),
        ("RUN a \\\r\n  b\r\n", "RUN a   b"),
        ("RUN a \\", "RUN a "),
    ];
    for (text, expected) in cases {
        assert_eq!(last(text).original, expected, "{text:?}");
    }
}

#[test]
fn lines_cover_continuations_and_heredocs() {
    let stage = &file("# a\nFROM a\n\nRUN a \\\n  # b\n  c\nCOPY <<A <<B /\nx\nA\ny\nB\nUSER a").stages[0];
    let lines: Vec<_> = stage.steps.iter().map(|step| (step.lines.first, step.lines.last)).collect();
    assert_eq!(lines, [(4, 6), (7, 11), (12, 12)]);
}

#[test]
fn flags_are_read_byte_by_byte() {
    let Instruction::Run(run) = last("RUN --mount=type=cache,target=/é,id=à x").instruction else { panic!("a RUN") };
    let mount = run.mounts[0].literal().expect("a mount");
    assert_eq!((mount.target.as_deref(), mount.id.as_deref()), (Some("/Ã©"), Some("Ã")));
    assert_eq!(run.command.words, ["x"]);
}

#[test]
fn json_falls_back_to_text_but_not_for_numbers() {
    let Instruction::Cmd(command) = last("CMD [\"a\"] x").instruction else { panic!("a CMD") };
    assert_eq!((command.words.as_slice(), command.shell), (["[\"a\"] x".to_owned()].as_slice(), true));
    let Instruction::Cmd(command) = last("CMD [ \"\\ud83d\\ude00\", \"\\ud800x\",\"\" ]").instruction else { panic!("a CMD") };
    assert_eq!(
        (command.words.as_slice(), command.shell),
        (["\u{1f600}".to_owned(), "\u{fffd}x".to_owned(), String::new()].as_slice(), false)
    );
    assert_eq!(parse(b"FROM a\nCMD [1]").map_err(|error| error.kind), Err(ParseErrorKind::NotStringArray));
}

#[test]
fn directives_end_at_the_first_line_that_is_none() {
    assert_eq!(file("# escape=`\nFROM a\nRUN a `\n b").stages[0].steps[0].original, "RUN a  b");
    assert_eq!(file("# x=y\n# escape=`\nFROM a").directives.escape, None);
    assert_eq!(file("\n# escape=`\nFROM a").directives.escape, None);
    assert_eq!(file("#!/bin/x\n# syntax = a/b:1 \nFROM a").directives.syntax.as_deref(), Some("a/b:1"));
    assert_eq!(file("# SYNTAX=x\n# check=skip=all\nFROM a").directives.check.as_deref(), Some("skip=all"));
}

#[test]
fn hostile_input_is_refused_in_little_time() {
    let started = std::time::Instant::now();
    let mut line = b"FROM a\nRUN ".to_vec();
    line.resize(100 << 20, b'x');
    assert!(matches!(parse(&line), Err(ParseError { kind: ParseErrorKind::TooLarge, .. })));
    line.truncate(1 << 20);
    assert_eq!(parse(&line).map_err(|error| error.kind), Err(ParseErrorKind::LineTooLong));
    assert_eq!(parse(b"FROM a\nRUN \xff").map_err(|error| error.kind), Err(ParseErrorKind::NotUtf8));
    assert!(parse(b"# \xff latin-1 comments are fine\nFROM a").is_ok());
    let nested = "${A:-".repeat(12_000);
    let error = Lexer::new('\\').word(&nested, &|_| None).expect_err("nested");
    assert_eq!(error, WordError::TooDeep);
    assert!(parse(format!("FROM a\n{}RUN a", "ONBUILD ".repeat(8_000)).as_bytes()).is_err());
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
