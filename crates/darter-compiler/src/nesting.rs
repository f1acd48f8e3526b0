//! An upper bound of how deep a source nests, found without recursion, before the recursive parser sees it.
//!
//! Brackets nest, and so do chains without brackets (`!!!x`, `a=>b=>c`, `a+b+c`, `if(a)if(b)`, `else if`): the depth of
//! a syntax tree at any place is at most the number of words since the statement (or list item) began, summed over the
//! brackets that are open. The bound is loose on purpose: ordinary code stays a hundred times below the limit.

/// Deeper than this is refused. The compiler's stack is sized for it.
const LIMIT: u32 = 6_000;

/// Words after which an operand or another statement must follow: the end of a line after them ends nothing.
const PREFIX_WORDS: [&[u8]; 42] = [
    b"typeof",
    b"void",
    b"delete",
    b"await",
    b"yield",
    b"new",
    b"keyof",
    b"readonly",
    b"unique",
    b"infer",
    b"asserts",
    b"is",
    b"in",
    b"of",
    b"instanceof",
    b"as",
    b"satisfies",
    b"extends",
    b"implements",
    b"do",
    b"else",
    b"case",
    b"default",
    b"return",
    b"throw",
    b"export",
    b"import",
    b"declare",
    b"abstract",
    b"namespace",
    b"module",
    b"class",
    b"async",
    b"const",
    b"let",
    b"var",
    b"function",
    b"type",
    b"interface",
    b"enum",
    b"static",
    b"accessor",
];

/// Words that go on with what the line before began.
const JOINING_WORDS: [&[u8]; 10] =
    [b"in", b"of", b"instanceof", b"as", b"satisfies", b"extends", b"implements", b"is", b"else", b"from"];

/// Words that begin a statement with another statement inside it.
const HEAD_WORDS: [&[u8]; 7] = [b"if", b"for", b"while", b"with", b"do", b"switch", b"try"];

/// Words that can only begin a statement when they follow `}` on the same line.
const AFTER_BLOCK_WORDS: [&[u8]; 14] = [
    b"if",
    b"for",
    b"while",
    b"switch",
    b"do",
    b"const",
    b"let",
    b"var",
    b"import",
    b"export",
    b"class",
    b"function",
    b"return",
    b"throw",
];

/// What the last word was, as far as the end of a statement depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// A name, a number, a string, `]`: a new line with a word ends the statement.
    Operand,
    /// `)`: the same, unless it was the head of `if` and its like.
    Parenthesis,
    /// `}`
    Block,
    Other,
}

/// Where a source nests too deep: the offset of the word that goes over the limit.
pub fn too_deep(source: &str) -> Option<usize> {
    Scan::new(source.as_bytes()).run()
}

/// One open bracket.
#[derive(Default)]
struct Level {
    /// Words since the statement or item began.
    run: u32,
    /// `<` that may be open type arguments; a comma does not close them.
    angles: u32,
    /// `else` keeps what the statement before it has gathered.
    gathered: u32,
    /// This bracket is `${` of a template.
    template: bool,
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Open brackets; the sum of all their words is `outer`.
    outer: u32,
    levels: Vec<Level>,
    level: Level,
    newline_before: bool,
    last: Last,
    /// The last word allows a regular expression to follow.
    operand_expected: bool,
}

impl<'a> Scan<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            outer: 0,
            levels: Vec::new(),
            level: Level::default(),
            newline_before: true,
            last: Last::Other,
            operand_expected: true,
        }
    }

    fn run(mut self) -> Option<usize> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            let start = self.at;
            match byte {
                b'\n' => {
                    self.newline_before = true;
                    self.at += 1;
                    continue;
                }
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    continue;
                }
                b'/' if self.peek(1) == Some(b'/') => {
                    self.skip_until(b"\n");
                    continue;
                }
                b'/' if self.peek(1) == Some(b'*') => {
                    self.at += 2;
                    self.skip_until(b"*/");
                    self.at += 2;
                    continue;
                }
                b'/' if self.operand_expected => self.regex(),
                b'"' | b'\'' => self.quoted(byte),
                b'`' => {
                    self.at += 1;
                    self.template();
                }
                b'(' | b'[' | b'{' => self.open(false),
                b')' | b']' | b'}' => self.close(),
                b';' | b',' => self.separator(byte),
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | b'#' | 0x80.. => self.word(),
                _ => self.operator(byte),
            }
            self.newline_before = false;
            self.last = self.kind_of(start);
            if self.outer + self.level.run + self.level.angles > LIMIT {
                return Some(start);
            }
        }
        None
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn count(&mut self) {
        self.level.run += 1;
    }

    fn open(&mut self, template: bool) {
        self.count();
        self.at += 1;
        self.outer += self.level.run + self.level.angles;
        let inner = Level { template, ..Level::default() };
        self.levels.push(std::mem::replace(&mut self.level, inner));
        self.operand_expected = true;
    }

    fn close(&mut self) {
        let template = self.level.template;
        if let Some(outer) = self.levels.pop() {
            self.level = outer;
            self.outer -= self.level.run + self.level.angles;
        }
        let brace = self.bytes[self.at] == b'}';
        self.at += 1;
        // After `}` either may follow; a wrong guess only miscounts the words of one regular expression.
        self.operand_expected = brace;
        if template && brace {
            self.template();
        }
    }

    fn separator(&mut self, byte: u8) {
        self.at += 1;
        self.level.gathered = self.level.gathered.max(self.level.run);
        self.level.run = 0;
        if byte == b';' {
            self.level.angles = 0;
        }
        self.operand_expected = true;
    }

    fn operator(&mut self, byte: u8) {
        self.at += 1;
        match byte {
            b'<' => self.level.angles += 1,
            b'>' if self.bytes.get(self.at.wrapping_sub(2)) != Some(&b'=') => {
                self.level.angles = self.level.angles.saturating_sub(1);
            }
            _ => {}
        }
        self.count();
        self.operand_expected = true;
    }

    fn word(&mut self) {
        let start = self.at;
        self.at = self.word_end(start);
        let word = &self.bytes[start..self.at];
        if word == b"else" {
            self.level.run = self.level.run.max(self.level.gathered);
        } else if self.begins_statement(word) {
            let body_of_head = self.last == Last::Parenthesis;
            self.level.gathered = if body_of_head { self.level.gathered.max(self.level.run) } else { 0 };
            self.level.run = 0;
            self.level.angles = 0;
        } else if self.level.run == 0 {
            self.level.gathered = 0;
        }
        self.count();
        self.operand_expected = PREFIX_WORDS.contains(&word);
    }

    fn word_end(&self, start: usize) -> usize {
        let part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'_' | b'$' | b'#' | 0x80..);
        start + self.bytes[start..].iter().take_while(part).count()
    }

    fn begins_statement(&self, word: &[u8]) -> bool {
        if JOINING_WORDS.contains(&word) {
            return false;
        }
        match self.last {
            Last::Block => self.newline_before || AFTER_BLOCK_WORDS.contains(&word),
            Last::Operand => self.newline_before,
            Last::Parenthesis => self.newline_before && !HEAD_WORDS.contains(&word) && !self.may_be_label(),
            Last::Other => false,
        }
    }

    /// After a word: does `:` follow, or a comment that may hide it?
    fn may_be_label(&self) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        rest.iter().find(|byte| !byte.is_ascii_whitespace()).is_none_or(|byte| matches!(byte, b':' | b'/'))
    }

    /// What the word that began at `start` was.
    fn kind_of(&self, start: usize) -> Last {
        match self.bytes[start] {
            b')' => Last::Parenthesis,
            b'}' if self.at == start + 1 => Last::Block,
            b']' | b'"' | b'\'' => Last::Operand,
            b'`' | b'}' if self.bytes.get(self.at.wrapping_sub(1)) == Some(&b'`') => Last::Operand,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'$' | b'#' | 0x80.. => {
                let word = &self.bytes[start..self.word_end(start)];
                let ends = !PREFIX_WORDS.contains(&word) && !HEAD_WORDS.contains(&word);
                if ends { Last::Operand } else { Last::Other }
            }
            _ => Last::Other,
        }
    }

    fn quoted(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'\n' => break,
                byte if *byte == quote => {
                    self.at += 1;
                    break;
                }
                _ => self.at += 1,
            }
        }
        self.count();
        self.operand_expected = false;
    }

    /// The text of a template up to its end or to the next `${`.
    fn template(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    break;
                }
                b'$' if self.peek(1) == Some(b'{') => {
                    self.at += 1;
                    self.open(true);
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.count();
        self.operand_expected = false;
    }

    fn regex(&mut self) {
        self.at += 1;
        let mut class = false;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => break,
                b'\n' => break,
                _ => {}
            }
        }
        self.count();
        self.operand_expected = false;
    }

    fn skip_until(&mut self, end: &[u8]) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.windows(end.len()).position(|window| window == end);
        self.at += found.unwrap_or(rest.len());
    }
}
