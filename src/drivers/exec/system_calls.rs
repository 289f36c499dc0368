//! The system calls that a jailed task is refused: those that make a user namespace.
//!
//! In a user namespace of its own anybody is root, mounts control groups and lifts limits. The flag is looked for in
//! `clone` and `unshare`; `clone3` hides its flags in memory, so it is said to be missing, and libraries use `clone`.
//! (Joining a user namespace needs a right in it that nobody inside has.)

use std::io;

use seccompiler::{BpfProgram, sock_filter};

/// The numbers of one family of processors.
struct Abi {
    /// The kernel's mark (`AUDIT_ARCH_…`).
    mark: u32,
    clone: u32,
    unshare: u32,
    clone3: u32,
}

/// Every family whose programs a kernel of the first one's kind may run; others are not run at all.
const FAMILIES: &[Abi] = &[
    // x86_64, i386, aarch64, arm, riscv64
    Abi { mark: 0xC000_003E, clone: 56, unshare: 272, clone3: 435 },
    Abi { mark: 0x4000_0003, clone: 120, unshare: 310, clone3: 435 },
    Abi { mark: 0xC000_00B7, clone: 220, unshare: 97, clone3: 435 },
    Abi { mark: 0x4000_0028, clone: 120, unshare: 337, clone3: 435 },
    Abi { mark: 0xC000_00F3, clone: 220, unshare: 97, clone3: 435 },
];

/// `CLONE_NEWUSER`.
const NEW_USER: u32 = 0x1000_0000;
/// Programs with short pointers (x32) mark their calls so; the numbers of these three are the same.
const WITHOUT_X32: u32 = !0x4000_0000;
/// Where the kernel shows the number, the family, and the lower half of the first argument.
const NUMBER: u32 = 0;
const FAMILY: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

const LOAD: u16 = 0x20;
const AND: u16 = 0x54;
const IF_EQUAL: u16 = 0x15;
const IF_SET: u16 = 0x45;
const ANSWER: u16 = 0x06;

const ALLOWED: u32 = 0x7FFF_0000;
const KILLED: u32 = 0x8000_0000;
const REFUSED: u32 = 0x0005_0001; // SECCOMP_RET_ERRNO with EPERM
const MISSING: u32 = 0x0005_0026; // and with ENOSYS

/// Puts the filter on the calling thread and everything it starts, for good.
pub(super) fn forbid_user_namespaces() -> io::Result<()> {
    seccompiler::apply_filter(&program())
        .map_err(|error| io::Error::other(format!("system call filter: {error}")))
}

fn program() -> BpfProgram {
    let step = |code, k| sock_filter { code, jt: 0, jf: 0, k };
    let jump = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let mut program = vec![step(LOAD, FAMILY)];
    for Abi { mark, clone, unshare, clone3 } in FAMILIES {
        let block = [
            step(LOAD, NUMBER),
            step(AND, WITHOUT_X32),
            jump(IF_EQUAL, *clone3, 5, 0),
            jump(IF_EQUAL, *clone, 1, 0),
            jump(IF_EQUAL, *unshare, 0, 4),
            step(LOAD, FIRST_ARGUMENT),
            jump(IF_SET, NEW_USER, 0, 2),
            step(ANSWER, REFUSED),
            step(ANSWER, MISSING),
            step(ANSWER, ALLOWED),
        ];
        program.push(jump(IF_EQUAL, *mark, 0, u8::try_from(block.len()).unwrap_or(u8::MAX)));
        program.extend(block);
    }
    program.push(step(ANSWER, KILLED));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer: the few instructions that are used, step by step.
    fn answer(family: u32, number: u32, argument: u32) -> &'static str {
        let (program, mut at, mut held) = (program(), 0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            match code {
                LOAD => {
                    held = match k {
                        NUMBER => number,
                        FAMILY => family,
                        FIRST_ARGUMENT => argument,
                        other => panic!("nothing is at {other}"),
                    }
                }
                AND => held &= k,
                IF_EQUAL => at += usize::from(if held == k { jt } else { jf }),
                IF_SET => at += usize::from(if held & k == 0 { jf } else { jt }),
                ANSWER => {
                    return match k {
                        ALLOWED => "allowed",
                        REFUSED => "refused",
                        MISSING => "missing",
                        KILLED => "killed",
                        other => panic!("{other:x} is no answer"),
                    };
                }
                other => panic!("{other:x} is no instruction"),
            }
        }
    }

    #[test]
    fn what_makes_a_user_namespace_is_refused_in_every_family() {
        for Abi { mark, clone, unshare, clone3 } in FAMILIES {
            for call in [*clone, *unshare] {
                assert_eq!(answer(*mark, call, NEW_USER | 0x11), "refused", "{mark:x} {call}");
                assert_eq!(answer(*mark, call, 0x7E02_0000 & !NEW_USER), "allowed", "{mark:x} {call}");
                assert_eq!(answer(*mark, call, 17), "allowed");
            }
            assert_eq!(answer(*mark, *clone3, 0), "missing");
            assert_eq!(answer(*mark, 1, NEW_USER), "allowed");
        }
        assert_eq!(answer(0xC000_003E, 0x4000_0000 | 0x110, NEW_USER), "refused", "x32");
        assert_eq!(answer(0x8000_0016, 97, 0), "killed", "a family that nobody knows");
    }
}
