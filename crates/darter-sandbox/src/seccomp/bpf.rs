//! Compiles a table of verdicts into classic BPF: architecture first, then a binary search over ranges of numbers.

use super::{Check, Verdict};

/// A filter as the kernel takes it.
pub(crate) type Program = Vec<libc::sock_filter>;

#[cfg(target_arch = "x86_64")]
pub(crate) const NATIVE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
pub(crate) const NATIVE: u32 = 0xC000_00B7;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const IF_BITS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;

/// First number of the x32 calls, which share x86-64's architecture word.
const X32: u32 = 0x4000_0000;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ABSENT: Verdict = Verdict::Errno(libc::ENOSYS);

fn step(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

fn branch(code: u16, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt, jf, k }
}

fn load_argument(argument: u8) -> libc::sock_filter {
    step(LOAD, 16 + 8 * u32::from(argument))
}

/// Numbers from `.0` up to the next range share a verdict.
fn ranges(table: &[(i64, Verdict)]) -> Vec<(u32, Verdict)> {
    let mut sorted: Vec<(u32, Verdict)> = table.iter().map(|(number, verdict)| (*number as u32, *verdict)).collect();
    sorted.sort_by_key(|(number, _)| *number);
    let mut ranges = vec![(0, ABSENT)];
    let mut next = 0;
    for (number, verdict) in sorted {
        if number > next {
            ranges.push((next, ABSENT));
        }
        ranges.push((number, verdict));
        next = number + 1;
    }
    ranges.push((next, ABSENT));
    if cfg!(target_arch = "x86_64") {
        ranges.push((X32, Verdict::Kill));
    }
    // Of two ranges that begin at the same number the later one is meant; of two alike neighbours the first suffices.
    let mut merged: Vec<(u32, Verdict)> = Vec::new();
    for (start, verdict) in ranges {
        if merged.last().is_some_and(|(last, _)| *last == start) {
            merged.pop();
        }
        if merged.last().is_none_or(|(_, last)| *last != verdict) {
            merged.push((start, verdict));
        }
    }
    merged
}

/// Compiles a table. Later entries of the same number must not exist.
pub(super) fn compile(table: &[(i64, Verdict)]) -> Program {
    let mut program = vec![step(LOAD, 4), branch(IF_EQUAL, NATIVE, 1, 0), step(RETURN, KILL), step(LOAD, 0)];
    program.extend(search(&ranges(table)));
    program
}

fn search(ranges: &[(u32, Verdict)]) -> Program {
    let [(_, verdict)] = ranges else {
        let (low, high) = ranges.split_at(ranges.len() / 2);
        let (start, low, high) = (high[0].0, search(low), search(high));
        // A conditional jump reaches 255 instructions; a longer way takes an unconditional one.
        let mut program = match u8::try_from(low.len()) {
            Ok(over) => vec![branch(IF_AT_LEAST, start, over, 0)],
            Err(_) => vec![branch(IF_AT_LEAST, start, 0, 1), step(JUMP, low.len() as u32)],
        };
        program.extend(low);
        program.extend(high);
        return program;
    };
    match verdict {
        Verdict::Allow => vec![step(RETURN, ALLOW)],
        Verdict::Errno(errno) => vec![step(RETURN, libc::SECCOMP_RET_ERRNO | *errno as u32)],
        Verdict::Kill => vec![step(RETURN, KILL)],
        Verdict::Check(check) => examine(*check),
    }
}

fn examine(check: Check) -> Program {
    match check {
        Check::NoBits { argument, bits } => {
            vec![load_argument(argument), branch(IF_BITS, bits, 0, 1), step(RETURN, REFUSE), step(RETURN, ALLOW)]
        }
        Check::NoneOf { argument, values } => choose(argument, values, REFUSE, ALLOW),
        Check::OneOf { argument, values } => choose(argument, values, ALLOW, REFUSE),
        Check::Socket => socket(),
    }
}

fn choose(argument: u8, values: &[u32], matched: u32, otherwise: u32) -> Program {
    let mut program = vec![load_argument(argument)];
    for (index, value) in values.iter().enumerate() {
        let left = (values.len() - index) as u8;
        program.push(branch(IF_EQUAL, *value, left, 0));
    }
    program.extend([step(RETURN, otherwise), step(RETURN, matched)]);
    program
}

fn socket() -> Program {
    const REFUSED: u8 = 14;
    const ALLOWED: u8 = 15;
    // A jump counts from the instruction after it.
    let to = |target: u8, at: u8| target - at - 1;
    vec![
        /* 0 */ load_argument(0),
        /* 1 */ branch(IF_EQUAL, libc::AF_UNIX as u32, to(ALLOWED, 1), 0),
        /* 2 */ branch(IF_EQUAL, libc::AF_INET as u32, to(7, 2), 0),
        /* 3 */ branch(IF_EQUAL, libc::AF_INET6 as u32, to(7, 3), 0),
        /* 4 */ branch(IF_EQUAL, libc::AF_NETLINK as u32, 0, to(REFUSED, 4)),
        /* 5 */ load_argument(2),
        /* 6 */ branch(IF_EQUAL, libc::NETLINK_ROUTE as u32, to(ALLOWED, 6), to(REFUSED, 6)),
        /* 7 */ load_argument(1),
        /* 8 */ step(AND, 0xf),
        /* 9 */ branch(IF_EQUAL, libc::SOCK_RAW as u32, to(REFUSED, 9), 0),
        /* 10 */ load_argument(2),
        /* 11 */ branch(IF_EQUAL, libc::IPPROTO_UDP as u32, to(ALLOWED, 11), 0),
        /* 12 */ branch(IF_EQUAL, libc::IPPROTO_TCP as u32, to(ALLOWED, 12), 0),
        /* 13 */ branch(IF_EQUAL, 0, to(ALLOWED, 13), to(REFUSED, 13)),
        /* 14 */ step(RETURN, REFUSE),
        /* 15 */ step(RETURN, ALLOW),
    ]
}

/// What a check says, computed without BPF: the tests' second opinion.
#[cfg(test)]
pub(super) fn judge(check: Check, arguments: [u64; 6]) -> u32 {
    let low = |argument: u8| arguments[usize::from(argument)] as u32;
    let allowed = match check {
        Check::NoBits { argument, bits } => low(argument) & bits == 0,
        Check::NoneOf { argument, values } => !values.contains(&low(argument)),
        Check::OneOf { argument, values } => values.contains(&low(argument)),
        Check::Socket => match low(0) as i32 {
            libc::AF_UNIX => true,
            libc::AF_INET | libc::AF_INET6 => low(1) & 0xf != 3 && [0, 6, 17].contains(&low(2)),
            libc::AF_NETLINK => low(2) == 0,
            _ => false,
        },
    };
    if allowed { ALLOW } else { REFUSE }
}

/// Runs a filter as the kernel would.
#[cfg(test)]
pub(super) fn run(program: &[libc::sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut memory = Vec::new();
    memory.extend(number.to_le_bytes());
    memory.extend(arch.to_le_bytes());
    memory.extend(0_u64.to_le_bytes());
    arguments.iter().for_each(|argument| memory.extend(argument.to_le_bytes()));
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let one = &program[at];
        at += 1;
        let jump = |taken: bool| usize::from(if taken { one.jt } else { one.jf });
        match one.code {
            LOAD => value = u32::from_le_bytes(memory[one.k as usize..][..4].try_into().unwrap()),
            RETURN => return one.k,
            JUMP => at += one.k as usize,
            IF_EQUAL => at += jump(value == one.k),
            IF_AT_LEAST => at += jump(value >= one.k),
            IF_BITS => at += jump(value & one.k != 0),
            AND => value &= one.k,
            code => panic!("unknown instruction {code:#x}"),
        }
    }
}
