//! The signals that a caller may name.

use nix::sys::signal::Signal;

use super::{Error, Result};

/// The kernel's highest.
const LAST: i32 = 64;

/// A signal by its number, which is all that real-time ones have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalNumber(pub(super) i32);

impl SignalNumber {
    /// SIGKILL.
    pub const KILL: Self = Self(libc::SIGKILL);

    /// A signal by number or name, with or without `SIG`, in either case; `RTMIN+3` and `RTMAX-3` as kill(1)
    /// has them. 0 is none, and asks whether the process is there.
    ///
    /// # Errors
    /// [`Error::UnknownSignal`].
    pub fn parse(text: &str) -> Result<Self> {
        let unknown = || Error::UnknownSignal(text.to_owned());
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = text.parse().map_err(|_| unknown())?;
            return in_range(number).ok_or_else(unknown);
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        real_time(name)
            .or_else(|| {
                let named: Signal = format!("SIG{name}").parse().ok()?;
                Some(Self(named as i32))
            })
            .ok_or_else(unknown)
    }
}

fn in_range(number: i32) -> Option<SignalNumber> {
    (0..=LAST).contains(&number).then_some(SignalNumber(number))
}

/// Counted from the C library's first and last, which keeps some of the kernel's for itself.
fn real_time(name: &str) -> Option<SignalNumber> {
    let (first, last) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let offset = |text: &str| -> Option<i32> {
        if text.is_empty() {
            return Some(0);
        }
        let digits = text.get(1..)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    let number = if let Some(text) = name.strip_prefix("RTMIN") {
        let is_forward = text.is_empty() || text.starts_with('+');
        first.checked_add(offset(text).filter(|_| is_forward)?)?
    } else {
        let text = name.strip_prefix("RTMAX")?;
        let is_back = text.is_empty() || text.starts_with('-');
        last.checked_sub(offset(text).filter(|_| is_back)?)?
    };
    (first..=last)
        .contains(&number)
        .then_some(SignalNumber(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_several_spellings() {
        for text in ["9", "KILL", "SIGKILL", "kill", "sigkill"] {
            assert_eq!(
                SignalNumber::parse(text).unwrap(),
                SignalNumber::KILL,
                "{text}"
            );
        }
        for (text, number) in [
            ("0", 0),
            ("37", 37),
            ("64", 64),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("rtmax-1", 63),
            ("SIGRTMAX", 64),
        ] {
            assert_eq!(
                SignalNumber::parse(text).unwrap(),
                SignalNumber(number),
                "{text}"
            );
        }
        for text in [
            "",
            "SIG",
            "0x9",
            "-1",
            "65",
            "99999999999",
            "SIGSIGKILL",
            "KILL ",
            "RTMIN+",
            "RTMIN-1",
            "RTMIN3",
            "RTMAX+1",
            "RTMIN+31",
            "RTMAX-99999999999",
            "RTMIN+\u{e9}",
        ] {
            assert!(SignalNumber::parse(text).is_err(), "{text}");
        }
    }
}
