//! Shell text as commands with places: comments dropped, continued lines and open quotes joined, here-documents left
//! out. Not a parser — enough to see which words stand in one command, and on which line.

use super::yaml::{Kind, Node, Place, Style};

/// The most lines that are joined into one command; a stray quote must not swallow a file.
const MAX_JOINED: usize = 80;

/// The most of one command that is judged. Longer ones are data, or an attempt to hide something: `cut` says so.
const MAX_BYTES: usize = 16 * 1024;

/// One logical command line.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// Joined with single blanks, without comments.
    pub text: String,
    /// It was longer than is judged.
    pub cut: bool,
    /// Where pieces of the text come from: offset in `text`, place in the source.
    pieces: Vec<(usize, Place)>,
}

impl Command {
    /// Where the command begins.
    pub(super) fn at(&self) -> Place {
        self.locate(0)
    }

    /// Where the byte `offset` of `text` stands in the source.
    pub(super) fn locate(&self, offset: usize) -> Place {
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= offset).or(self.pieces.first());
        piece.map_or(Place { line: 1, column: 1 }, |(start, at)| {
            let columns = self.text.get(*start..offset).map_or(0, |text| text.chars().count());
            Place { line: at.line, column: at.column + columns }
        })
    }
}

/// The commands of numbered source lines.
pub(super) fn commands<'a>(lines: impl IntoIterator<Item = (Place, &'a str)>) -> Vec<Command> {
    let mut all = Vec::new();
    let mut current: Option<Joining> = None;
    let mut here_end: Option<String> = None;
    for (at, line) in lines {
        if let Some(end) = &here_end {
            if line.trim() == end {
                here_end = None;
            }
            continue;
        }
        let mut joining = current.take().unwrap_or_default();
        let open = joining.add(at, line);
        if joining.quote.is_none() {
            here_end = here_document(&joining.text);
        }
        if (open || joining.quote.is_some()) && joining.lines < MAX_JOINED && here_end.is_none() {
            current = Some(joining);
        } else {
            all.extend(joining.finish());
        }
    }
    all.extend(current.and_then(Joining::finish));
    all
}

/// The commands of a script value in YAML: text, or lists of text, as deep as they nest.
pub(super) fn commands_of(node: &Node, source: &dyn Fn(usize) -> String) -> Vec<Command> {
    match &node.kind {
        Kind::List(items) => items.iter().flat_map(|item| commands_of(item, source)).collect(),
        Kind::Map(_) => Vec::new(),
        Kind::Scalar { text, style: Style::Quoted } => {
            let at = Place { line: node.at.line, column: node.at.column + 1 };
            commands(text.lines().map(|line| (at, line)))
        }
        Kind::Scalar { text, style: Style::Plain } if node.at.line == node.end_line => {
            commands([(node.at, text.as_str())])
        }
        Kind::Scalar { style, .. } => {
            let lines = raw_lines(node, *style, source);
            let trimmed = |(number, line): &(usize, String)| {
                let column = line.chars().take_while(|c| c.is_whitespace()).count() + 1;
                (Place { line: *number, column }, line.trim().to_owned())
            };
            let lines: Vec<(Place, String)> = lines.iter().map(trimmed).collect();
            if *style == Style::Literal {
                return commands(lines.iter().map(|(at, line)| (*at, line.as_str())));
            }
            // Folded: YAML joins the lines; only a blank one separates.
            lines
                .split(|(_, line)| line.is_empty())
                .filter_map(|block| {
                    let mut joining = Joining::default();
                    for (at, line) in block {
                        joining.add(*at, line);
                    }
                    joining.finish()
                })
                .collect()
        }
    }
}

/// The source lines of a scalar that spans several.
fn raw_lines(node: &Node, style: Style, source: &dyn Fn(usize) -> String) -> Vec<(usize, String)> {
    let block = matches!(style, Style::Literal | Style::Folded);
    let mut lines = Vec::new();
    for number in node.at.line..=node.end_line {
        let line = source(number);
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        if block && !line.trim().is_empty() && indent + 1 < node.at.column {
            break;
        }
        // The first line of a plain scalar has its key or dash before it.
        let skip = if !block && number == node.at.line { node.at.column - 1 } else { 0 };
        let blanks = " ".repeat(skip);
        lines.push((number, blanks + &line.chars().skip(skip).collect::<String>()));
    }
    lines
}

#[derive(Default)]
struct Joining {
    text: String,
    pieces: Vec<(usize, Place)>,
    quote: Option<char>,
    lines: usize,
}

impl Joining {
    /// Adds a source line; says whether the command goes on after it.
    fn add(&mut self, at: Place, line: &str) -> bool {
        self.lines += 1;
        let blanks = line.chars().take_while(|c| c.is_whitespace()).count();
        let body = line.trim_start();
        let kept = self.without_comment(body);
        let kept = kept.trim_end();
        let (kept, continued) = match kept.strip_suffix('\\') {
            Some(before) if !before.ends_with('\\') => (before.trim_end(), true),
            _ => (kept, false),
        };
        if !kept.is_empty() {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.pieces.push((self.text.len(), Place { line: at.line, column: at.column + blanks }));
            self.text.push_str(kept);
        }
        continued
            || (self.quote.is_none() && !kept.is_empty() && ["|", "||", "&&"].iter().any(|end| kept.ends_with(end)))
    }

    /// Cuts a comment off, and keeps track of quotes across lines.
    fn without_comment<'a>(&mut self, line: &'a str) -> &'a str {
        let mut before = ' ';
        let mut escaped = false;
        for (index, c) in line.char_indices() {
            match (self.quote, c) {
                _ if escaped => escaped = false,
                (Some('"') | None, '\\') => escaped = true,
                (Some(open), _) if c == open => self.quote = None,
                (None, '\'' | '"') => self.quote = Some(c),
                (None, '#') if before.is_whitespace() || before == ';' => return &line[..index],
                _ => {}
            }
            before = c;
        }
        line
    }

    fn finish(mut self) -> Option<Command> {
        let cut = self.text.len() > MAX_BYTES;
        if cut {
            let end = (0..=MAX_BYTES).rev().find(|end| self.text.is_char_boundary(*end)).unwrap_or(0);
            self.text.truncate(end);
        }
        (!self.text.is_empty()).then_some(Command { text: self.text, cut, pieces: self.pieces })
    }
}

/// The word that ends the here-document this command begins.
fn here_document(text: &str) -> Option<String> {
    let at = text.find("<<").filter(|at| !text[at + 2..].starts_with('<'))?;
    let rest = text[at + 2..].trim_start_matches(['-', '~']).trim_start();
    let word: String = rest
        .trim_start_matches(['\'', '"', '\\'])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty() && word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Command> {
        commands(text.lines().enumerate().map(|(index, line)| (Place { line: index + 1, column: 1 }, line)))
    }

    fn texts(text: &str) -> Vec<String> {
        of(text).into_iter().map(|command| command.text).collect()
    }

    #[test]
    fn continued_lines_quotes_and_pipes_are_one_command() {
        assert_eq!(texts("aws ecr \\\n  --query 'a\n b' # no\nnext"), ["aws ecr --query 'a b'", "next"]);
        assert_eq!(texts("a |\n  b ||\n  c\n\n# d\ne#f '#g'"), ["a | b || c", "e#f '#g'"]);
    }

    #[test]
    fn places_follow_the_pieces() {
        let all = of("x\n  aws ecr \\\n    --query y");
        let offset = all[1].text.find("--query").unwrap();
        assert_eq!(all[1].locate(offset), Place { line: 3, column: 5 });
        assert_eq!(all[1].at(), Place { line: 2, column: 3 });
    }

    #[test]
    fn here_documents_are_data() {
        assert_eq!(texts("cat <<'EOF' > x\naws || true\nEOF\nnext"), ["cat <<'EOF' > x", "next"]);
        assert_eq!(texts("grep x <<< \"$y\"\nnext"), ["grep x <<< \"$y\"", "next"]);
    }

    #[test]
    fn a_stray_quote_ends_somewhere() {
        let text = format!("echo don't\n{}", "a\n".repeat(300));
        assert!(of(&text).len() > 2);
    }
}
