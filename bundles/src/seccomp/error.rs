//! Why a profile can't become a filter.

use super::simulate::Decision;

/// Why a profile was refused. Each names the rule at fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeccompError {
    /// No table of system calls for the machine we run on.
    #[error(
        "no seccomp filters for {}: only for x86_64 and aarch64",
        std::env::consts::ARCH
    )]
    UnsupportedMachine,
    /// `architectures` leaves the native one out: every program would be killed at its first call.
    #[error("architectures lacks {native}, the native one")]
    NativeArchitectureMissing {
        /// The native architecture, as the OCI spec names it.
        native: String,
    },
    /// `architectures` wants calls of another architecture filtered, not killed.
    #[error("architecture {architecture}: a sealed bundle's filter is for the native one only")]
    ForeignArchitecture {
        /// The architecture, as the OCI spec names it.
        architecture: String,
    },
    /// A flag of `seccomp(2)` that would change what the filter does.
    #[error("seccomp flag {flag} is not for sealed bundles")]
    Flag {
        /// The flag, as the OCI spec names it.
        flag: String,
    },
    /// The profile hands calls to a listener.
    #[error(
        "{place}: seccomp notification (SCMP_ACT_NOTIFY, listenerPath, listenerMetadata) is not for sealed bundles"
    )]
    Notify {
        /// Where the profile asks for it.
        place: String,
    },
    /// A rule about no system call at all: likely a slip of the pen.
    #[error("seccomp rule {index} names no system call")]
    NoNames {
        /// Index into `syscalls`.
        index: usize,
    },
    /// A name that no table knows: a rule that would silently not be there.
    #[error("unknown system call {name:?}")]
    UnknownSyscall {
        /// The name, as written.
        name: String,
    },
    /// An errno for an action that returns none.
    #[error("{place}: {action} takes no errno")]
    ErrnoNotTaken {
        /// Rule or default.
        place: String,
        /// The action, as the OCI spec names it.
        action: String,
    },
    /// An errno that the kernel would change or cut off.
    #[error("{place}: errno {errno} is out of range")]
    ErrnoOutOfRange {
        /// Rule or default.
        place: String,
        /// The number, as written.
        errno: u32,
    },
    /// A call has the arguments 0 to 5.
    #[error("system call {name}: no argument {index}")]
    ArgumentIndex {
        /// The system call.
        name: String,
        /// The index, as written.
        index: usize,
    },
    /// runc takes two conditions on one argument as alternatives, crun and libseccomp refuse them.
    #[error(
        "system call {name}: two conditions on argument {index} in one rule, which engines read differently"
    )]
    RepeatedArgument {
        /// The system call.
        name: String,
        /// The argument.
        index: u8,
    },
    /// Two rules with different actions match the same call: engines disagree which one wins.
    #[error("system call {name}: rules for {first} and {second} overlap")]
    Ambiguous {
        /// The system call.
        name: String,
        /// One action.
        first: Decision,
        /// The other.
        second: Decision,
    },
    /// A stricter rule with arguments next to a rule without: libseccomp drops the stricter one unheard.
    #[error(
        "system call {name}: the rule for {second} with arguments has no effect next to {first} without any"
    )]
    Shadowed {
        /// The system call.
        name: String,
        /// The action that applies whatever the arguments.
        first: Decision,
        /// The action that never would.
        second: Decision,
    },
    /// Two rules with the same conditions and different actions: libseccomp refuses the second.
    #[error("system call {name}: {first} and {second} for the same arguments on {architecture}")]
    Contradiction {
        /// Where it shows: on x86 a call may be one of many behind one number.
        architecture: String,
        /// The system call.
        name: String,
        /// One action.
        first: Decision,
        /// The other.
        second: Decision,
    },
    /// Calls are handed to a listener, and there is none.
    #[error("SCMP_ACT_NOTIFY needs listenerPath")]
    NoListener,
    /// The kernel takes programs of at most 4096 instructions.
    #[error("the filter is too long: {length} instructions")]
    TooLong {
        /// Its length.
        length: usize,
    },
}
