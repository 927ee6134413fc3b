//! Shell text as simple commands: enough to see which programs a `RUN` or a script starts.

/// One program with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// The program and its arguments, quotes taken off. Variables are left as written.
    pub(super) words: Vec<String>,
    /// Whether its output goes to the next command.
    pub(super) piped: bool,
}

impl Command {
    /// The program's name without folder, past `sudo`, `env`, `exec`, `time` and assignments.
    pub(super) fn program(&self) -> &str {
        self.effective().first().map_or("", |word| word.rsplit('/').next().unwrap_or(word))
    }

    /// Arguments that are no options, from the first.
    pub(super) fn operands(&self) -> Vec<&str> {
        self.effective().iter().skip(1).map(String::as_str).filter(|word| !word.starts_with('-')).collect()
    }

    /// Whether the program has the name, and its first operands are these.
    pub(super) fn is(&self, program: &str, operands: &[&str]) -> bool {
        self.program() == program && self.operands().starts_with(operands)
    }

    /// Whether it has the option.
    pub(super) fn has(&self, option: &str) -> bool {
        self.words.iter().any(|word| word == option || word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')))
    }

    fn effective(&self) -> &[String] {
        let is_prefix = |word: &String| {
            let is_assignment = word
                .split_once('=')
                .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
            is_assignment
                || matches!(word.as_str(), "sudo" | "env" | "exec" | "time" | "if" | "then" | "else" | "do" | "!" | "{" | "(")
        };
        let start = self.words.iter().position(|word| !is_prefix(word)).unwrap_or(self.words.len());
        &self.words[start..]
    }
}

/// The simple commands of a shell text, in order. Quotes and escapes hold words together; `&&`, `||`, `;`, `|`, `&` and line ends separate.
pub(super) fn commands(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut current = Command::default();
    let mut word = String::new();
    let mut in_word = false;
    let mut quote = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => match rest.next() {
                Some('\n') | None => {}
                Some(escaped) => {
                    word.push(escaped);
                    in_word = true;
                }
            },
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                in_word = true;
            }
            (None, '#') if !in_word => while rest.next_if(|c| *c != '\n').is_some() {},
            (None, ';' | '|' | '&' | '\n' | ')') => {
                if in_word {
                    current.words.push(std::mem::take(&mut word));
                    in_word = false;
                }
                let doubled = matches!(c, '|' | '&') && rest.next_if_eq(&c).is_some();
                current.piped = c == '|' && !doubled;
                if !current.words.is_empty() {
                    commands.push(std::mem::take(&mut current));
                }
                current = Command::default();
            }
            (None, c) if c.is_whitespace() || c == '(' => {
                if in_word {
                    current.words.push(std::mem::take(&mut word));
                    in_word = false;
                }
            }
            (None, c) => {
                word.push(c);
                in_word = true;
            }
        }
    }
    if in_word {
        current.words.push(word);
    }
    if !current.words.is_empty() {
        commands.push(current);
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart() {
        let found = commands("set -e; FOO=1 sudo apt-get update -y && \\\n  echo 'a && b' | sh # x | y\n(cd a; /usr/bin/npm ci)");
        let programs: Vec<_> = found.iter().map(|command| (command.program().to_owned(), command.piped)).collect();
        let expected = [("set", false), ("apt-get", false), ("echo", true), ("sh", false), ("cd", false), ("npm", false)];
        assert_eq!(programs, expected.map(|(program, piped)| (program.to_owned(), piped)));
        assert_eq!(found[2].operands(), ["a && b"]);
        assert!(found[1].is("apt-get", &["update"]) && found[1].has("-y"));
    }
}
