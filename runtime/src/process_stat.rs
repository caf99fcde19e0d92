//! `/proc/PID/stat`: proc(5).

/// Field `number` of it, which are numbered from 1. The second, the command, may hold spaces and parentheses; it and the
/// first aren't to be had here.
pub fn field(stat: &str, number: usize) -> Option<&str> {
    let (_, from_third) = stat.rsplit_once(')')?;
    from_third.split_whitespace().nth(number.checked_sub(3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_command_whatever_that_is_called() {
        for stat in ["7 (sh) S 1 7", "7 (a) R 42 (b) S 1 7"] {
            assert_eq!(field(stat, 3), Some("S"));
            assert_eq!(field(stat, 4), Some("1"));
            assert_eq!(field(stat, 6), None);
        }
        assert_eq!(field("7 (a) S 1 (b) R 42 7 7 0", 4), Some("42"));
        assert_eq!(field("7 (sh) S 1 7", 2), None);
        assert_eq!(field("", 4), None);
    }
}
