use super::*;

fn shell(script: &str) -> Run {
    Run::new("/bin/sh").arg("-c").arg(script)
}

#[test]
fn streams_lines_of_both_streams_and_captures_their_ends() {
    let mut lines = Vec::new();
    let run = shell("echo one; echo two >&2; read x; printf \"$x\"").stdin("three\n").env("A", "b");
    let finished = run.lines(&Cancel::new(), &mut |stream, line| lines.push((stream, line.to_owned()))).unwrap();
    assert!(finished.success());
    assert_eq!(finished.stdout, "one\nthree\n");
    assert_eq!(finished.stderr, "two\n");
    assert_eq!(lines.len(), 3);
}

#[test]
fn capture_is_bounded() {
    let finished =
        shell("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done").capture(100).output(&Cancel::new()).unwrap();
    assert!(finished.stdout.len() <= 100 && finished.stdout.ends_with("line 1999\n"), "{}", finished.stdout);
}

#[test]
fn a_missing_program_is_not_found_and_a_missing_folder_is_not_the_program() {
    let error = Run::new("no-such-program-at-all").output(&Cancel::new()).unwrap_err();
    assert!(matches!(error, ProcessError::NotFound { .. }), "{error:?}");
    let error = Run::new("/bin/sh").cwd("/no/such/folder").output(&Cancel::new()).unwrap_err();
    assert!(matches!(error, ProcessError::Spawn { .. }), "{error:?}");
}

#[test]
fn signals_and_codes_are_told_apart() {
    assert_eq!(shell("exit 7").output(&Cancel::new()).unwrap().code, Some(7));
    assert_eq!(shell("kill -9 $$").output(&Cancel::new()).unwrap().signal, Some(9));
}

#[test]
fn cancel_ends_the_whole_group_even_if_it_ignores_the_request() {
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("pid");
    let script = format!("trap '' TERM; (trap '' TERM; sleep 60) & echo $! > {}; wait; sleep 60", pid_file.display());
    let cancel = Cancel::new();
    let child = cancel.child();
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            while std::fs::read_to_string(&pid_file).unwrap_or_default().is_empty() {
                thread::sleep(Duration::from_millis(5));
            }
            cancel.set();
        });
        let error = shell(&script).grace(Duration::from_millis(100)).output(&child).unwrap_err();
        assert!(matches!(error, ProcessError::Cancelled { .. }), "{error:?}");
    });
    assert!(begun.elapsed() < Duration::from_secs(5));
    let pid = std::fs::read_to_string(&pid_file).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let until = Instant::now() + Duration::from_secs(1);
    while !state().is_empty() && !state().contains(") Z ") {
        assert!(Instant::now() < until, "the grandchild lives on: {}", state());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_timeout_ends_it() {
    let error = shell("sleep 60").timeout(Duration::from_millis(50)).output(&Cancel::new()).unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error:?}");
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_hold_us() {
    let begun = Instant::now();
    let finished = shell("echo done; sleep 5 &").output(&Cancel::new()).unwrap();
    assert_eq!(finished.stdout, "done\n");
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[test]
fn standard_input_ends_with_its_bytes_or_with_the_program() {
    // 124: `cat` waits for more until its time is over.
    let run = shell("read x; timeout 0.3 cat; echo \"$x $?\"").stdin("one\n");
    assert_eq!(run.output(&Cancel::new()).unwrap().stdout, "one 0\n");
    assert_eq!(run.stdin_stays_open().output(&Cancel::new()).unwrap().stdout, "one 124\n");
}
